"""Trainings of Spark ML, logged by themselves."""

from __future__ import annotations

from millstream.autolog.pyspark import autolog

__all__ = ["autolog"]
