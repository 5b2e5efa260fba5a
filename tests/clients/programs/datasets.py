"""Datasets as inputs of runs (clients since 2.4)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

VERSION = version(mlflow.__version__)


def main() -> None:
    report = Report()
    client = MlflowClient()
    experiment = report.name(mlflow.create_experiment(f"{report.token} datasets"), "experiment")
    mlflow.set_experiment(f"{report.token} datasets")
    folder = tempfile.mkdtemp()
    report.name(folder, "folder")

    def shown(run_id: str) -> list[object]:
        return sorted(
            (
                {
                    "name": item.dataset.name,
                    "digest": item.dataset.digest,
                    "source type": item.dataset.source_type,
                    "source": json.loads(item.dataset.source).get("uri", "-")
                    if item.dataset.source_type != "code"
                    else "-",
                    "schema": item.dataset.schema,
                    "profile": item.dataset.profile,
                    "tags": {tag.key: tag.value for tag in item.tags},
                }
                for item in client.get_run(run_id).inputs.dataset_inputs
            ),
            key=json.dumps,
        )

    frame = pandas.DataFrame({"x": [1, 2, 3], "y": [0.5, 1.5, 2.5], "label": ["a", "b", "c"]})
    path = Path(folder) / "data.csv"
    frame.to_csv(path, index=False)

    # Imported by name, as a small install has no dataset constructors as attributes.
    data: Any = mlflow.data
    with mlflow.start_run() as run:
        first = report.name(run.info.run_id, "first")
        mlflow.log_input(data.from_pandas(frame, source=str(path), name="table", targets="label"), context="training")
        mlflow.log_input(data.from_pandas(frame, name="no source"), context="testing")
        mlflow.log_input(
            data.from_numpy(numpy.arange(12.0).reshape(3, 4), targets=numpy.arange(3), name="array"),
            context="training",
            tags={"split": "one"},
        )
        mlflow.log_input(data.from_pandas(frame, source="https://data.invalid/set.csv", name="remote"))
        mlflow.log_input(data.from_pandas(frame, source=str(path), name="table", targets="label"), context="training")
    report.keep("inputs", shown(first))
    with mlflow.start_run() as run:
        second = report.name(run.info.run_id, "second")
        mlflow.log_input(data.from_pandas(frame, source=str(path), name="table", targets="label"), context="validation")
    report.keep("the same in another run", shown(second))

    filters = [
        "dataset.name = 'table'",
        "datasets.name LIKE 'no%'",
        "dataset.context = 'validation'",
        "dataset.name = 'absent'",
    ]
    for filter_string in [
        *filters,
        "dataset.name IN ('array', 'remote')",
        "dataset.digest != 'x'",
        "datasets.context ILIKE 'TRAIN%'",
    ]:
        found = client.search_runs([experiment], filter_string, order_by=["attributes.start_time ASC"])
        report.keep(f"filter {filter_string}", [run.info.run_id for run in found])
    digest = client.get_run(second).inputs.dataset_inputs[0].dataset.digest
    found = client.search_runs([experiment], f"dataset.digest = '{digest}'", order_by=["attributes.start_time ASC"])
    report.keep("by digest", [run.info.run_id for run in found])
    report.refused("wrong attribute", client.search_runs, [experiment], "dataset.nothing = 'a'")
    report.refused("wrong operator", client.search_runs, [experiment], "dataset.name > 'a'")

    from mlflow.entities import Dataset, DatasetInput, InputTag

    third = report.name(client.create_run(experiment).info.run_id, "third")
    client.log_inputs(
        third,
        [
            DatasetInput(
                dataset=Dataset(
                    name="by hand", digest="12345678", source_type="http", source='{"url": "https://data.invalid"}'
                ),
                tags=[InputTag("mlflow.data.context", "eval"), InputTag("free", "tag")],
            )
        ],
    )
    report.keep("by hand", shown(third))
    report.refused(
        "no name",
        client.log_inputs,
        third,
        [DatasetInput(Dataset(name="", digest="1", source_type="s", source="{}"), [])],
    )
    report.refused(
        "digest too long",
        client.log_inputs,
        third,
        [DatasetInput(Dataset(name="n", digest="d" * 37, source_type="s", source="{}"), [])],
    )
    report.refused("for an absent run", client.log_inputs, "0" * 32, [])
    with_metric = report.name(client.create_run(experiment).info.run_id, "with metric")
    if VERSION >= (3, 0):
        client.log_metric(with_metric, "score", 0.5, dataset_name="table", dataset_digest=digest)
        report.keep("metric on a dataset", client.get_run(with_metric).data.metrics)
    report.show()


main()
