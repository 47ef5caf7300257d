"""When a variable becomes readable: rows of probes in, rows of the timing table out."""
