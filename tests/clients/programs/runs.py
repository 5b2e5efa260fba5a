"""Runs: started, nested, resumed, ended, failed, renamed, deleted, restored."""

from __future__ import annotations

import inspect
from typing import Any

import mlflow
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

VERSION = version(mlflow.__version__)


def main() -> None:
    report = Report()
    client = MlflowClient()
    experiment = report.name(mlflow.create_experiment(f"{report.token} runs"), "experiment")
    mlflow.set_experiment(f"{report.token} runs")

    def shown(run_id: str) -> dict[str, object]:
        run = client.get_run(run_id)
        info = run.info
        return {
            "id": info.run_id,
            "experiment": report.called(info.experiment_id),
            "status": info.status,
            "stage": info.lifecycle_stage,
            "started": isinstance(info.start_time, int) and info.start_time > 10**12,
            "ended": info.end_time is not None and info.end_time >= info.start_time,
            "tags": sorted(run.data.tags),
            "parent": run.data.tags.get("mlflow.parentRunId"),
            "artifact uri ends": info.artifact_uri.endswith(f"/{info.run_id}/artifacts"),
            "name": name if (name := run.data.tags.get("mlflow.runName", "")).count("-") != 2 else "<words>",
        }

    with mlflow.start_run(run_name="plain") as run:
        plain = report.name(run.info.run_id, "plain")
        report.keep("active", mlflow.active_run().info.run_id)
        report.keep("while running", shown(plain))
        report.keep("uri", mlflow.get_artifact_uri().split("/", 1)[1] == f"{experiment}/{plain}/artifacts")
    report.keep("after", shown(plain))
    report.keep("no active run", mlflow.active_run())

    with mlflow.start_run() as run:
        report.name(run.info.run_id, "unnamed")
    report.keep("unnamed", shown(run.info.run_id))

    with mlflow.start_run(run_name="tagged", tags={"color": "green", "mlflow.note.content": "a note"}) as run:
        report.name(run.info.run_id, "tagged")
    tags = client.get_run(run.info.run_id).data.tags
    report.keep(
        "tags at the start", {key: tags.get(key) for key in ("color", "mlflow.note.content", "mlflow.source.type")}
    )

    if "description" in inspect.signature(mlflow.start_run).parameters:
        with mlflow.start_run(description="said at the start") as run:
            report.name(run.info.run_id, "described")
        report.keep("description", client.get_run(run.info.run_id).data.tags["mlflow.note.content"])

    with mlflow.start_run(run_name="parent") as parent:
        report.name(parent.info.run_id, "parent")
        report.refused("second run without nested", mlflow.start_run)
        children: list[str] = []
        for index in range(3):
            with mlflow.start_run(run_name=f"child {index}", nested=True) as child:
                children.append(report.name(child.info.run_id, f"child {index}"))
                mlflow.log_metric("score", index)
                if index == 1:
                    with mlflow.start_run(run_name="grandchild", nested=True) as grandchild:
                        report.name(grandchild.info.run_id, "grandchild")
            report.keep(f"back in the parent after child {index}", mlflow.active_run().info.run_id)
    report.keep("children", [shown(child) for child in children])
    report.keep("grandchild", shown(grandchild.info.run_id))
    found = client.search_runs(
        [experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.score DESC"]
    )
    report.keep("children by search", [run.info.run_id for run in found])
    if hasattr(mlflow, "get_parent_run"):
        report.keep("parent of a child", mlflow.get_parent_run(children[0]).info.run_id)
        report.keep("parent of the parent", mlflow.get_parent_run(parent.info.run_id))

    try:
        with mlflow.start_run(run_name="broken") as run:
            report.name(run.info.run_id, "broken")
            raise ZeroDivisionError
    except ZeroDivisionError:
        report.keep("broken", shown(run.info.run_id))
    for status in ("FINISHED", "FAILED", "KILLED"):
        run = mlflow.start_run(run_name=f"ends {status}")
        report.name(run.info.run_id, f"ends {status}")
        mlflow.end_run(status)
        report.keep(f"ends {status}", shown(run.info.run_id))

    with mlflow.start_run(run_id=plain):
        report.keep("resumed", shown(plain))
        mlflow.log_metric("again", 1.5)
    report.keep("resumed and ended", shown(plain))
    report.keep("resumed metric", client.get_run(plain).data.metrics)

    made = client.create_run(experiment, start_time=1_600_000_000_123, tags={"origin": "client"})
    report.name(made.info.run_id, "made")
    report.keep("made", [made.info.status, made.info.start_time, made.info.end_time, made.data.tags.get("origin")])
    client.set_terminated(made.info.run_id, "KILLED", 1_600_000_100_456)
    ended = client.get_run(made.info.run_id).info
    report.keep("terminated", [ended.status, ended.start_time, ended.end_time])
    client.set_terminated(made.info.run_id)
    report.keep("terminated again", client.get_run(made.info.run_id).info.status)
    if hasattr(client, "update_run"):
        client.update_run(made.info.run_id, status="RUNNING", name="new name")
        updated = client.get_run(made.info.run_id)
        report.keep("updated", [updated.info.status, updated.info.run_name, updated.data.tags["mlflow.runName"]])
    client.set_tag(made.info.run_id, "mlflow.runName", "named by tag")
    report.keep("named by tag", client.get_run(made.info.run_id).data.tags["mlflow.runName"])
    if VERSION >= (2, 0):
        report.keep("run_name follows the tag", client.get_run(made.info.run_id).info.run_name)
        with mlflow.start_run(run_name="info name") as run:
            report.keep("run_name", run.info.run_name)
    report.refused("wrong status", client.set_terminated, made.info.run_id, "SLEEPING")

    mlflow.delete_run(plain)
    report.keep("deleted", shown(plain))
    report.refused("log to what is deleted", client.log_metric, plain, "late", 1.0)
    report.refused("tag what is deleted", client.set_tag, plain, "late", "1")
    report.refused("parameter of what is deleted", client.log_param, plain, "late", "1")
    report.refused("resume what is deleted", mlflow.start_run, plain)
    mlflow.end_run()
    report.refused("deleted twice", client.delete_run, plain)
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        runs = client.search_runs([experiment], "tags.mlflow.runName = 'plain'", run_view_type=getattr(ViewType, view))
        report.keep(f"view {view}", [run.info.run_id for run in runs])
    client.restore_run(plain)
    report.keep("restored", shown(plain))
    report.refused("restored twice", client.restore_run, plain)

    for name, call in {
        "get": client.get_run,
        "delete": client.delete_run,
        "restore": client.restore_run,
        "end": client.set_terminated,
        "list": client.list_artifacts,
    }.items():
        report.refused(f"{name} what is absent", call, "0" * 32)
        report.refused(f"{name} a wrong id", call, "no/such run")
    report.refused("run in what is absent", client.create_run, "987654321")
    report.refused("resume what is absent", mlflow.start_run, "0" * 32)
    mlflow.end_run()

    mlflow.delete_experiment(experiment)
    report.keep("run of a deleted experiment", shown(plain)["stage"])
    client.restore_experiment(experiment)
    report.keep("run of a restored experiment", shown(plain)["stage"])
    if VERSION >= (2, 0):
        last: Any = mlflow.last_active_run() if hasattr(mlflow, "last_active_run") else None
        report.keep("last active run", last is not None)
    report.show()


main()
