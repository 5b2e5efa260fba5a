"""What a training has left in its run, row by row: for programs whose training is logged by itself."""

from __future__ import annotations

import json
import os
from typing import Any

from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report

# MLflow loads each model in another process to see what it needs, which takes seconds and is not what is compared here.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "1"


def keep_run(report: Report, title: str, run_id: str) -> str | None:
    """Puts the rows of a run into the document, each as ``<title> <row>``; the address of its model, if it has one."""
    client = MlflowClient()
    run = client.get_run(run_id)
    report.name(run_id, f"run of {title}")
    report.keep(f"{title} status", run.info.status)
    report.keep(f"{title} params", run.data.params)
    report.keep(f"{title} metrics", {key: _points(client, run_id, key) for key in run.data.metrics})
    report.keep(f"{title} tags", {
        key: value for key, value in run.data.tags.items()
        if key == "mlflow.autologging" or not key.startswith(("mlflow.", "millstream."))
    })
    names = sorted(file.path for file in client.list_artifacts(run_id))
    report.keep(f"{title} artifacts", names)
    for name in names:
        if name.startswith("feature_importance") and name.endswith(".json"):
            with open(client.download_artifacts(run_id, name), encoding="utf-8") as file:
                report.keep(f"{title} {name}", json.load(file))
    report.keep(f"{title} datasets", sorted(
        [used.dataset.name, used.dataset.digest, *(tag.value for tag in used.tags), used.dataset.profile]
        for used in run.inputs.dataset_inputs
    ))
    made = [client.get_logged_model(output.model_id) for output in run.outputs.model_outputs]
    report.keep(f"{title} models", [[model.name, str(model.status), model.params] for model in made])
    if not made:
        return None
    uri: str = made[0].model_uri
    _keep_model(report, title, uri)
    return uri


def _points(client: MlflowClient, run_id: str, key: str) -> list[Any]:
    return sorted([point.step, point.value] for point in client.get_metric_history(run_id, key))


def _keep_model(report: Report, title: str, uri: str) -> None:
    from mlflow.models import get_model_info

    info = get_model_info(uri)
    blocks = {
        name: {key: value for key, value in block.items() if key not in ("python_version", "skops_trusted_types")}
        for name, block in info.flavors.items()
    }
    report.keep(f"{title} flavors", blocks)
    report.keep(f"{title} signature", info.signature.to_dict() if info.signature is not None else None)
    report.keep(f"{title} example", (info.saved_input_example_info or {}).get("type"))
