"""What the rules ask: the checked configuration, what is studied, and what jobs need."""
