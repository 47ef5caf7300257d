"""Safety of a run: lock, recovery, code versions, failure reports, and records for W&B."""
