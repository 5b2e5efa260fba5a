"""What commands share: where data and words go, tables, times, and the store that a command works on.

Data goes to stdout, as a table for people or as JSON for programs; words go to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import click

from millstream import settings

if TYPE_CHECKING:
    from millstream.stores.contract import Store

F = TypeVar("F", bound=Callable[..., Any])

_WIDE = 10_000  # what is piped is not wrapped


def with_tracking_uri(command: F) -> F:
    """The option that names the store a command works on."""
    return click.option(
        "--tracking-uri", metavar="URI",
        help=f"Where runs are kept.  [default: {settings.TRACKING_URI.variables[0]}, or ./mlruns]",
    )(command)


def with_json(command: F) -> F:
    """The option that asks for JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextlib.contextmanager
def tracking_store(uri: str | None) -> Iterator[Store]:
    """The store of ``uri``, or of the settings; closed at the end."""
    from millstream.stores import open_store
    from millstream.tracking.stores import get_tracking_uri

    with open_store(uri or get_tracking_uri()) as store:
        yield store


def show_json(value: Any) -> None:
    """Print builtins and structs as JSON."""
    import msgspec

    print(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print a table; columns named in ``right`` hold numbers. Readable without colour, whole when it is piped."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if terminal else None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console(file=sys.stdout, width=None if terminal else _WIDE, highlight=False, soft_wrap=not terminal).print(table)


def say(message: str) -> None:
    """Tell people something, on stderr."""
    print(message, file=sys.stderr)


def warn(message: str) -> None:
    """Tell people of something that may surprise them."""
    say(f"warning: {message}")


def time_text(milliseconds: int | None) -> str:
    """A time in UTC as people read it; empty for none."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def bytes_text(count: int) -> str:
    """A number of bytes as people read it."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count:,} B" if unit == "B" else f"{size:,.1f} {unit}"


VIEWS = {"active_only": "ACTIVE_ONLY", "deleted_only": "DELETED_ONLY", "all": "ALL"}


def with_view(command: F) -> F:
    """The option that says which life-cycle stages are shown."""
    return click.option(
        "-v", "--view", type=click.Choice(list(VIEWS), case_sensitive=False), default="active_only", show_default=True,
        help="Which of them to show: there, in the trash, or both.",
    )(command)
