"""Tables, the study page and the explorer: results for readers in a browser."""
