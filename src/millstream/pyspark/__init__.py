"""Holds :mod:`millstream.pyspark.ml`; models of Spark are in :mod:`millstream.spark`."""

from __future__ import annotations

from millstream.pyspark import ml

__all__ = ["ml"]
