"""What a model does with its hidden states and its own text: patching and inconsistent chains."""
