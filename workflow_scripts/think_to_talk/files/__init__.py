"""Files of the study: atomic writes, JSON Lines, safetensors shards, and external datasets."""
