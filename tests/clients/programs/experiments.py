"""Experiments: created, found, renamed, tagged, deleted, restored, searched."""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

SEARCHES = version(mlflow.__version__) >= (1, 28)


def main() -> None:
    report = Report()
    client = MlflowClient()
    token = report.token

    def shown(experiment: Any) -> dict[str, object]:
        return {
            "id": report.called(experiment.experiment_id),
            "name": experiment.name,
            "stage": experiment.lifecycle_stage,
            "tags": experiment.tags,
            "artifact location ends with id": experiment.artifact_location.endswith(f"/{experiment.experiment_id}"),
        }

    default = mlflow.get_experiment("0")
    report.keep("default", [default.name, default.lifecycle_stage])
    report.keep("default by name", mlflow.get_experiment_by_name("Default").experiment_id)

    first = report.name(mlflow.create_experiment(f"{token} first", tags={"team": "red", "empty": ""}), "first")
    report.keep("id is text", isinstance(first, str))
    report.keep("created", shown(mlflow.get_experiment(first)))
    report.keep("by name", shown(mlflow.get_experiment_by_name(f"{token} first")))
    report.keep("absent by name", mlflow.get_experiment_by_name(f"{token} nothing"))
    report.refused("absent by id", mlflow.get_experiment, "987654321")
    report.refused("name taken", mlflow.create_experiment, f"{token} first")
    report.refused("empty name", mlflow.create_experiment, "")

    second = mlflow.set_experiment(f"{token} second ä/ö €")
    report.name(second.experiment_id, "second")
    report.keep("set makes it", shown(second))
    report.keep("set again", report.called(mlflow.set_experiment(f"{token} second ä/ö €").experiment_id))
    report.keep("set by id", shown(mlflow.set_experiment(experiment_id=first)))

    placed = report.name(
        mlflow.create_experiment(f"{token} placed", artifact_location="mlflow-artifacts:/placed"), "placed"
    )
    report.keep("artifact location", mlflow.get_experiment(placed).artifact_location)

    client.set_experiment_tag(first, "team", "blue")
    client.set_experiment_tag(first, "note", "line one\nline two 'quoted' \"twice\"")
    report.keep("tagged", mlflow.get_experiment(first).tags)
    if hasattr(client, "delete_experiment_tag"):
        client.delete_experiment_tag(first, "note")
        report.keep("tag deleted", mlflow.get_experiment(first).tags)
        report.refused("tag deleted twice", client.delete_experiment_tag, first, "note")

    client.rename_experiment(first, f"{token} renamed")
    report.keep("renamed", shown(mlflow.get_experiment(first)))
    report.keep("old name is free", mlflow.get_experiment_by_name(f"{token} first"))
    report.refused("rename to a taken name", client.rename_experiment, first, f"{token} placed")
    report.refused("rename what is absent", client.rename_experiment, "987654321", f"{token} other")

    mlflow.delete_experiment(first)
    report.keep("deleted", shown(mlflow.get_experiment(first)))
    report.keep("deleted is found by name", mlflow.get_experiment_by_name(f"{token} renamed").lifecycle_stage)
    report.refused("deleted twice", mlflow.delete_experiment, first)
    report.refused("set what is deleted", mlflow.set_experiment, f"{token} renamed")
    report.refused("create what is deleted", mlflow.create_experiment, f"{token} renamed")
    report.refused("tag what is deleted", client.set_experiment_tag, first, "team", "green")
    report.refused("run in what is deleted", client.create_run, first)
    client.restore_experiment(first)
    report.keep("restored", shown(mlflow.get_experiment(first)))
    report.refused("restored twice", client.restore_experiment, first)
    report.refused("delete what is absent", mlflow.delete_experiment, "987654321")

    for index in range(6):
        made = mlflow.create_experiment(f"{token} search {index}", tags={"parity": "even" if index % 2 == 0 else "odd"})
        report.name(made, f"search {index}")
        if index == 5:
            mlflow.delete_experiment(made)

    if SEARCHES:
        for filter_string in [
            f"name = '{token} search 3'",
            f"name LIKE '{token} search%'",
            f"name ILIKE '{token} SEARCH%'",
            f"name != '{token} search 1' AND name LIKE '{token} search%'",
            f"name LIKE '{token} search%' AND tags.parity = 'even'",
            f"name LIKE '{token} search%' and tags.parity != 'even'",
            f"name LIKE '{token} search%' AND tags.`parity` LIKE 'o%'",
            f"attribute.name = '{token} search 0'",
            f"name LIKE '{token} search%' AND creation_time > 0",
            f"name LIKE '{token} search%' AND last_update_time < 1000",
        ]:
            found = mlflow.search_experiments(filter_string=filter_string, order_by=["name ASC"])
            report.keep(f"search {filter_string}", [experiment.name for experiment in found])
        both = f"name LIKE '{token} search%'"
        for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
            found = mlflow.search_experiments(
                view_type=getattr(ViewType, view), filter_string=both, order_by=["name DESC"]
            )
            report.keep(f"view {view}", [experiment.name for experiment in found])
        newest = mlflow.search_experiments(filter_string=both, order_by=["creation_time ASC", "name ASC"])
        report.keep("oldest first", [experiment.name for experiment in newest])
        pages: list[list[str]] = []
        page_token = None
        while True:
            page = client.search_experiments(
                filter_string=both, order_by=["name ASC"], max_results=2, page_token=page_token
            )
            pages.append([experiment.name for experiment in page])
            page_token = page.token
            if not page_token:
                break
        report.keep("pages", pages)
        report.keep("max_results", len(mlflow.search_experiments(filter_string=both, max_results=3)))
        for wrong in (
            "name",
            "name = 5",
            "nothing = 'a'",
            "name ~ 'a'",
            "name = 'a' OR name = 'b'",
            "tags.x > 'a'",
            "name = 'open",
        ):
            report.refused(f"wrong filter {wrong}", mlflow.search_experiments, filter_string=wrong)
        report.refused("wrong order", mlflow.search_experiments, order_by=["nothing ASC"])
        report.refused("wrong direction", mlflow.search_experiments, order_by=["name SIDEWAYS"])
        report.refused("too many", client.search_experiments, max_results=10_000_000)
        report.refused("none", client.search_experiments, max_results=0)
        report.refused("wrong page token", client.search_experiments, page_token="not a token")
    report.show()


main()
