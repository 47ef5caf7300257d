"""Steering: what a model writes when a hidden state is moved along the weights of a probe."""
