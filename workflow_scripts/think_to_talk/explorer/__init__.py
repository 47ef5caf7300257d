"""The explorer: a study as one HTML page that needs no network, made with Vega-Lite through Altair."""
