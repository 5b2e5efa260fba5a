"""A progress bar for transfers that take a while, for people only: never in a pipe, a log or a notebook's kernel."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from millstream import settings
from millstream.artifacts.contract import Advance

_WORTH_SHOWING = 16 << 20


@contextlib.contextmanager
def progress(verb: str, name: str, total: int, outer: Advance | None = None) -> Iterator[Advance]:
    """A function that is told how many more bytes have moved, of ``total``.

    It draws a bar on stderr when that is a terminal, ENABLE_ARTIFACTS_PROGRESS_BAR allows it, and the transfer is not
    tiny; with an ``outer`` function, which draws already, it only passes on.
    """
    if outer is not None:
        yield outer
        return
    if total < _WORTH_SHOWING or not sys.stderr.isatty() or not settings.ENABLE_ARTIFACTS_PROGRESS_BAR.get():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{verb} {name}", total=total)

        def advance(more: int) -> None:
            bar.advance(task, more)

        yield advance


def _ignore(more: int) -> None:
    pass
