"""Findings: what holds of a model in every seed. Rows of tables in, sentences out."""
