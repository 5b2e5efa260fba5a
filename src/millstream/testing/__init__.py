"""Suites that hold a plug-in to its contract: subclass one, give it the fixture it asks for, run pytest."""
