"""Probes of one task on the hidden states of another, at every symbol of both."""
