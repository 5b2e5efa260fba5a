"""Run by an official mlflow client: prints all that it can read at MLFLOW_TRACKING_URI as JSON.

Ids of experiments and places of files differ from store to store, so experiments go by their names and files by their
SHA-256. What a version of mlflow does not have is left out.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])


def main(target: str) -> None:
    client = MlflowClient()
    if VERSION >= (1, 28):
        experiments = list(client.search_experiments(view_type=ViewType.ALL))
    else:  # servers of today no longer list experiments as this client asks for it
        names = ["Default", "first ä €", "second", "gone"]
        experiments = [client.get_experiment_by_name(name) for name in names]
    dumped: dict[str, Any] = {}
    for experiment in experiments:
        runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
        dumped[experiment.name] = {
            "stage": experiment.lifecycle_stage,
            "tags": dict(experiment.tags),
            "times": [getattr(experiment, name, None) for name in ("creation_time", "last_update_time")],
            "runs": {run.info.run_id: dump_run(client, run.info.run_id) for run in runs},
        }
        if VERSION >= (3, 0):
            found = client.search_logged_models([experiment.experiment_id])
            dumped[experiment.name]["models"] = {model.model_id: dump_model(client, model) for model in found}
    Path(target).write_text(json.dumps(dumped))


def dump_run(client: MlflowClient, run_id: str) -> dict[str, Any]:
    run = client.get_run(run_id)
    info = run.info
    dumped: dict[str, Any] = {
        "info": [info.user_id, info.status, info.start_time, info.end_time, info.lifecycle_stage],
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "metrics": {
            key: sorted([one.step, one.timestamp, repr(one.value)] for one in client.get_metric_history(run_id, key))
            for key in run.data.metrics
        },
        "last": {key: repr(value) for key, value in run.data.metrics.items()},
        "artifacts": dump_files(client.list_artifacts, client.download_artifacts, run_id),
    }
    if VERSION >= (2, 0):
        dumped["name"] = info.run_name
    if VERSION >= (2, 4):
        dumped["inputs"] = sorted(
            [
                used.dataset.name, used.dataset.digest, used.dataset.source_type, used.dataset.source,
                used.dataset.schema or None, used.dataset.profile or None,
                sorted([tag.key, tag.value] for tag in used.tags),
            ]
            for used in run.inputs.dataset_inputs
        )
    if VERSION >= (3, 0):
        dumped["input models"] = sorted(model.model_id for model in run.inputs.model_inputs)
        dumped["output models"] = sorted([model.model_id, model.step] for model in run.outputs.model_outputs)
    return dumped


def dump_model(client: MlflowClient, model: Any) -> dict[str, Any]:
    def fetch(model_id: str, path: str) -> str:
        return str(Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}"), path))

    model = client.get_logged_model(model.model_id)
    return {
        "facts": [
            model.name, str(model.status), model.model_type or None, model.source_run_id or None,
            model.creation_timestamp, model.last_updated_timestamp,
        ],
        "params": dict(model.params),
        "tags": dict(model.tags),
        "metrics": sorted(
            [metric.key, metric.step, metric.timestamp, repr(metric.value), metric.dataset_name, metric.run_id]
            for metric in model.metrics or []
        ),
        "artifacts": dump_files(client.list_logged_model_artifacts, fetch, model.model_id),
    }


def dump_files(list_files: Any, fetch: Any, owner: str, folder: str | None = None) -> dict[str, str]:
    dumped = {}
    for entry in list_files(owner, folder):
        if entry.is_dir:
            dumped.update(dump_files(list_files, fetch, owner, entry.path))
        else:
            dumped[entry.path] = hashlib.sha256(Path(fetch(owner, entry.path)).read_bytes()).hexdigest()
    return dumped


if __name__ == "__main__":
    main(sys.argv[1])
