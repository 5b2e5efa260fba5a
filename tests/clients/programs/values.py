"""Parameters, metrics, tags, batches and histories, with their edges: NaN, infinities, long values, duplicates."""

from __future__ import annotations

import math
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

VERSION = version(mlflow.__version__)


def main() -> None:
    report = Report()
    client = MlflowClient()
    mlflow.set_experiment(f"{report.token} values")

    def points(run_id: str, key: str) -> list[list[Any]]:
        return [[metric.step, metric.timestamp, metric.value] for metric in client.get_metric_history(run_id, key)]

    with mlflow.start_run() as run:
        run_id = report.name(run.info.run_id, "run")
        # Parameters: any value, kept as text.
        mlflow.log_param("integer", 7)
        mlflow.log_param("float", 0.1)
        mlflow.log_param("none", None)
        mlflow.log_param("list", [1, "two", 3.0])
        mlflow.log_param("unicode", "żółć 漢字 🙂")
        mlflow.log_param("empty", "")
        mlflow.log_param("spaces in the key", "x")
        mlflow.log_param("path/like.key-with_all", "x")
        mlflow.log_params({"batch a": True, "batch b": 1e-30, "batch c": {"nested": [1]}})
        mlflow.log_param("integer", 7)
        mlflow.log_param("length 500", "p" * 500)
        report.refused("parameter changed", mlflow.log_param, "integer", 8)
        report.refused("parameter changed in a batch", mlflow.log_params, {"new one": 1, "integer": 9})
        report.keep("params", client.get_run(run_id).data.params)

        # Metrics: latest value, whole history.
        mlflow.log_metric("one", 1)
        mlflow.log_metric("stepped", 0.5, step=10)
        mlflow.log_metric("stepped", 0.25, step=5)
        mlflow.log_metric("stepped", 0.75, step=10)
        mlflow.log_metrics({"many a": 1.25, "many b": -2e300}, step=3)
        mlflow.log_metric("negative step", 4.0, step=-3)
        mlflow.log_metric("big step", 4.0, step=2**53)
        mlflow.log_metric("boolean", True)
        mlflow.log_metric("tiny", 5e-324)
        mlflow.log_metric("nan", float("nan"))
        mlflow.log_metric("plus infinity", math.inf)
        mlflow.log_metric("minus infinity", -math.inf)
        client.log_metric(run_id, "timed", 1.0, timestamp=1_600_000_000_000, step=0)
        client.log_metric(run_id, "timed", 2.0, timestamp=1_500_000_000_000, step=0)
        client.log_metric(run_id, "timed", 3.0, timestamp=1_600_000_000_000, step=0)
        client.log_metric(run_id, "timed", 3.0, timestamp=1_600_000_000_000, step=0)
        client.log_metric(run_id, "turns nan", 3.0, timestamp=1_600_000_000_000, step=0)
        client.log_metric(run_id, "turns nan", float("nan"), timestamp=1_600_000_000_001, step=1)
        metrics = client.get_run(run_id).data.metrics
        report.keep("metrics", {key: value for key, value in metrics.items() if "infinity" not in key})
        report.keep("infinite metrics", {key: value for key, value in metrics.items() if "infinity" in key})
        report.keep("history timed", points(run_id, "timed"))
        report.keep("history turns nan", points(run_id, "turns nan"))
        report.keep("history stepped", sorted([step, value] for step, _, value in points(run_id, "stepped")))
        report.keep("history infinite", [value for _, _, value in points(run_id, "plus infinity")])
        report.keep("history absent", points(run_id, "nothing"))
        report.refused("metric of text", mlflow.log_metric, "text", "abc")
        report.refused("metric without a key", client.log_metric, run_id, "", 1.0)
        report.refused("history of an absent run", client.get_metric_history, "0" * 32, "one")

        # Tags: free, overwritten, deleted.
        mlflow.set_tag("one", 1)
        mlflow.set_tag("one", 2)
        mlflow.set_tags({"two": "zwei", "three": "", "unicode": "ä\n漢"})
        mlflow.set_tag("length 5000", "t" * 5000)
        client.set_tag(run_id, "gone", "x")
        client.delete_tag(run_id, "gone")
        mlflow.set_tag("gone too", "x")
        mlflow.delete_tag("gone too")
        report.refused("tag deleted twice", client.delete_tag, run_id, "gone")
        tags = client.get_run(run_id).data.tags
        report.keep("tags", {key: value for key, value in tags.items() if not key.startswith("mlflow.")})

        # Keys and values at and beyond their limits.
        for name, call in {"parameter": client.log_param, "metric": client.log_metric, "tag": client.set_tag}.items():
            value = 1.0 if name == "metric" else "x"
            call(run_id, f"{name} " + "k" * (250 - len(name) - 1), value)
            for wrong in ("k" * 251, "", "a//b", "../a", "/a", "a/../b", ".", "a\\b", "a#b", "a:b", "a\nb", "a%b"):
                shown = f"{len(wrong)} letters" if len(wrong) > 20 else repr(wrong)
                report.refused(f"{name} key {shown}", call, run_id, wrong, value)
        if VERSION >= (2, 0):
            report.refused("parameter of 6001 letters", client.log_param, run_id, "long", "x" * 6001)
            report.keep("parameter of 6001 letters is cut", len(client.get_run(run_id).data.params.get("long", "")))
            report.refused("tag of 8001 letters", client.set_tag, run_id, "long", "x" * 8001)

    with mlflow.start_run() as run:
        batched = report.name(run.info.run_id, "batched")
        client.log_batch(
            batched,
            metrics=[
                Metric(f"m{index % 10}", index / 8, 1_700_000_000_000 + index, index // 10) for index in range(1000)
            ],
        )
        client.log_batch(batched, params=[Param(f"p{index:02}", str(index)) for index in range(100)])
        client.log_batch(
            batched,
            metrics=[Metric("mixed", 1.0, 1_700_000_000_000, 1), Metric("mixed", math.nan, 1_700_000_000_000, 2)],
            params=[Param("mixed", "p")],
            tags=[RunTag("mixed", "t"), RunTag("mixed", "t2")] if VERSION >= (3, 0) else [RunTag("mixed", "t2")],
        )
        client.log_batch(batched)
        data = client.get_run(batched).data
        report.keep("batched metrics", data.metrics)
        report.keep("batched params", data.params)
        report.keep("batched tag", data.tags["mixed"])
        report.keep("batched history", points(batched, "m3"))
        report.keep("mixed history", points(batched, "mixed"))
        too_many = [Metric(f"x{index}", 1.0, 1, 0) for index in range(1001)]
        report.refused("1001 metrics", client.log_batch, batched, metrics=too_many)
        report.refused("101 params", client.log_batch, batched, params=[Param(f"q{i}", "1") for i in range(101)])
        report.refused("101 tags", client.log_batch, batched, tags=[RunTag(f"q{i}", "1") for i in range(101)])
        report.refused("one parameter twice", client.log_batch, batched, params=[Param("d", "1"), Param("d", "2")])
        report.refused(
            "one parameter twice, equal", client.log_batch, batched, params=[Param("e", "1"), Param("e", "1")]
        )
        report.refused(
            "a batch with a wrong key", client.log_batch, batched, [Metric("ok", 1.0, 1, 0), Metric("a//b", 1.0, 1, 0)]
        )
        report.keep("nothing of a refused batch", sorted({"x0", "ok"} & set(client.get_run(batched).data.metrics)))
        report.refused("batch for an absent run", client.log_batch, "0" * 32, [Metric("ok", 1.0, 1, 0)])

    if VERSION >= (2, 14):
        with mlflow.start_run() as run:
            report.name(run.info.run_id, "asynchronous")
            for step in range(50):
                mlflow.log_metric("later", step / 2, step=step, synchronous=False)
            mlflow.log_param("later", "p", synchronous=False)
            mlflow.set_tag("later", "t", synchronous=False)
            mlflow.flush_async_logging()
            report.keep("asynchronous", [value for _, _, value in points(run.info.run_id, "later")])
            later = client.get_run(run.info.run_id).data
            report.keep("asynchronous others", [later.params["later"], later.tags["later"]])
    report.show()


main()
