"""Work that is the same for both systems: run by the interpreter of either, it prints one JSON document.

python client.py millstream|mlflow WORK [ARGUMENT …]
"""

from __future__ import annotations

import importlib
import json
import math
import statistics
import sys
import time
from typing import Any


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    ordered = sorted(seconds)
    return {"median": statistics.median(ordered) * 1e6, "p99": ordered[int(len(ordered) * 0.99)] * 1e6}


def fluent(api: Any, count: str) -> dict[str, float]:
    """``log_metric`` of the fluent API, one by one, and how long until everything is in the store."""
    number = int(count)
    times: list[float] = []
    with api.start_run() as run:
        api.log_metric("warm", 0.0, step=0)
        for step in range(number):
            value = math.sin(step)
            began = time.perf_counter()
            api.log_metric("loss", value, step=step)
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
    ended = time.perf_counter() - began
    history = api.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert len(history) == number, f"{len(history)} points of {number}"
    return {**spread(times), "end_seconds": ended, "per_second": number / (sum(times) + ended)}


def batches(api: Any, count: str) -> dict[str, float]:
    """``log_batch`` of the client with 1,000 metrics each: points a second until the call returns."""
    from_entities = importlib.import_module(f"{api.__name__}.entities")
    client = api.MlflowClient()
    run_id = client.create_run("0").info.run_id
    made = [
        [from_entities.Metric("loss", math.sin(step), 1, step) for step in range(start, start + 1000)]
        for start in range(0, int(count) * 1000, 1000)
    ]
    began = time.perf_counter()
    for batch in made:
        client.log_batch(run_id, metrics=batch)
    return {"per_second": int(count) * 1000 / (time.perf_counter() - began)}


WORK = {"fluent": fluent, "batches": batches}

if __name__ == "__main__":
    print(json.dumps(WORK[sys.argv[2]](importlib.import_module(sys.argv[1]), *sys.argv[3:])))
