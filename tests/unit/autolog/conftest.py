"""A store of its own for each test, and a small library to log, which is imported and patched for real."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import millstream
from millstream.autolog import LIBRARIES, Patches, Training, autologging
from millstream.autolog.libraries import Library
from millstream.entities import Run
from millstream.tracking import recorder
from tests.isolation import isolated

BOOST = '''
"""A small library."""
import threading
from boost.training import train
from boost.metrics import error

class Model:
    def fit(self, X, y=None, *, rounds=3):
        """Fit it."""
        if rounds < 0:
            raise ValueError("no rounds")
        self.n = len(X)
        return self

    def score(self, X):
        return 1.0

    @staticmethod
    def version():
        return "1"

    @classmethod
    def made(cls, n):
        model = cls()
        model.n = n
        return model

class Deep(Model):
    def fit(self, X, y=None, *, rounds=3):
        super().fit(X, y, rounds=rounds)
        self.deep = True
        return self

class Lazy(Model):
    pass
'''
TRAINING = '''
def train(params, rounds=3, callbacks=None):
    """Train."""
    if rounds < 0:
        raise ValueError("no rounds")
    for step in range(rounds):
        for callback in callbacks or ():
            callback(step)
    return {"params": params, "rounds": rounds}
'''
METRICS = '''
def error(a, b):
    return abs(a - b)
'''


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for the store, the outbox and the working directory; every library is off after it."""
    with isolated(tmp_path, monkeypatch):
        yield tmp_path


class Boost:
    """The small library and how it is logged. ``body`` may be changed by a test; ``seen`` collects what it saw."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.train: Callable[[Training], Generator[None, Any, None]] = self.plain
        self.autolog: Callable[..., None] = lambda **_: None

    @property
    def module(self) -> Any:
        """The library, imported."""
        return importlib.import_module("boost")

    def plain(self, training: Training) -> Generator[None, Any, None]:
        training.log_params({"rounds": training.argument("rounds")})
        self.seen.append(training.name)
        result = yield
        training.log_metrics({"done": 1.0})
        self.seen.append(result)

    def around_anything(self, training: Training) -> Generator[None, Any, None]:
        """Log nothing of it."""
        yield

    def around(self, training: Training) -> Generator[None, Any, None]:
        return self.train(training)

    def install(self, patches: Patches) -> None:
        import boost  # type: ignore[import-not-found]

        patches.train(boost, "train", self.around)
        for owner in (boost.Model, boost.Deep):
            patches.train(owner, "fit", self.around)
        patches.watch(boost.Lazy, "score", self.watch)
        patches.watch(boost.Model, "version", self.watch)
        patches.watch(boost.Model, "made", self.watch)
        patches.watch(boost, "error", self.watch)
        patches.watch(boost, "not_in_this_version", self.watch)

    def watch(self, call: Any) -> Generator[None, Any, None]:
        result = yield
        self.seen.append((call.name, result))


@pytest.fixture
def boost(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Boost]:
    """The small library, not imported yet, with a line in the table of libraries."""
    folder = tracking / "lib" / "boost"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(BOOST)
    (folder / "training.py").write_text(TRAINING)
    (folder / "metrics.py").write_text(METRICS)
    monkeypatch.syspath_prepend(str(folder.parent))
    made = Boost()
    ours: Any = ModuleType("millstream.autolog.boost")
    monkeypatch.setitem(LIBRARIES, "boost", Library("boost", "boost", ours.__name__))

    @autologging("boost")
    def autolog(
        log_models: bool = True, depth: int = 2, disable: bool = False, exclusive: bool = False, silent: bool = False,
        extra_tags: dict[str, str] | None = None,
    ) -> None:
        """Log boost."""

    ours.autolog, ours.install = autolog, made.install
    made.autolog = autolog
    monkeypatch.setitem(sys.modules, ours.__name__, ours)
    yield made
    LIBRARIES["boost"].switch_off()
    for name in [name for name in sys.modules if name.partition(".")[0] == "boost"]:
        del sys.modules[name]


@pytest.fixture
def runs() -> Callable[[], list[Run]]:
    """The runs of the store, oldest first, when everything has arrived."""

    def found() -> list[Run]:
        recorder.flush()
        listed = millstream.search_runs(output_format="list", search_all_experiments=True)
        assert isinstance(listed, list)
        return sorted(listed, key=lambda run: run.info.start_time or 0)

    return found
