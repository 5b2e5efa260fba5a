"""``millstream runs``: with MLflow's flags, and what it lacks: moving and comparing runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.experiments import all_runs
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
    from millstream.entities import Run

_run_id = click.option("--run-id", required=True, help="Its id.")


@click.group()
def runs() -> None:
    """List, show, compare, create, move, delete and restore runs."""


@runs.command("list")
@click.option("-x", "--experiment-id", required=True, help="The experiment whose runs to show.")
@click.option("--filter", "filter_string", metavar="TEXT", help="A filter such as \"metrics.loss < 0.1\".")
@with_view
@with_json
@with_tracking_uri
def list_runs(
    experiment_id: str, filter_string: str | None, view: str, as_json: bool, tracking_uri: str | None
) -> None:
    """List the runs of an experiment, newest first."""
    from millstream.operations import GetExperiment

    with tracking_store(tracking_uri) as store:
        store.execute(GetExperiment(experiment_id))
        found = list(all_runs(store, experiment_id, VIEWS[view.lower()], filter_string))
    if as_json:
        show_json([run.to_dictionary() for run in found])
        return
    show_table(["Date", "Name", "ID", "Status"], (
        [time_text(run.info.start_time), run.info.run_name,
         run.info.run_id, run.info.status + (" (deleted)" if run.info.lifecycle_stage == "deleted" else "")]
        for run in found
    ))


@runs.command()
@_run_id
@with_json
@with_tracking_uri
def describe(run_id: str, as_json: bool, tracking_uri: str | None) -> None:
    """Show all that is known of a run: as tables in a terminal, else as JSON."""
    from millstream.operations import GetRun

    with tracking_store(tracking_uri) as store:
        run = store.execute(GetRun(run_id)).run
    if as_json or not sys.stdout.isatty():
        show_json(run.to_dictionary())
        return
    _show_sections({"": _info(run), "Metrics": run.data.metrics, "Parameters": run.data.params, "Tags": run.data.tags,
                    "Datasets": {used.dataset.name: used.dataset.digest for used in run.inputs.dataset_inputs},
                    "Input models": {model.model_id: "" for model in run.inputs.model_inputs},
                    "Output models": {made.model_id: f"step {made.step}" for made in run.outputs.model_outputs}})


def _info(run: Run) -> dict[str, object]:
    info = run.info
    return {
        "Run": info.run_id, "Name": info.run_name, "Experiment": info.experiment_id, "Status": info.status,
        "User": info.user_id, "Started": time_text(info.start_time), "Ended": time_text(info.end_time),
        "Stage": info.lifecycle_stage, "Artifacts": info.artifact_uri,
    }


def _show_sections(sections: dict[str, Any]) -> None:
    for title, facts in sections.items():
        if facts:
            show_table([title, ""], list(facts.items()))


@runs.command()
@click.option("--run-id", "run_ids", multiple=True, help="A run to compare; name two or more.")
@click.option("--all", "everything", is_flag=True, help="Show what is equal in all of them, too.")
@with_json
@with_tracking_uri
def compare(run_ids: tuple[str, ...], everything: bool, as_json: bool, tracking_uri: str | None) -> None:
    """Show where runs differ: a column a run, a row for each metric, parameter and tag."""
    from millstream.operations import GetRun

    if len(run_ids) < 2:
        raise click.UsageError("name two or more runs, each with --run-id")
    with tracking_store(tracking_uri) as store:
        found = [store.execute(GetRun(run_id)).run for run_id in run_ids]
    rows = []
    for kind in ("metrics", "params", "tags"):
        data = [getattr(run.data, kind) for run in found]
        for key in sorted({key for one in data for key in one}):
            values = [one.get(key) for one in data]
            if everything or len({repr(value) for value in values}) > 1:
                rows.append((f"{kind}.{key}", values))
    if as_json:
        show_json([{"key": key, "values": dict(zip(run_ids, values, strict=True))} for key, values in rows])
        return
    show_table(["", *(run.info.run_name or run.info.run_id for run in found)], [
        ["run_id", *run_ids], ["status", *(run.info.status for run in found)], *([key, *values] for key, values in rows)
    ])


@runs.command()
@click.option("--experiment-id", help="The experiment it belongs to, by id.")
@click.option("--experiment-name", help="The experiment it belongs to, by name; made if it is not there.")
@click.option("--run-name", help="Its name; a readable one is made up unless given.")
@click.option("--description", help="A longer text about it.")
@click.option("-t", "--tags", metavar="KEY=VALUE", multiple=True, help="A tag; may be given several times.")
@click.option("--status", type=click.Choice(["FINISHED", "FAILED", "KILLED"], case_sensitive=False), default="FINISHED",
              show_default=True, help="The status it ends with.")
@click.option("--parent-run-id", help="The run that it belongs under.")
@with_tracking_uri
def create(
    experiment_id: str | None, experiment_name: str | None, run_name: str | None, description: str | None,
    tags: tuple[str, ...], status: str, parent_run_id: str | None, tracking_uri: str | None,
) -> None:
    """Create a run and end it at once, to note something that was done elsewhere."""
    import getpass
    import time

    from millstream.entities import RunTag
    from millstream.errors import ExperimentNotFound
    from millstream.operations import CreateExperiment, CreateRun, GetExperimentByName, GetRun, UpdateRun

    if (experiment_id is None) == (experiment_name is None):
        raise click.UsageError("name the experiment by --experiment-id or by --experiment-name, not both")
    pairs = dict(_pair(text) for text in tags)
    user = getpass.getuser()
    pairs |= {"mlflow.user": user, "mlflow.source.type": "LOCAL", "mlflow.source.name": "millstream runs create"}
    if description:
        pairs["mlflow.note.content"] = description
    with tracking_store(tracking_uri) as store:
        if experiment_name is not None:
            try:
                experiment_id = store.execute(GetExperimentByName(experiment_name)).experiment.experiment_id
            except ExperimentNotFound:
                experiment_id = store.execute(CreateExperiment(experiment_name)).experiment_id
        if parent_run_id is not None:
            store.execute(GetRun(parent_run_id))
            pairs["mlflow.parentRunId"] = parent_run_id
        made = store.execute(CreateRun(
            str(experiment_id), user, run_name, tags=[RunTag(key, value) for key, value in pairs.items()]
        )).run.info
        info = store.execute(UpdateRun(made.run_id, status.upper(), int(time.time() * 1000))).run_info
    show_json({"run_id": info.run_id, "experiment_id": info.experiment_id, "status": info.status,
               "run_name": info.run_name})


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidValue.of("--tags", text, "a tag is written KEY=VALUE")
    return key, value


@runs.command()
@_run_id
@with_tracking_uri
def delete(run_id: str, tracking_uri: str | None) -> None:
    """Move a run to the trash; `restore` takes it out, `millstream gc` empties it."""
    from millstream.operations import DeleteRun

    with tracking_store(tracking_uri) as store:
        store.execute(DeleteRun(run_id))
    say(f"run {run_id} is in the trash")


@runs.command()
@_run_id
@with_tracking_uri
def restore(run_id: str, tracking_uri: str | None) -> None:
    """Take a run out of the trash."""
    from millstream.operations import RestoreRun

    with tracking_store(tracking_uri) as store:
        store.execute(RestoreRun(run_id))
    say(f"run {run_id} is restored")


@runs.command()
@click.option("--run-id", "run_ids", multiple=True, required=True, help="A run to move; may be given several times.")
@click.option("-x", "--experiment-id", required=True, help="The experiment they belong to then.")
@with_tracking_uri
def move(run_ids: tuple[str, ...], experiment_id: str, tracking_uri: str | None) -> None:
    """Move runs with all they hold to another experiment; their artifacts stay where they lie."""
    from millstream.operations import MoveRuns

    with tracking_store(tracking_uri) as store:
        moved = store.execute(MoveRuns(list(run_ids), experiment_id)).moved
    say(f"{moved} of {len(run_ids)} runs were moved to experiment {experiment_id}")
