"""Serving hosts: a supervisor with a scoring process for each version of an endpoint, and a router before them."""
