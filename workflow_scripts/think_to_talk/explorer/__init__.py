"""The explorer: a study as one HTML page without network, made with Vega-Lite through Altair."""
