"""``millstream batch``: models over data, now or at their times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import click

from millstream.cli.output import say, show_json, show_table, with_json, with_tracking_uri
from millstream.cli.params import params_of

F = TypeVar("F", bound=Callable[..., Any])


def _with_job(command: F) -> F:
    for option in reversed([
        click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path)),
        click.option("--name", help="What the job is called; no two of one name run at once.  [default: from FILE]"),
        click.option("--model-uri", "-m", metavar="URI", help="The model: models:/NAME@ALIAS, a folder, runs:/…"),
        click.option("--input", "-i", "inputs", metavar="PLACE", multiple=True,
                     help="Files, a folder, a pattern in quotes, or delta:TABLE; may be repeated."),
        click.option("--output", "-o", metavar="PLACE",
                     help="A file, a folder/ that gets a file each time, or delta:TABLE."),
        click.option("--mode", type=click.Choice(["append", "overwrite"]), help="How a Delta table is written.  "
                     "[default: append]"),
        click.option("--keep", metavar="COLUMNS", help="Columns of the input to write beside, separated by commas."),
        click.option("--params", metavar="JSON", help="Parameters of the model."),
        click.option("--env-manager", type=click.Choice(["local", "uv", "virtualenv", "conda"]),
                     help="Where the model runs: here, or in an environment of what it needs.  [default: local]"),
        click.option("--experiment-name", metavar="NAME", help="Where the runs of the job are kept."),
        with_tracking_uri,
        with_json,
    ]):
        command = option(command)
    return command


@click.group()
def batch() -> None:
    """Let models predict data in batches; each execution is a run that says what it read and wrote.

    A job is a YAML FILE with name, model, input, output and, if need be, keep, params, mode, env_manager, experiment,
    schedule and timezone; options take the place of what it says.
    """


@batch.command()
@_with_job
@click.option("--due", metavar="TIME", help="The time that it is for, such as 2026-01-31T02:15:00Z: a Delta table gets "
              "what is due at one time once.  [default: now]")
def run(due: str | None, as_json: bool, **given: Any) -> None:
    """Execute a job now."""
    from millstream.inference.batch import execute

    job = _job(given, None, None)
    execution = execute(job, None if due is None else _time(due))
    _show([execution], as_json)


@batch.command()
@_with_job
@click.option("--cron", metavar="EXPRESSION", help='When: "15 2 * * *" is a quarter past two each day.')
@click.option("--timezone", "zone", metavar="NAME", help="The time zone of it.  [default: UTC]")
@click.option("--once", is_flag=True, help="Execute what is due and not done yet, and end: for cron and Kubernetes.")
@click.option("--catch-up", type=click.Choice(["latest", "all"]), default="latest", show_default=True,
              help="Which of the times that were missed are caught up.")
def schedule(
    cron: str | None, zone: str | None, once: bool, catch_up: str, as_json: bool, **given: Any
) -> None:
    """Execute a job at its times, until it is stopped.

    The runs of the job are its memory: whoever starts it again goes on after what they say is done.
    """
    from millstream.inference.batch import following
    from millstream.inference.job import stopped_by_signals

    job = _job(given, cron, zone)
    everything = catch_up == "all"
    with stopped_by_signals():
        if not once:
            say(f"{job.name} is executed at its times; Ctrl-C ends that")
            following.follow(job, everything=everything, told=lambda execution: _show([execution], as_json))
            return
        done = following.catch_up(job, everything=everything)
    if not done:
        say(f"{job.name}: nothing is due")
    _show(done, as_json)


def _job(given: dict[str, Any], cron: str | None, zone: str | None) -> Any:
    from millstream.errors import InvalidValue
    from millstream.inference.batch.jobs import BatchJob, read_job
    from millstream.tracking.stores import set_tracking_uri

    if given["tracking_uri"]:
        set_tracking_uri(given["tracking_uri"])
    keep, params = given["keep"], given["params"]
    asked = {
        "name": given["name"], "model": given["model_uri"], "input": given["inputs"] or None, "output": given["output"],
        "mode": given["mode"], "keep": None if keep is None else tuple(filter(None, keep.split(","))),
        "params": params_of(params), "env_manager": given["env_manager"],
        "experiment": given["experiment_name"], "schedule": cron, "timezone": zone,
    }
    if given["file"] is not None:
        return read_job(given["file"], **asked)
    if lacking := [name for name in ("name", "model", "input", "output") if not asked[name]]:
        raise InvalidValue(f"the job has no {lacking[0]}", hint="name a FILE that says it, or give --name, -m, -i, -o")
    return BatchJob(**{name: value for name, value in asked.items() if value is not None})


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time", param_hint="--due") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _show(executions: list[Any], as_json: bool) -> None:
    if as_json:
        show_json([{
            "run_id": one.run_id, "model_uri": one.model_uri, "rows": one.rows, "output": one.output,
            "output_version": one.output_version, "due": f"{one.due:%Y-%m-%dT%H:%M:%SZ}",
        } for one in executions])
    elif executions:
        show_table(["Due", "Run", "Model", "Rows", "Output", "Version"], [
            [f"{one.due:%Y-%m-%d %H:%M} UTC", one.run_id, one.model_uri, f"{one.rows:,}", one.output,
             one.output_version] for one in executions
        ], right=["Rows", "Version"])
