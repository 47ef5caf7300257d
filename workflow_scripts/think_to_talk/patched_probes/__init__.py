"""Probes on patched runs: whether what probes read moves with a patch, and how far on."""
