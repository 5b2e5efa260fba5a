"""Metrics after the training: what the program finds out about the predictions of an autologged estimator.

An estimator remembers the run that it was trained in, its predictions remember the estimator, both by weak references.
A metric is called ``<function>[-<n>]_<data>``: the n-th of its name in the run, on the variable that was predicted for.
Another variable of the same name gets a number too. ``metric_info.json`` tells how each was called.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from millstream.autolog.patching import Call
from millstream.autolog.training import Training
from millstream.tracking import artifacts, recorder

UNKNOWN = "unknown_dataset"


@dataclass
class _Trained:
    """The run of one or more trained estimators, and what was measured on them since."""

    uri: str
    run_id: str
    counts: dict[str, int] = field(default_factory=dict)
    data: dict[str, list[Callable[[], Any] | None]] = field(default_factory=dict)
    calls: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def key_of(self, function: str, dataset: str) -> str:
        """The name of the next metric of this function."""
        count = self.counts[function] = self.counts.get(function, 0) + 1
        return f"{function}_{dataset}" if count == 1 else f"{function}-{count}_{dataset}"

    def name_of(self, variable: str, data: Any) -> str:
        """The variable's name, with a number when it named other data before."""
        known = self.data.setdefault(variable, [])
        place = next((index for index, one in enumerate(known) if one is not None and one() is data), len(known))
        if place == len(known):
            known.append(_reference(data))
        return variable if place == 0 else f"{variable}-{place + 1}"


@dataclass
class _Prediction:
    result: Callable[[], Any]
    trained: _Trained
    model_id: str | None
    dataset: str


_lock = threading.Lock()
_estimators: dict[int, tuple[Callable[[], Any], _Trained, str | None]] = {}
_runs: dict[str, _Trained] = {}
_predictions: dict[int, _Prediction] = {}
_RUNS_REMEMBERED = 1_000


def remember(training: Training, estimator: Any) -> None:
    """Metrics of ``estimator`` go to the run of its training from now on."""
    if not training.settings.log_post_training_metrics:
        return
    with _lock:
        trained = _runs.get(training.run_id)
        if trained is None:
            trained = _runs[training.run_id] = _Trained(training.recorder.uri, training.run_id)
            if len(_runs) > _RUNS_REMEMBERED:
                del _runs[next(iter(_runs))]
    key = id(estimator)
    reference = _reference(estimator, lambda _: _estimators.pop(key, None))
    if reference is not None:
        _estimators[key] = (reference, trained, training.model_id)


def _trained_of(estimator: Any) -> tuple[_Trained, str | None] | None:
    found = _estimators.get(id(estimator))
    return (found[1], found[2]) if found is not None and found[0]() is estimator else None


def prediction(call: Call) -> Generator[None, Any, None]:
    """Remember which estimator made a prediction, and for what."""
    result = yield
    found = _trained_of(call.instance)
    if found is None or not call.settings.log_post_training_metrics:
        return
    trained, model_id = found
    data = _first(call)
    dataset = trained.name_of(_variable(data, _caller()) or UNKNOWN, data)
    key = id(result)
    reference = _reference(result, lambda _: _predictions.pop(key, None))
    if reference is not None:
        _predictions[key] = _Prediction(reference, trained, model_id, dataset)


def score(call: Call) -> Generator[None, Any, None]:
    """Log what an estimator's ``score`` says."""
    value = yield
    found = _trained_of(call.instance)
    if found is None or not call.settings.log_post_training_metrics:
        return
    trained, model_id = found
    data, frame = _first(call), _caller()
    dataset = trained.name_of(_variable(data, frame) or UNKNOWN, data)
    name = type(call.instance).__name__
    log(call, trained, model_id, f"{name}_score", dataset, value, _shown(f"{name}.score", call, frame))


def metric(call: Call) -> Generator[None, Any, None]:
    """Log what a function of ``sklearn.metrics`` says about a prediction."""
    value = yield
    if not _predictions or not call.settings.log_post_training_metrics:
        return
    made = prediction_in([*call.args, *call.kwargs.values()])
    if made is not None:
        name = call.original.__name__
        log(call, made.trained, made.model_id, name, made.dataset, value, _shown(name, call, _caller()))


def prediction_in(arguments: Iterable[Any]) -> _Prediction | None:
    """The first of the arguments that is a prediction of an autologged model."""
    for argument in arguments:
        found = _predictions.get(id(argument))
        if found is not None and found.result() is argument:
            return found
    return None


def log(
    call: Call, trained: _Trained, model_id: str | None, function: str, dataset: str, value: Any, how: Any
) -> None:
    """Log what a function measured, and into ``metric_info.json`` how it was called."""
    if not _is_number(value):
        return
    with trained.lock:
        key = trained.key_of(function, dataset)
        trained.calls[key] = how
        with call.safely(f"the metric {key}"):
            keeper = recorder.of(trained.uri, trained.run_id)
            keeper.log_metrics({key: value}, 0, None, model_id=model_id, directly=not keeper.buffered)
        with call.safely("metric_info.json"):
            artifacts.log_dict(dict(sorted(trained.calls.items())), "metric_info.json", trained.run_id)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (getattr(value, "ndim", None) == 0 and hasattr(value, "item"))


def _reference(value: Any, gone: Callable[[Any], Any] | None = None) -> Callable[[], Any] | None:
    """A weak reference; None for what cannot have one (lists, numbers)."""
    try:
        return weakref.ref(value, gone)
    except TypeError:
        return None


def _first(call: Call) -> Any:
    """The data of a method's call: its first argument."""
    if len(call.args) > 1:
        return call.args[1]
    return next(iter(call.kwargs.values()), None)


def _caller() -> FrameType | None:
    """The frame of the program that called the patched function."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("millstream.autolog"):
        frame = frame.f_back
    return frame


def _variable(value: Any, frame: FrameType | None) -> str | None:
    """The name under which the program holds ``value`` where it called."""
    if frame is None or value is None:
        return None
    for names in (frame.f_locals, frame.f_globals):
        for name, held in list(names.items()):
            if held is value:
                return name
    return None


def _shown(function: str, call: Call, frame: FrameType | None) -> str:
    """The call as the program wrote it, as far as that can be told."""
    try:
        bound = _signature(call.original).bind(*call.args, **call.kwargs).arguments
    except (TypeError, ValueError):
        return f"{function}(…)"
    bound.pop("self", None)
    shown = []
    for name, value in bound.items():
        if isinstance(value, (str, int, float, bool)) or value is None:
            text = repr(value)
        else:
            text = _variable(value, frame) or f"<{type(value).__name__}>"
        shown.append(f"{name}={text}")
    return f"{function}({', '.join(shown)})"


@functools.lru_cache(maxsize=512)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)
