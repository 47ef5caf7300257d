"""Problems and their chains of thought: templates, sampling, datasets and counterfactual pairs."""
