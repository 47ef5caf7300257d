"""Prompts as tokens, and the layout that maps token positions to symbols."""
