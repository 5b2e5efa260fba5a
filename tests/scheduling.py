"""Which tests run in the same one of pytest's workers.

Those of a file do, so that what a module sets up (a database, a server, a fitted model) is set up once; and those of
all files about TensorFlow, torch or Spark, as each costs seconds to import or start and half a gigabyte to keep.
"""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling

# A word in a file's name → the group that its tests belong to.
GROUPS = {
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "torch": "torch",
    "lightning": "torch",
    "spark": "spark",
    # One browser at a time.
    "browser": "browser",
}
# Minutes long, and each of its tests stands alone.
SPREAD = {"tests/e2e/test_mlflow_clients.py"}


def group_of(nodeid: str) -> str:
    """What the test ``nodeid`` shares a worker with: the tests for which this is the same."""
    file = nodeid.split("::", 1)[0]
    name = file.rpartition("/")[2]
    found = {group for word, group in GROUPS.items() if word in name}
    if found:
        return min(found)
    return nodeid if file in SPREAD else file


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist publishes no types
    """The largest group goes first, each to the worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
