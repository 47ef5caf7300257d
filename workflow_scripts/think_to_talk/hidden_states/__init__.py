"""Hidden states of a model: read, replaced, and stored while it decodes."""
