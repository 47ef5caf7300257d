"""The explorer: the whole study as one HTML page that needs no network."""
