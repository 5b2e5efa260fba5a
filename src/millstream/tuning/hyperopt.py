"""Searches of Hyperopt as runs."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

from millstream.errors import NotSupported
from millstream.tracking.logging import log_metrics, log_params, set_tags
from millstream.tuning.searches import STATE, Search, flat, search_run, sound_keys

# Entries of a result that are about the search and no measurements.
_NOT_MEASURED = frozenset({"status", "attachments", "book_time", "refresh_time"})


def fmin(
    fn: Callable[[Any], Any], space: Any, *args: Any, trials: Any = None, metric_name: str = "loss",
    run_name: str | None = None, tags: Mapping[str, Any] | None = None, **options: Any,
) -> Any:
    """``hyperopt.fmin(fn, space, …)`` as a run with a child for each evaluation; see :func:`hyperopt_objective`.

    The search is the active run, or one of its own called ``run_name``. ``args`` and ``options`` go to Hyperopt, whose
    answer is returned. Raises what the objective and Hyperopt raise, and NotSupported for trials that are evaluated in
    other processes.
    """
    import hyperopt

    if getattr(trials, "asynchronous", False):
        raise NotSupported(
            f"{type(trials).__name__} evaluates in other processes, where the children cannot be active",
            hint="millstream.tuning.search(…, parallel=…) tries in other processes; or call hyperopt.fmin, and "
                 "start_run(parent_run_id=…) in the objective",
        )
    if options.get("pass_expr_memo_ctrl"):
        raise NotSupported("an objective that takes expressions does not show its parameters", hint="hyperopt.fmin")
    done = len(trials.trials) if trials is not None else 0
    with search_run(run_name, tags) as search:
        objective = _tracked(fn, metric_name, search, itertools.count(done))
        return hyperopt.fmin(objective, space, *args, trials=trials, **options)


def hyperopt_objective(fn: Callable[[Any], Any], metric_name: str = "loss") -> Callable[[Any], Any]:
    """The objective with a run of its own for each call, for programs that call ``hyperopt.fmin`` themselves.

    The children belong to the run that is active now (started if there is none), and each is the active run of its
    thread while ``fn`` runs. A child has what ``fn`` was called with as parameters, choices resolved and nested names
    joined by dots; the loss as the metric ``metric_name``, other numbers of the result as metrics by their names, and
    its number and state as tags. It ends FINISHED, or FAILED after an error or the status ``fail``. The search has the
    metric ``best_<metric_name>`` by evaluation and the tags ``best_trial``, ``best_run_id`` and ``best_params``.
    """
    return _tracked(fn, metric_name, Search(), itertools.count())


def _tracked(
    fn: Callable[[Any], Any], metric_name: str, search: Search, counter: itertools.count[int]
) -> Callable[[Any], Any]:
    best: list[tuple[float, int, dict[str, Any]]] = []
    bare = next(iter(inspect.signature(fn).parameters), "value")

    @functools.wraps(fn)
    def tracked(config: Any) -> Any:
        number = next(counter)
        params = sound_keys(flat(config, bare))
        with search.trial(number) as child:
            log_params(params)
            state, child.status = "fail", "FAILED"
            try:
                result = fn(config)
                measured = _measured(result, metric_name)
                log_metrics(measured)
                state = _state(result, measured.get(metric_name))
                if state == "ok":
                    child.status = "FINISHED"
            except KeyboardInterrupt:
                child.status = "KILLED"
                raise
            finally:
                set_tags({STATE: state})
        if state == "ok":
            loss = measured[metric_name]
            if not best or loss < best[0][0]:
                best[:] = [(loss, number, params)]
            search.best_so_far(number, best[0][1], best[0][0], best[0][2], metric_name)
        return result

    return tracked


def _measured(result: Any, metric_name: str) -> dict[str, float]:
    if not isinstance(result, dict):
        result = {"loss": result}
    return sound_keys({
        metric_name if name == "loss" else str(name): float(value) for name, value in result.items()
        if name not in _NOT_MEASURED and isinstance(value, numbers.Real) and not isinstance(value, bool)
    })


def _state(result: Any, loss: float | None) -> str:
    if loss is None or math.isnan(loss):
        return "fail"
    return str(result.get("status", "ok")) if isinstance(result, dict) else "ok"
