"""A model as a function of Spark's columns, the same for both systems: run by the interpreter of either.

python client_spark.py millstream|mlflow MODEL ROWS prints, as JSON, the rows a second of the first query (with what
makes the function and loads the model), of later ones, and of a bare ``mapInArrow`` with the estimator's own numbers.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any


def main(module: str, folder: str, rows: int) -> dict[str, float]:
    """Measure."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    import numpy as np
    import pyarrow as pa
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    pyfunc = importlib.import_module(f"{module}.pyfunc")
    spark = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.showConsoleProgress", "false").getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    names = ["age", "sex", "bmi", "bp", *(f"s{number}" for number in range(1, 7))]
    table = spark.range(0, rows, 1, 2).select(
        *[(F.rand(seed) * 0.2 - 0.1).alias(name) for seed, name in enumerate(names)]).cache()
    # What is read, and Python's workers, are there before anything is measured; no library is loaded in them yet.
    table.agg(*[F.sum(name) for name in names]).collect()
    sums = []

    def per_second(query: Callable[[], Any]) -> float:
        began = time.perf_counter()
        sums.append(float(query().collect()[0][0]))
        return rows / (time.perf_counter() - began)

    def first() -> Any:
        nonlocal predict
        predict = pyfunc.spark_udf(spark, folder, "double")
        return later()

    def later() -> Any:
        return table.select(F.sum(predict(F.struct(*names))))

    steps = [step for _, step in pyfunc.load_model(folder).get_raw_model().steps]
    mean, scale, coefficients, intercept = steps[0].mean_, steps[0].scale_, steps[1].coef_, steps[1].intercept_

    def bare(batches: Any) -> Any:
        for batch in batches:
            numbers = np.column_stack([column.to_numpy() for column in batch.columns])
            found = (numbers - mean) / scale @ coefficients + intercept
            yield pa.RecordBatch.from_arrays([pa.array(found)], ["p"])

    predict: Any = None
    cold = per_second(first)
    warm = statistics.median(per_second(later) for _ in range(5))
    per_second(lambda: table.mapInArrow(bare, "p double").select(F.sum("p")))
    limit = statistics.median(
        per_second(lambda: table.mapInArrow(bare, "p double").select(F.sum("p"))) for _ in range(3))
    assert max(sums) - min(sums) < 1e-6 * abs(sums[0]), sums
    spark.stop()
    return {"cold": cold, "warm": warm, "bare": limit, "sum": sums[0]}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
