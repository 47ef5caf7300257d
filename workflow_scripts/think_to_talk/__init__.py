"""When does a language model come up with its answer? Formulas, hidden states, probes, timing."""
