"""``millstream rerun``: a run done again, and what came out of it beside what it was."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from millstream.cli.output import say, show_json, show_table, with_json, with_tracking_uri

if TYPE_CHECKING:
    from millstream.projects.reruns.comparing import Comparison, Row

DIFFERENT = 3  # 1 is an error, 2 a command that was typed wrongly

_DIGEST = 12  # digits of a digest that are shown


@click.command("rerun")
@click.argument("run_id", metavar="RUN")
@click.argument("arguments", nargs=-1)
@click.option("--tolerance", type=click.FloatRange(0), default=0.0, show_default=True, metavar="NUMBER",
              help="Metrics a and b count as equal when they differ by NUMBER · max(1, |a|, |b|) at the most.")
@click.option("--ignore", metavar="PATTERN", multiple=True,
              help="Names of metrics, parameters, data sets and artifacts that do not count, such as '*seconds'.")
@click.option("--env-manager", type=click.Choice(["local", "virtualenv", "uv", "conda"]), default=None,
              help="local runs it in this environment.  [default: the project's, or the packages that it recorded]")
@click.option("--all", "everything", is_flag=True, help="Show what is equal, too.")
@with_json
@with_tracking_uri
def rerun(
    run_id: str, arguments: tuple[str, ...], tolerance: float, ignore: tuple[str, ...], env_manager: str | None,
    everything: bool, as_json: bool, tracking_uri: str | None,
) -> None:
    """Run the run RUN again and compare.

    Its code, environment, data and parameters are rebuilt from what was recorded; what is missing is an error before
    anything runs. ARGUMENTS, behind --, replace those of a script. The output of the program goes to stderr. Status 0
    says that all is equal, 3 that something differs.
    """
    from millstream.projects.reruns.running import rerun as run_again
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    with contextlib.redirect_stdout(sys.stderr):
        found = run_again(
            run_id, tolerance=tolerance, ignore=ignore, env_manager=env_manager, arguments=arguments or None)
    if as_json:
        show_json(found.to_dict())
    else:
        _show(found, everything)
    if not found.equal:
        sys.exit(DIFFERENT)


def _show(found: Comparison, everything: bool) -> None:
    for note in found.notes:
        say(f"note: {note}")
    every = [(f"{step.name}: " if step.name else "", step) for step in (*found.steps, found)]
    rows = [(f"{prefix}{row.kind} {row.name}", _text(row.before), _text(row.after), _said(row))
            for prefix, step in every for row in step.rows if everything or not row.equal]
    if rows:
        show_table(["", "Before", "After", ""], rows)
    counted = sum(len(step.rows) for _, step in every)
    differ = sum(len(step.differences) for _, step in every)
    say(f"{'equal' if found.equal else 'different'}: {differ} of {counted} differ; the new run is {found.new_run_id}")


def _said(row: Row) -> str:
    return "equal" if row.equal else row.note or "differs"


def _text(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    return text[:_DIGEST] if len(text) == 64 and set(text) <= set("0123456789abcdef") else text
