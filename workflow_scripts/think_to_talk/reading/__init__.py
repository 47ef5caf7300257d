"""Reading a results folder from Python: rows as data frames, hidden states and probe weights.

`rows`, `hidden_states` and `probe_weights` give what the files say and compute nothing anew. No
rule uses them; they are for notebooks, see docs/python.md.
"""
