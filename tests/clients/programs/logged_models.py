"""Logged models (clients since 3.0): created, finalized, tagged, searched, linked to runs, deleted."""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.entities import LoggedModelInput, LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report


def main() -> None:
    report = Report()
    client = MlflowClient()
    experiment = report.name(mlflow.create_experiment(f"{report.token} models"), "experiment")
    mlflow.set_experiment(f"{report.token} models")

    def shown(model: Any) -> dict[str, object]:
        return {
            "id": model.model_id,
            "id has its form": model.model_id.startswith("m-") and len(model.model_id) == 34,
            "name": model.name,
            "experiment": report.called(model.experiment_id),
            "type": model.model_type,
            "status": str(model.status),
            "run": model.source_run_id,
            "tags": {key: value for key, value in model.tags.items() if not key.startswith("mlflow.")},
            "params": model.params,
            "location": model.artifact_location.split("/", 1)[1].replace(experiment, "<experiment>", 1),
            "uri": model.model_uri,
            "times": 10**12 < model.creation_timestamp <= model.last_updated_timestamp,
        }

    with mlflow.start_run() as run:
        run_id = report.name(run.info.run_id, "run")
        made = mlflow.initialize_logged_model("first", params={"depth": "3"}, tags={"color": "red"}, model_type="tree")
        first = report.name(made.model_id, "first")
        report.keep("initialized", shown(made))
        report.keep("finalized", shown(mlflow.finalize_logged_model(first, "READY")))
        mlflow.log_metric("acc", 0.75, step=1, model_id=first)
        mlflow.log_metric("acc", 0.875, step=2, model_id=first)
        mlflow.log_metrics({"loss": 0.5, "auc": 0.25}, step=2, model_id=first)
        client.log_metric(run_id, "acc", 0.5, step=2, model_id=first, dataset_name="data", dataset_digest="d1")
        mlflow.log_outputs(models=[LoggedModelOutput(first, step=2)])
        external = mlflow.create_external_model("external", model_type="agent", params={"k": "v"})
        report.name(external.model_id, "external")
        report.keep("external", shown(external))
        client.log_batch(run_id, metrics=[Metric("batched", 1.5, 1_700_000_000_000, 7, model_id=external.model_id)])

    got = mlflow.get_logged_model(first)
    report.keep("got", shown(got))
    report.keep(
        "metrics",
        sorted(
            [[m.key, m.value, m.step, m.dataset_name, m.dataset_digest, m.run_id] for m in got.metrics or []], key=str
        ),
    )
    report.keep(
        "metrics of the external",
        [[m.key, m.value, m.step] for m in mlflow.get_logged_model(external.model_id).metrics],
    )
    report.keep("outputs", [[out.model_id, out.step] for out in client.get_run(run_id).outputs.model_outputs])
    report.keep("metrics of the run", client.get_run(run_id).data.metrics)

    mlflow.set_logged_model_tags(first, {"color": "blue", "new": "tag"})
    mlflow.delete_logged_model_tag(first, "new")
    report.refused("tag deleted twice", client.delete_logged_model_tag, first, "new")
    mlflow.log_model_params({"width": "5"}, model_id=first)
    report.refused("parameter changed", client.log_model_params, first, {"width": "6"})
    report.keep("tags and params", shown(mlflow.get_logged_model(first)))

    client.log_model_artifact(first, __file__)
    listed = client.list_logged_model_artifacts(first)
    report.keep("artifacts", [[item.path, item.is_dir] for item in listed])

    with mlflow.start_run() as run:
        user = report.name(run.info.run_id, "user")
        client.log_inputs(user, models=[LoggedModelInput(first)])
    report.keep("inputs", [item.model_id for item in client.get_run(user).inputs.model_inputs])

    for index in range(5):
        model = client.create_logged_model(
            experiment,
            f"many {index}",
            run_id,
            params={"index": str(index)},
            tags={"parity": "odd" if index % 2 else "even"},
            model_type="tree" if index < 3 else "net",
        )
        report.name(model.model_id, f"many {index}")
        client.log_metric(run_id, "rank", float(index), step=0, model_id=model.model_id)
        if index != 2:
            client.finalize_logged_model(model.model_id, LoggedModelStatus.READY if index else LoggedModelStatus.FAILED)
    report.keep("failed", str(client.search_logged_models([experiment], "name = 'many 0'")[0].status))

    order = [{"field_name": "name", "ascending": True}]
    for filter_string in [
        "",
        "name = 'first'",
        "name LIKE 'many%'",
        "name ILIKE 'MANY%'",
        "name != 'first' AND params.index = '3'",
        "attributes.model_type = 'tree'",
        "status = 'READY'",
        "status != 'READY'",
        "tags.parity = 'odd'",
        "tags.parity LIKE 'e%'",
        "params.index != '3'",
        "metrics.rank > 2",
        "metrics.rank >= 1 AND metrics.rank < 3",
        "metrics.acc > 0.8",
        "metrics.acc < 0.6",
        f"source_run_id = '{run_id}'",
        "creation_timestamp > 0",
        "metrics.absent > 0",
    ]:
        found = client.search_logged_models([experiment], filter_string, order_by=order)
        report.keep(f"filter {filter_string}", [model.name for model in found])
    for by in (
        {"field_name": "name", "ascending": False},
        {"field_name": "metrics.rank", "ascending": True},
        {"field_name": "metrics.rank", "ascending": False},
        {"field_name": "creation_timestamp", "ascending": True},
        {"field_name": "metrics.acc", "ascending": False, "dataset_name": "data", "dataset_digest": "d1"},
    ):
        report.keep(f"order {by}", [model.name for model in client.search_logged_models([experiment], order_by=[by])])
    scored = client.search_logged_models(
        [experiment], "metrics.acc > 0", datasets=[{"dataset_name": "data", "dataset_digest": "d1"}], order_by=order
    )
    report.keep("on a dataset", [model.name for model in scored])
    pages: list[list[str]] = []
    page_token = None
    while True:
        page = client.search_logged_models([experiment], order_by=order, max_results=3, page_token=page_token)
        pages.append([model.name for model in page])
        page_token = page.token
        if not page_token:
            break
    report.keep("pages", pages)
    table = mlflow.search_logged_models([experiment], order_by=order)
    report.keep("table", [sorted(table.columns), len(table)])

    for wrong in ("nothing = 'a'", "name > 'a'", "name = 'a' OR name = 'b'", "name ="):
        report.refused(f"wrong {wrong}", client.search_logged_models, [experiment], wrong)
    report.refused("absent", mlflow.get_logged_model, "m-" + "0" * 32)
    report.refused("finalize what is absent", mlflow.finalize_logged_model, "m-" + "0" * 32, "READY")
    report.refused("tag what is absent", client.set_logged_model_tags, "m-" + "0" * 32, {"a": "b"})
    report.refused("in an absent experiment", client.create_logged_model, "987654321", "name")
    report.refused("with a wrong name", client.create_logged_model, experiment, "a/b:c")

    client.delete_logged_model(external.model_id)
    report.refused("deleted", client.get_logged_model, external.model_id)
    report.keep(
        "without the deleted", [model.name for model in client.search_logged_models([experiment], "name = 'external'")]
    )
    report.show()


main()
