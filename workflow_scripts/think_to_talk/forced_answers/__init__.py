"""Forced answers: what a model says if it must answer in the middle of its chain of thought."""
