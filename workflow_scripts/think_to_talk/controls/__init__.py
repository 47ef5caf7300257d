"""Controls for probes: what accuracies and t* owe to the probe, the input, a threshold, a seed."""
