"""What runs on Spark's executors: a model is loaded once in each of their Python processes, and scores each batch."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.environments.building import Built
from millstream.errors import EnvironmentFailed
from millstream.inference.scoring_process import Order, ScoringProcess, type_from
from millstream.models import trust

if TYPE_CHECKING:
    import pyarrow

    Score = Callable[[Sequence[pyarrow.Array]], pyarrow.Array]

__all__ = ["Place", "Scoring", "score"]

KEPT = 16  # models that a process keeps; those of one query have to fit


@dataclass(frozen=True)
class Place:
    """A folder: its path where all see the same disk, else the name of the archive that Spark has unpacked.

    ``content`` tells one content at the same path from another.
    """

    path: str | None = None
    archive: str | None = None
    content: str = ""

    def find(self) -> Path:
        """The folder on this machine. Raises EnvironmentFailed when Spark has not brought it."""
        if self.path is not None:
            return Path(self.path)
        from pyspark import SparkFiles

        assert self.archive is not None
        for root in (SparkFiles.getRootDirectory(), os.getcwd()):
            if (found := Path(root, self.archive)).is_dir():
                return found
        raise EnvironmentFailed(f"Spark has not brought {self.archive} to this executor",
                                hint="look at the executor's log for the archive that it fetched")


@dataclass(frozen=True)
class Scoring:
    """What executors are told of a model: two are the same when their ``key`` is.

    ``environment`` is None for the Python that Spark runs, else an environment, or an archive with one in it.
    """

    key: str
    model: Place = field(compare=False)
    order: Order = field(compare=False)
    environment: Place | None = field(compare=False, default=None)
    variables: Mapping[str, str] = field(compare=False, default_factory=dict)


_scorers: OrderedDict[str, Score] = OrderedDict()
_lock = threading.Lock()


def score(scoring: Scoring, columns: Sequence[pyarrow.Array]) -> pyarrow.Array:
    """The results of a model for a batch of columns."""
    with _lock:
        scorer = _scorers.get(scoring.key)
        if scorer is None or isinstance(scorer, ScoringProcess) and not scorer.is_running:
            scorer = _scorers[scoring.key] = _made(scoring)
        _scorers.move_to_end(scoring.key)
        while len(_scorers) > KEPT:
            _, oldest = _scorers.popitem(last=False)
            if isinstance(oldest, ScoringProcess):
                oldest.close()
    return scorer(columns)


def _made(scoring: Scoring) -> Score:
    import msgspec

    folder = scoring.model.find()
    order = msgspec.structs.replace(scoring.order, folder=str(folder))
    if scoring.environment is not None:
        built = _environment(scoring.environment.find())
        held = contextlib.ExitStack()
        if scoring.environment.path is not None:  # others may remove it
            held.enter_context(built.in_use())
        return ScoringProcess(built.python, order, {**built.variables(), **scoring.variables}, held)
    from millstream.flavors.pyfunc.loading import load_model
    from millstream.inference.scoring import Scorer

    os.environ.update(scoring.variables)
    if order.trusted:
        trust.vouch(folder)
    model = load_model(folder, suppress_warnings=True, model_config=order.config)
    return Scorer(model, type_from(order.result), order.params, order.timezone)


def _environment(folder: Path) -> Built:
    """The environment in a folder: it itself, or the only one in it."""
    found = [one for one in (folder, *sorted(folder.iterdir())) if (one / "bin" / "python").exists()]
    if not found:
        raise EnvironmentFailed(f"there is no environment in {folder}",
                                hint="build_model_env() makes an archive of one, for this kind of machine")
    return Built(found[0], "", (), 0.0, 0.0)
