"""Stores keep metadata: experiments, runs, metrics, models. See :class:`Store` for what every one of them promises."""

from millstream.stores.contract import Store
from millstream.stores.opening import open_store

__all__ = ["Store", "open_store"]
