"""Answers that cost much are kept while nothing changes, and for twenty times as long as they took."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from millstream.stores.sql.keys import Keys
from millstream.stores.sql.transaction import Transaction
from millstream.stores.sql.views.changes import state_of

V = TypeVar("V")

_KEPT = 64
_TIMES_COST = 20
# What costs less than this is made anew whenever anything has changed.
_CHEAP_SECONDS = 0.05


class _Recent:
    def __init__(self) -> None:
        self.lock = Lock()
        self.known: OrderedDict[Hashable, tuple[Any, str, float]] = OrderedDict()


_OF: WeakKeyDictionary[Keys, _Recent] = WeakKeyDictionary()


def recent(transaction: Transaction, what: Hashable, make: Callable[[], V]) -> V:
    """What ``make`` gives, now or lately; ``what`` names it within its store. It is shared, and not to be changed."""
    kept = _OF.setdefault(transaction.keys, _Recent())
    state = state_of(transaction)
    begun = time.monotonic()
    with kept.lock:
        known = kept.known.get(what)
    if known is not None and (known[1] == state or begun < known[2]):
        found: V = known[0]
        return found
    made = make()
    took = time.monotonic() - begun
    until = begun + _TIMES_COST * took if took > _CHEAP_SECONDS else 0.0
    with kept.lock:
        kept.known[what] = (made, state, until)
        kept.known.move_to_end(what)
        while len(kept.known) > _KEPT:
            kept.known.popitem(last=False)
    return made
