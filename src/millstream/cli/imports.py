"""``millstream import``: what other systems have stored is brought in."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.output import bytes_text, say, show_table, tracking_store, with_json, with_tracking_uri
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.interop.report import Report
    from millstream.interop.source import Source

_SHOWN = 20


@click.group("import")
def import_() -> None:
    """Bring in what another system has stored."""


@import_.command()
@click.argument("source")
@click.option("--artifacts", type=click.Choice(["copy", "link", "none"]), default="copy", show_default=True,
              help="Copy files into the places of this store and compare their SHA-256; leave them where they lie, and "
              "point there; or leave them out.")
@click.option("--artifacts-destination", metavar="URI",
              help="Where the source's server kept what it proxied (mlflow-artifacts:/…); for a database as source.")
@click.option("--overwrite", is_flag=True, help="Where both sides say something about a run that is over, take the "
              "source's word.")
@with_json
@with_tracking_uri
def mlflow(
    source: str, artifacts: str, artifacts_destination: str | None, overwrite: bool, as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Bring in what MLflow has stored at SOURCE.

    SOURCE is a database (sqlite:///mlflow.db or a .db file, postgresql://…), a folder mlruns, or the address of a
    tracking server. It is only read. An import that was stopped goes on when it is started again, and one that is
    repeated brings what is new. At the end both sides are counted and compared; status 1 says that they differ.
    """
    from millstream.interop.importing import Artifacts, Import

    with ExitStack() as opened:
        origin = opened.enter_context(open_source(source, artifacts_destination))
        store = opened.enter_context(tracking_store(tracking_uri))
        report = Import(
            origin, store, artifacts=Artifacts(artifacts), overwrite=overwrite,
            progress=opened.enter_context(_Progress(origin.count_runs())),
        ).run()
    if as_json:
        print(report.to_json())
    else:
        _show(report)
    if report.differences:
        sys.exit(1)


def open_source(source: str, artifacts_destination: str | None = None) -> Source:
    """The source that a path or URI names. Raises InvalidValue for one that is none."""
    from millstream.stores.opening import folder_of, scheme_of

    scheme = scheme_of(source)
    if scheme in ("http", "https", "databricks"):
        from millstream.interop.server import ServerSource
        from millstream.stores import open_store

        return ServerSource(open_store(source))
    if scheme.partition("+")[0] in ("sqlite", "postgresql", "postgres"):
        from millstream.interop.database import DatabaseSource

        return DatabaseSource(source, artifacts_destination)
    if scheme not in ("", "file"):
        raise InvalidValue(f"{source!r} names no source that can be imported",
                           hint="name sqlite:///mlflow.db, postgresql://…, a folder mlruns, or http(s)://…")
    path = folder_of(source)
    if path.is_file():
        from millstream.interop.database import DatabaseSource

        return DatabaseSource(f"sqlite:///{path}", artifacts_destination)
    from millstream.interop.mlruns import FolderSource, holds_file_store

    if not holds_file_store(path):
        # People name the folder that holds what they mean.
        inside = [path / name for name in ("mlruns", "mlflow.db")]
        found = [place for place in inside if place.is_file() or holds_file_store(place)]
        if found:
            raise InvalidValue(f"{str(path)!r} is no store of MLflow", hint=f"did you mean {str(found[0])!r}?")
    return FolderSource(path)


class _Progress:
    """A bar of runs and running figures on stderr, in a terminal; silent otherwise."""

    def __init__(self, runs: int | None) -> None:
        self._runs = runs
        self._done = {"runs": 0, "points": 0, "bytes": 0}
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"),
                TimeElapsedColumn(), console=Console(file=sys.stderr), transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("importing", total=self._runs, figures="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, kind: str, amount: int) -> None:
        if kind in self._done:
            self._done[kind] += amount
        if self._bar is not None:
            figures = f"{self._done['runs']:,} runs, {self._done['points']:,} points, {bytes_text(self._done['bytes'])}"
            self._bar.update(self._task, completed=self._done["runs"], figures=figures)


def _show(report: Report) -> None:
    show_table(["", "source", "here"], [
        [kind, f"{line.source:,}", f"{line.here:,}"] for kind, line in report.counts.items()
    ], right=["source", "here"])
    for note in report.notes:
        say(f"note: {note}")
    for difference in report.differences[:_SHOWN]:
        say(f"differs: {difference}")
    more = len(report.differences) - _SHOWN + report.unnamed
    if more > 0:
        say(f"differs: {more:,} more; `--json` names them")
    if report.differences:
        say(f"\nerror: {report.destination} differs from {report.source}\n\nhint: run the import again to bring what "
            "is missing; `--overwrite` takes the source's word where both say something")
    else:
        say(f"all of {report.source} is in {report.destination}; it took {report.seconds:,.1f} s")
