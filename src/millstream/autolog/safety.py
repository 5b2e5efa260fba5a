"""What goes wrong in our part of a training stays there: one line in the log, and the training goes on."""

from __future__ import annotations

import logging
import threading
import warnings
from types import TracebackType
from typing import Any

from millstream.stores.http import PATIENCE

logger = logging.getLogger("millstream")

_PATIENCE_SECONDS = 3.0
_REASON_LENGTH = 500


class Safely:
    """A block of ours inside somebody's training: an error becomes one warning in the log, and is not raised.

    ``what`` ends the sentence "autologging of <library> misses …". ``told`` remembers what was told before, so that
    a callback that fails ten thousand times says so once; ``silent`` makes it a debug message. KeyboardInterrupt and
    SystemExit pass. Warnings of libraries in the block are ours, and not shown. A silent server is not asked for long.
    ``failed`` says what happened.
    """

    __slots__ = ("_before", "_patience", "failed", "library", "silent", "told", "what")

    def __init__(self, library: str, what: str, *, silent: bool = False, told: set[str] | None = None) -> None:
        self.library = library
        self.what = what
        self.silent = silent
        self.told = told
        self.failed = False

    def __enter__(self) -> Safely:
        ident = threading.get_ident()
        self._before = ident in _ours
        _ours.add(ident)
        self._patience = PATIENCE.set(_PATIENCE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not self._before:
            _ours.discard(threading.get_ident())
        PATIENCE.reset(self._patience)
        if error is None or not isinstance(error, Exception):
            return False
        self.failed = True
        again = self.told is not None and self.what in self.told
        if self.told is not None:
            self.told.add(self.what)
        level = logging.DEBUG if self.silent or again else logging.WARNING
        reason = next(iter(str(error).splitlines()), "")[:_REASON_LENGTH]
        logger.log(level, "autologging of %s misses %s: %s: %s", self.library, self.what, type(error).__name__, reason)
        logger.debug("where autologging of %s failed", self.library, exc_info=error)
        return True


# The threads that are in a part of ours just now.
_ours: set[int] = set()


_BEFORE = "_shown_before_millstream"


def hide_our_warnings() -> None:
    """Keep warnings that arise in our part from being shown as if the training had caused them.

    ``warnings.catch_warnings`` would not do: it changes the filters of all threads, and two that leave it in another
    order than they entered it leave them changed for good.
    """
    before = warnings.showwarning
    if hasattr(before, _BEFORE):
        return

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if threading.get_ident() in _ours:
            logger.debug("a warning while autologging: %s: %s", category.__name__, message)
        else:
            before(message, category, filename, lineno, file, line)

    setattr(show, _BEFORE, before)
    warnings.showwarning = show


def show_our_warnings() -> None:
    """Let warnings be shown as before."""
    warnings.showwarning = getattr(warnings.showwarning, _BEFORE, warnings.showwarning)
