"""Lists that come in pages, read to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import msgspec

from millstream.operations.table import Operation


class Page(Protocol):
    """An answer that may have a next one."""

    @property
    def next_page_token(self) -> str | None: ...


P = TypeVar("P", bound=Page)


def pages(execute: Callable[[Any], Any], operation: Operation[P]) -> Iterator[P]:
    """The pages of what ``operation`` lists, from its ``page_token`` on, each asked for when it is wanted.

    ``execute`` carries out an operation: the method of a store. Raises what it raises.
    """
    while True:
        page: P = execute(operation)
        yield page
        if not page.next_page_token:
            return
        operation = msgspec.structs.replace(operation, page_token=page.next_page_token)
