"""Interpreters found on this machine, and virtual environments built from requirements and kept by their content."""
