"""Checkpoints: their size, their files, loading, downloading and training."""
