"""Linear probes on stored hidden states: the objective, its solvers, and the fitting of a task."""
