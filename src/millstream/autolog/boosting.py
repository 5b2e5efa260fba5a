"""What the logs of XGBoost, LightGBM and CatBoost have in common: their data, the metrics of each round, the importance
of features, and estimators that call their library's own ``train`` inside ``fit``."""

from __future__ import annotations

import contextlib
import inspect
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from millstream.autolog.patching import Call, Patches
from millstream.autolog.sklearn import afterwards
from millstream.autolog.training import Training, first_rows

if TYPE_CHECKING:
    from millstream.data import Dataset


Body: TypeAlias = Generator[None, Any, Any]


class _Source:
    """What a matrix was made from, as long as the program keeps it, and its first rows."""

    def __init__(self, matrix: Any, gone: Callable[[Any], Any], data: Any, label: Any) -> None:
        self.matrix = weakref.ref(matrix, gone)
        self.data = _reference(data)
        self.label = _reference(label)
        self.example = rows_of(data)


def rows_of(data: Any) -> Any:
    """The first rows of data; those of lists as an array, which is how the libraries take them."""
    rows = first_rows(data)
    if not isinstance(rows, list):
        return rows
    if rows and getattr(rows[0], "ndim", 1) == 2:  # the data in pieces, as LightGBM takes them
        return first_rows(rows[0])
    import numpy

    array = numpy.asarray(rows)
    return array if array.dtype != object else None


def _reference(value: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(value)
    except TypeError:  # lists and the like
        return lambda: None


# By the id of the matrix: a Pool of CatBoost has no hash.
_sources: dict[int, _Source] = {}


def note_data(call: Call) -> Generator[None, Any, None]:
    """Note what a ``DMatrix``, ``Dataset`` or ``Pool`` is made from: the library keeps only what it needs of it."""
    yield
    key = id(call.instance)
    _sources[key] = _Source(
        call.instance, lambda _: _sources.pop(key, None), call.argument("data"), call.argument("label")
    )


def _source_of(matrix: Any) -> _Source | None:
    source = _sources.get(id(matrix))
    return source if source is not None and source.matrix() is matrix else None


def data_of(matrix: Any) -> tuple[Any, Any]:
    """The data and the labels that a matrix was made from; None where the program has dropped them."""
    source = _source_of(matrix)
    return (source.data(), source.label()) if source is not None else (None, None)


def example_of(matrix: Any) -> Any:
    """The first rows of the data that a matrix was made from; None when they were not seen."""
    source = _source_of(matrix)
    return source.example if source is not None else None


class Rounds:
    """The metrics of a training round by round: by evaluation set and metric, as ``<set>-<metric>``.

    ``datasets`` are those that the sets are made of, by the names of the sets.
    """

    def __init__(self, training: Training, datasets: Mapping[str, Dataset | None]) -> None:
        self.training = training
        self.datasets = datasets
        self.seen: list[Mapping[str, Mapping[str, float]]] = []
        self._last = -1

    def log(self, results: Mapping[str, Mapping[str, float]], step: int) -> None:
        """Log what was measured after the round ``step``."""
        self.seen.append(results)
        self._last = step
        self._log(results, step)

    def log_best(self, index: int, *, best: int, stopped: int) -> None:
        """Log that the training stopped early: its best round, the one it stopped at, as the library counts, and the
        metrics of the best, the ``index``-th that was seen, as one more round."""
        self.training.log_metrics({"stopped_iteration": stopped, "best_iteration": best})
        if 0 <= index < len(self.seen):
            self._log(self.seen[index], self._last + 1)

    def _log(self, results: Mapping[str, Mapping[str, float]], step: int) -> None:
        for name, values in results.items():
            points = {f"{name}-{metric}".replace("@", "_at_"): value for metric, value in values.items()}
            self.training.log_metrics(points, step, dataset=self.datasets.get(name))


def add_callback(call: Call, callback: Any) -> None:
    """Let ``callback`` go along with those of the caller, whose own list stays as it is.

    It goes first: XGBoost does not ask those behind one that stops the training.
    """
    callbacks = [callback, *(call.argument("callbacks") or ())]
    place = list(inspect.signature(call.original).parameters).index("callbacks")
    if place < len(call.args):
        call.args = (*call.args[:place], callbacks, *call.args[place + 1 :])
    else:
        call.kwargs["callbacks"] = callbacks


def log_importance(training: Training, kind: str, importance: Mapping[str, Any]) -> None:
    """Log the importance of each feature as ``feature_importance_<kind>.json`` and as bars in a ``.png``."""
    training.log_dict(dict(importance), f"feature_importance_{kind}.json")
    numbers = {name: float(value) for name, value in importance.items() if isinstance(value, (int, float))}
    with training.safely(f"feature_importance_{kind}.png"):
        from millstream.autolog import drawing

        if numbers and drawing.is_available():
            picture = drawing.bars(numbers, title=f"Feature importance ({kind})", across="importance")
            training.log_bytes(picture, f"feature_importance_{kind}.png")


class Estimators:
    """Estimators whose ``fit`` calls the library's ``train``: the call inside logs into the training around it."""

    def __init__(self) -> None:
        self._local = threading.local()

    def patch(
        self, patches: Patches, library: Any, names: Iterable[str], fit: Callable[[Training], Body],
        rounds: Callable[[Call, Training], Body],
    ) -> None:
        """Patch those of a library's estimators that it has: their ``fit``, predictions and ``score``.

        The library's own ``train`` inside ``fit`` is accompanied by ``rounds``, which logs into the training around it.
        """

        def inside(call: Call) -> Body:
            training = self.around()
            if training is None:
                yield
            else:
                yield from rounds(call, training)

        if hasattr(library.sklearn, "train"):
            patches.watch(library.sklearn, "train", inside, nested=True)
        for name in names:
            estimator = getattr(library, name, None)
            if estimator is None:  # without scikit-learn there are none
                continue
            if "fit" in vars(estimator):
                patches.train(estimator, "fit", fit, own_calls=False)
            for method in ("predict", "predict_proba"):
                if method in vars(estimator):
                    patches.watch(estimator, method, afterwards.prediction, own_calls=False)
            if hasattr(estimator, "score"):
                patches.watch(estimator, "score", afterwards.score, own_calls=False)

    @contextlib.contextmanager
    def fitting(self, training: Training) -> Iterator[None]:
        """While an estimator is fitted in this thread."""
        before = self.around()
        self._local.training = training
        try:
            yield
        finally:
            self._local.training = before

    def around(self) -> Training | None:
        """The training around a call in this thread; None when the estimator's is not logged."""
        found: Training | None = getattr(self._local, "training", None)
        return found


def names_of(sets: Sequence[Any], names: Sequence[str] | None) -> list[str | None]:
    """A name, or None, for each evaluation set."""
    listed: list[str | None] = list(names or ())
    return [*listed, *[None] * len(sets)][: len(sets)]
