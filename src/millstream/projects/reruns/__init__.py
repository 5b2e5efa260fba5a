"""Runs that are run again: their code, environment, data and parameters rebuilt, their results compared."""
