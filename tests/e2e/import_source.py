"""Run by an official mlflow client: fills the store of MLFLOW_TRACKING_URI with everything that an import must carry.

    python import_source.py POINTS

It prints a JSON object: the ids that it made, by the name that the test calls them. Whatever a version of mlflow does
not have yet is left out.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
T0 = 1_600_000_000_000


def main(points: int) -> None:
    client = MlflowClient()
    made: dict[str, str] = {}

    tags = {"team": "rot/grün", "mlflow.note.content": "# A note\n\nwith lines"}
    made["first"] = client.create_experiment("first ä €", tags=tags)
    made["second"] = client.create_experiment("second")
    made["gone"] = client.create_experiment("gone")

    run = client.create_run(made["first"], start_time=T0, tags={"mlflow.runName": "rich-run-1", "mlflow.user": "zoë"})
    rich = made["rich"] = run.info.run_id
    length = 6000 if VERSION >= (2, 10) else 500 if VERSION >= (1, 28) else 250
    client.log_param(rich, "long", "x" * length)
    client.log_param(rich, "ünïcode", "wert '\"\\ \U0001f600")
    client.log_param(rich, "empty", "")
    client.log_param(rich, "nested/key.with-dots and space", "line one\nline two\n")
    for start in range(0, points, 1000):
        batch = [
            Metric("loss/train", math.exp(-step / 1000) + (step % 7) * 1e-3, T0 + step, step)
            for step in range(start, min(points, start + 1000))
        ]
        client.log_batch(rich, metrics=batch)
    odd = [1.5, math.nan, math.inf, -math.inf, 0.1, 1e-300, -0.0, 1.7e308]
    for step, value in enumerate(odd):
        client.log_metric(rich, "odd", value, timestamp=T0 + 10, step=step)
    client.log_metric(rich, "ends in nan", 2.0, timestamp=T0, step=0)
    client.log_metric(rich, "ends in nan", math.nan, timestamp=T0, step=1)
    client.log_metric(rich, "negative step", 3.0, timestamp=T0, step=-5)
    client.log_metric(rich, "same step", 3.0, timestamp=T0 + 1, step=0)
    client.log_metric(rich, "same step", 2.0, timestamp=T0 + 2, step=0)
    client.log_metric(rich, "same step", 4.0, timestamp=T0 + 2, step=0)
    client.log_batch(
        rich, metrics=[Metric("twice", 1.0, T0, 0)], params=[Param("batch", "1")],
        tags=[RunTag("batch", "tag \U0001f680")],
    )
    client.set_tag(rich, "long", "y" * 5000)
    with tempfile.TemporaryDirectory() as folder:
        deep = Path(folder) / "deep" / "er" / "still"
        deep.mkdir(parents=True)
        (deep / "data.bin").write_bytes(bytes(range(256)) * 4096)
        (deep / "name with spaces ä.txt").write_text("text")
        (Path(folder) / "empty.txt").write_text("")
        client.log_artifacts(rich, folder)
        client.log_artifacts(rich, folder, "again/inside")
    client.set_terminated(rich, "FINISHED", end_time=T0 + 60_000)

    for name, status in [("child", "FAILED"), ("grandchild", "KILLED")]:
        parent = rich if name == "child" else made["child"]
        child = client.create_run(made["first"], start_time=T0 + 5, tags={"mlflow.parentRunId": parent})
        made[name] = child.info.run_id
        client.log_metric(made[name], "loss", 0.5, timestamp=T0, step=1)
        client.set_terminated(made[name], status, end_time=T0 + 70_000)
    made["running"] = client.create_run(made["second"], start_time=T0).info.run_id
    made["deleted run"] = client.create_run(made["second"], start_time=T0).info.run_id
    client.log_param(made["deleted run"], "p", "v")
    client.set_terminated(made["deleted run"], "FINISHED", end_time=T0 + 1)
    client.delete_run(made["deleted run"])
    made["run of gone"] = client.create_run(made["gone"], start_time=T0).info.run_id
    client.log_metric(made["run of gone"], "m", 1.0, timestamp=T0, step=0)
    if VERSION >= (2, 0):  # mlflow 1 cannot delete an experiment of which a run is deleted
        made["deleted before gone"] = client.create_run(made["gone"], start_time=T0).info.run_id
        client.delete_run(made["deleted before gone"])
    made["default run"] = client.create_run("0", start_time=T0).info.run_id
    client.set_tag(made["default run"], "in", "default")

    if VERSION >= (2, 4):
        datasets(client, rich, made["child"])
    if VERSION >= (3, 0):
        models(client, made)
    client.delete_experiment(made["gone"])
    print(json.dumps(made))


def datasets(client: MlflowClient, rich: str, child: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    def used(name: str, context: str, **rest: Any) -> DatasetInput:
        dataset = Dataset(name, "abc123", "http", '{"url": "https://example.org/a.csv"}', **rest)
        return DatasetInput(dataset, [InputTag("mlflow.data.context", context), InputTag("ä", "ö")])

    schema = '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}]}'
    iris = used("iris", "training", schema=schema, profile='{"num_rows": 150}')
    client.log_inputs(rich, [iris, used("bare", "eval")])
    client.log_inputs(child, [used("iris", "eval", schema=schema, profile='{"num_rows": 150}')])


def models(client: MlflowClient, made: dict[str, str]) -> None:
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    model = client.create_logged_model(
        made["first"], name="net", source_run_id=made["rich"], tags={"kind": "big"}, params={"depth": "3"},
        model_type="agent",
    )
    made["model"] = model.model_id
    client.log_metric(made["rich"], "acc", 0.8, timestamp=T0, step=1, model_id=model.model_id)
    client.log_metric(
        made["rich"], "acc", 0.9, timestamp=T0 + 1, step=2, model_id=model.model_id, dataset_name="iris",
        dataset_digest="abc123",
    )
    client.log_metric(made["rich"], "acc", math.nan, timestamp=T0 + 1, step=3, model_id=model.model_id)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MLmodel").write_text("flavors: {}\n")
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "weights.bin").write_bytes(b"\x00\x01" * 1000)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(made["rich"], [LoggedModelOutput(model.model_id, 7)])
    client.log_inputs(made["child"], models=[LoggedModelInput(model.model_id)])
    made["pending model"] = client.create_logged_model(made["second"], name="pending").model_id
    made["deleted model"] = client.create_logged_model(made["second"], name="deleted").model_id
    client.delete_logged_model(made["deleted model"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
