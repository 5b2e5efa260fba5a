"""``millstream experiments``: with MLflow's flags."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.output import (
    VIEWS,
    say,
    show_json,
    show_table,
    time_text,
    tracking_store,
    with_json,
    with_tracking_uri,
    with_view,
)
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.entities import Experiment
    from millstream.stores.contract import Store

_PAGE = 500


@click.group()
def experiments() -> None:
    """Create, find, rename, delete and restore experiments."""


@experiments.command()
@click.option("-n", "--experiment-name", required=True, help="Its name, which no other experiment has.")
@click.option("-l", "--artifact-location", metavar="URI", help="Where its runs keep their files; the store's own place "
              "unless given.")
@with_json
@with_tracking_uri
def create(experiment_name: str, artifact_location: str | None, as_json: bool, tracking_uri: str | None) -> None:
    """Create an experiment."""
    from millstream.operations import CreateExperiment

    with tracking_store(tracking_uri) as store:
        made = store.execute(CreateExperiment(experiment_name, artifact_location)).experiment_id
    if as_json:
        show_json({"experiment_id": made, "name": experiment_name})
    else:
        print(f"Created experiment '{experiment_name}' with id {made}")


@experiments.command()
@with_view
@click.option("--filter", "filter_string", metavar="TEXT", help="A filter such as \"name LIKE 'churn%'\".")
@click.option("--max-results", type=click.IntRange(1), help="How many to show at most; all unless given.")
@with_json
@with_tracking_uri
def search(
    view: str, filter_string: str | None, max_results: int | None, as_json: bool, tracking_uri: str | None
) -> None:
    """Find experiments."""
    from millstream.operations import SearchExperiments
    from millstream.operations.paging import pages

    asked = SearchExperiments(
        max_results=_PAGE if max_results is None else min(_PAGE, max_results), filter=filter_string,
        order_by=["creation_time ASC", "experiment_id ASC"], view_type=VIEWS[view.lower()],
    )
    with tracking_store(tracking_uri) as store:
        every = (experiment for page in pages(store.execute, asked) for experiment in page.experiments)
        found = list(islice(every, max_results))
    if as_json:
        show_json([_facts(experiment) for experiment in found])
    else:
        columns = ["Experiment Id", "Name", "Artifact Location"]
        rows: list[list[object]] = [[one.experiment_id, one.name, one.artifact_location] for one in found]
        if view.lower() != "active_only":
            columns.append("Stage")
            rows = [[*row, one.lifecycle_stage] for row, one in zip(rows, found, strict=True)]
        show_table(columns, rows)


def _facts(experiment: Experiment) -> dict[str, Any]:
    names = ("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time",
             "tags")
    return {name: getattr(experiment, name) for name in names}


@experiments.command()
@click.option("-x", "--experiment-id", help="Its id.")
@click.option("-n", "--experiment-name", help="Its name.")
@click.option("--output", type=click.Choice(["json", "table"]), default="table", show_default=True,
              help="How to print it.")
@with_json
@with_tracking_uri
def get(
    experiment_id: str | None, experiment_name: str | None, output: str, as_json: bool, tracking_uri: str | None
) -> None:
    """Show one experiment, by its id or its name."""
    from millstream.operations import GetExperiment, GetExperimentByName

    if (experiment_id is None) == (experiment_name is None):
        raise click.UsageError("name the experiment by --experiment-id or by --experiment-name, not both")
    with tracking_store(tracking_uri) as store:
        if experiment_id is not None:
            found = store.execute(GetExperiment(experiment_id)).experiment
        else:
            found = store.execute(GetExperimentByName(str(experiment_name))).experiment
    if as_json or output == "json":
        show_json(_facts(found))
        return
    labels = {
        "Experiment ID": found.experiment_id, "Name": found.name, "Artifact Location": found.artifact_location,
        "Lifecycle Stage": found.lifecycle_stage, "Creation Time": time_text(found.creation_time),
        "Last Update Time": time_text(found.last_update_time),
        "Tags": ", ".join(f"{key}={value}" for key, value in found.tags.items()),
    }
    for label, value in labels.items():
        print(f"{label:<18} : {value}")


@experiments.command()
@click.option("-x", "--experiment-id", required=True, help="Its id.")
@with_tracking_uri
def delete(experiment_id: str, tracking_uri: str | None) -> None:
    """Move an experiment and its runs to the trash; `restore` takes them out, `millstream gc` empties it."""
    from millstream.operations import DeleteExperiment

    with tracking_store(tracking_uri) as store:
        store.execute(DeleteExperiment(experiment_id))
    say(f"experiment {experiment_id} is in the trash")


@experiments.command()
@click.option("-x", "--experiment-id", required=True, help="Its id.")
@with_tracking_uri
def restore(experiment_id: str, tracking_uri: str | None) -> None:
    """Take an experiment, and the runs deleted with it, out of the trash."""
    from millstream.operations import RestoreExperiment

    with tracking_store(tracking_uri) as store:
        store.execute(RestoreExperiment(experiment_id))
    say(f"experiment {experiment_id} is restored")


@experiments.command()
@click.option("-x", "--experiment-id", required=True, help="Its id.")
@click.option("--new-name", required=True, help="The name it gets.")
@with_tracking_uri
def rename(experiment_id: str, new_name: str, tracking_uri: str | None) -> None:
    """Give an experiment another name."""
    from millstream.operations import UpdateExperiment

    with tracking_store(tracking_uri) as store:
        store.execute(UpdateExperiment(experiment_id, new_name))
    say(f"experiment {experiment_id} is called '{new_name}' now")


@experiments.command()
@click.option("-x", "--experiment-id", required=True, help="Its id.")
@click.option("-o", "--filename", metavar="FILE", help="The file to write; stdout unless given.")
@with_tracking_uri
def csv(experiment_id: str, filename: str | None, tracking_uri: str | None) -> None:
    """Write all runs of an experiment as CSV, the columns as search_runs() names them."""
    with tracking_store(tracking_uri) as store:
        if filename is None:
            _write_csv(store, experiment_id, sys.stdout)
            return
        try:
            with open(filename, "w", encoding="utf-8", newline="") as file:
                count = _write_csv(store, experiment_id, file)
        except OSError as error:
            raise InvalidValue(f"cannot write {filename}: {error.strerror}",
                               hint="name a file in a folder that is there") from None
    say(f"{count:,} runs of experiment {experiment_id} are in {filename}")


def _write_csv(store: Store, experiment_id: str, file: Any) -> int:
    import csv as table
    from datetime import datetime, timezone

    from millstream.operations import GetExperiment
    from millstream.tracking.columns import INFO_COLUMNS

    store.execute(GetExperiment(experiment_id))  # one that is not there is an error, not an empty file
    runs = list(all_runs(store, experiment_id))
    # pandas shows the milliseconds of a column of times where any of them has some.
    exact = {name: any((getattr(run.info, name) or 0) % 1000 for run in runs) for name in ("start_time", "end_time")}

    def shown(name: str, value: Any) -> str:
        if value is None:
            return ""
        if name not in exact:
            return str(value)
        moment = datetime.fromtimestamp(value // 1000, timezone.utc)
        return moment.strftime(f"%Y-%m-%d %H:%M:%S{f'.{value % 1000:03}' if exact[name] else ''}+00:00")

    columns: dict[tuple[str, str], None] = {}
    for kind in ("metrics", "params", "tags"):
        for run in runs:
            columns.update(dict.fromkeys((kind, key) for key in getattr(run.data, kind)))
    writer = table.writer(file, lineterminator="\n")
    writer.writerow([*INFO_COLUMNS, *(f"{kind}.{key}" for kind, key in columns)])
    for run in runs:
        data = {kind: getattr(run.data, kind) for kind in ("metrics", "params", "tags")}
        values = [data[kind].get(key, "") for kind, key in columns]
        writer.writerow([
            *(shown(name, getattr(run.info, name)) for name in INFO_COLUMNS),
            *("" if value != value else value for value in values),
        ])
    return len(runs)


def all_runs(store: Store, experiment_id: str, view: str = "ACTIVE_ONLY", filter_string: str | None = None) -> Any:
    """Every run of an experiment that the filter takes, newest first, page by page."""
    from millstream.operations import SearchRuns
    from millstream.operations.paging import pages

    for page in pages(store.execute, SearchRuns([experiment_id], filter_string, view, _PAGE)):
        yield from page.runs
