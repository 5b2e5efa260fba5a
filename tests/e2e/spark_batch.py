"""Programs of Spark that the tests start as processes of their own, as each has a master or an end of its own.

    python spark_batch.py cluster FOLDER    # two executors predict a million rows by three models
    python spark_batch.py stream FOLDER     # a stream predicts until its input is read, each row once
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import millstream.pyfunc
from millstream.inference import delta

NAMES = ["a", "b", "c"]


def session(master: str) -> Any:
    """A quiet session."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = (
        SparkSession.builder.master(master).config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    )
    made.sparkContext.setLogLevel("OFF")
    return made


def cluster(place: Path) -> dict[str, Any]:
    """Predicts a million rows, and says where and how often models were loaded and what is equal to predicting here."""
    from pyspark.sql import functions as F

    spark = session("local-cluster[2,1,1024]")
    rows = spark.range(0, 1_000_000, 1, 4).select(
        "id", *[(F.hash("id", F.lit(name)) / 2**31).alias(name) for name in NAMES])
    regression = millstream.pyfunc.spark_udf(spark, place / "regression", "double")
    asked = millstream.pyfunc.spark_udf(spark, place / "asked", "double", params={"factor": 3.0})
    tensors = millstream.pyfunc.spark_udf(spark, place / "tensors", "array<float>")
    predicted = rows.select("id", *NAMES, regression().alias("regression"), asked(F.struct(*NAMES)).alias("asked"),
                            tensors(F.array(*NAMES)).alias("tensors")).toArrow()
    table = predicted.select(NAMES).to_pandas()
    found: dict[str, Any] = {
        "rows": len(table), "ids": int(pa.compute.count_distinct(predicted["id"]).as_py()),
        "regression": _equal(predicted["regression"], place / "regression", table),
        "asked": _equal(predicted["asked"], place / "asked", table, {"factor": 3.0}),
    }
    ours = millstream.pyfunc.load_model(str(place / "tensors")).predict(table.to_numpy().astype("float32"))
    theirs = predicted["tensors"].combine_chunks().flatten().to_numpy().reshape(ours.shape)
    found["tensors"] = bool((ours == theirs).all())
    spark.stop()
    found["loaded"] = sorted((place / "loaded").read_text().split())
    return found


def _equal(column: Any, model: Path, table: Any, params: dict[str, Any] | None = None) -> bool:
    expected = millstream.pyfunc.load_model(str(model)).predict(table, params)
    return bool(np.allclose(column.to_numpy(), expected, rtol=1e-12, atol=0))


def stream(place: Path) -> dict[str, Any]:
    """Predicts the files that are there, one a batch, into a Delta table, by a checkpoint that stays."""
    spark = session("local[1]")
    source = spark.readStream.schema("id long, a double, b double, c double").option("maxFilesPerTrigger", 1)
    read = source.parquet(str(place / "input"))
    predict = millstream.pyfunc.spark_udf(spark, place / "regression", "double")
    with millstream.start_run(run_name="stream") as run:
        query = (
            read.withColumn("prediction", predict(*NAMES)).writeStream.trigger(availableNow=True)
            .foreachBatch(delta.each_batch(place / "table", "test"))
            .option("checkpointLocation", str(place / "checkpoint")).start()
        )
        query.awaitTermination()
    spark.stop()
    return {"run_id": run.info.run_id}


if __name__ == "__main__":
    print(json.dumps({"cluster": cluster, "stream": stream}[sys.argv[1]](Path(sys.argv[2]))))
