"""Flavors: how the models of each library are saved, loaded, and wrapped as a python function."""
