"""The logit lens: what a model's own final norm and head read in its stored hidden states."""
