"""Models as functions of Spark's columns."""

from __future__ import annotations

from millstream.inference.spark.functions import ModelFunction, spark_udf

__all__ = ["ModelFunction", "spark_udf"]
