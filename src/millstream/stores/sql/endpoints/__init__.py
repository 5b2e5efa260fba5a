"""Serving endpoints, their hosts and what happens to them, in SQL."""
