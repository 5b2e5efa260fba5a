"""Searches of Optuna as runs."""

from __future__ import annotations

import functools
import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue
from millstream.tracking.client import MlflowClient
from millstream.tracking.logging import log_metric, log_metrics, log_params, set_tags
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from millstream.tuning.searches import NUMBER, STATE, Search, search_run, sound_keys

if TYPE_CHECKING:
    from types import TracebackType

    import optuna

    Objective = Callable[[optuna.Trial], float | Sequence[float]]

_STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
INTERMEDIATE = "intermediate_value"


def optimize(
    study: optuna.Study, objective: Objective, n_trials: int | None = None, *,
    metric_name: str | Sequence[str] = "value", run_name: str | None = None, tags: Mapping[str, Any] | None = None,
    tag_study_user_attrs: bool = False, tag_trial_user_attrs: bool = True,
    callbacks: Iterable[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]] = (), **options: Any,
) -> None:
    """``study.optimize(objective, n_trials, …)`` as a run with a child for each trial; see :class:`OptunaCallback`.

    The search is the active run, or one of its own that is called ``run_name`` or like the study. ``options`` go to
    Optuna, ``n_jobs`` and ``timeout`` among them. Raises what the objective and Optuna raise.
    """
    with search_run(run_name or study.study_name, tags) as search:
        callback = OptunaCallback(
            metric_name, tag_study_user_attrs=tag_study_user_attrs, tag_trial_user_attrs=tag_trial_user_attrs,
            search=search,
        )
        study.optimize(callback.track_in_runs(objective), n_trials, callbacks=[*callbacks, callback], **options)


class OptunaCallback:
    """Each trial of a study as a child of the run that is active when the callback is made (started if there is none).

    ::

        callback = OptunaCallback()
        study.optimize(callback.track_in_runs(objective), n_trials=100, callbacks=[callback])

    Under ``track_in_runs`` the child is the active run while the objective runs, in whatever thread, and what it logs
    goes there; without it, a child is entered after each trial. A child has the trial's parameters, its value as the
    metric ``metric_name`` (a name for each objective, where there are several), reported values as the metric
    ``intermediate_value`` by step, and as tags its number, state, directions and distributions. It ends FINISHED, a
    pruned one KILLED, a failed one FAILED.

    The search has the metric ``best_<metric_name>`` by trial and the tags ``best_trial``, ``best_run_id`` and
    ``best_params``; with several objectives, the tag ``best_trials`` lists those that no other beats in all. As a
    context manager, or by :meth:`close`, it also gets the best parameters as ``best_<name>``.
    """

    def __init__(
        self, metric_name: str | Sequence[str] = "value", *, tag_study_user_attrs: bool = False,
        tag_trial_user_attrs: bool = True, search: Search | None = None,
    ) -> None:
        self._metric_name = metric_name
        self._tag_study = tag_study_user_attrs
        self._tag_trial = tag_trial_user_attrs
        self._search = search or Search()
        self._described = False
        self._lock = threading.Lock()

    @property
    def run_id(self) -> str:
        """The run of the search."""
        return self._search.run_id

    def __enter__(self) -> OptunaCallback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log the best parameters as parameters of the search."""
        self._search.close()

    def track_in_runs(self, objective: Objective) -> Objective:
        """The objective with a run of its own for each call. Raises what the objective raises."""

        @functools.wraps(objective)
        def tracked(trial: optuna.Trial) -> float | Sequence[float]:
            import optuna

            self._describe(trial.study)
            with self._search.trial(trial.number) as child:
                _log_reports(trial, child.run_id)
                state = "FAIL"
                try:
                    answer = objective(trial)
                    values = self._values(trial.study, answer)
                    if values is not None:
                        state = "COMPLETE"
                        log_metrics(values)
                    return answer
                except optuna.TrialPruned:
                    state = "PRUNED"
                    raise
                except KeyboardInterrupt:
                    child.status = "KILLED"
                    raise
                finally:
                    child.status = child.status or _STATUS[state]
                    log_params(sound_keys(trial.params))
                    set_tags(self._tags(trial.study, trial, state))

        return tracked

    def track_in_mlflow(self) -> Callable[[Objective], Objective]:
        """:meth:`track_in_runs` as a decorator, under the name that it has in Optuna's own callback."""
        return self.track_in_runs

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """What Optuna calls after each trial."""
        self._describe(study)
        if trial.number not in self._search.runs:
            self._enter(study, trial)
        if self._tag_study:
            self._search.tag(sound_keys(study.user_attrs))
        if trial.state.name != "COMPLETE":
            return
        if len(study.directions) > 1:
            self._search.tag({"best_trials": json.dumps([one.number for one in study.best_trials])})
            return
        best = study.best_trial
        assert best.value is not None  # the best is a complete one
        self._search.best_so_far(
            trial.number, best.number, best.value, best.params, _names(self._metric_name, study, 1)[0]
        )

    def _describe(self, study: optuna.Study) -> None:
        """Note on the search what the study is, once."""
        with self._lock:
            if self._described:
                return
            self._described = True
        self._search.tag({
            "study_name": study.study_name, "direction": _directions(study),
            "sampler": type(study.sampler).__name__, "pruner": type(study.pruner).__name__,
        })

    def _values(self, study: optuna.Study, answer: Any) -> dict[str, float] | None:
        """The values that an objective returned, by name; None for those that Optuna takes for a failure."""
        given = list(answer) if isinstance(answer, (list, tuple)) else [answer]
        if len(given) != len(study.directions):
            return None
        try:
            values = [float(one) for one in given]
        except (TypeError, ValueError):
            return None
        if any(math.isnan(value) for value in values):
            return None
        return dict(zip(_names(self._metric_name, study, len(values)), values, strict=True))

    def _tags(
        self, study: optuna.Study, trial: optuna.Trial | optuna.trial.FrozenTrial, state: str
    ) -> dict[str, Any]:
        made = {NUMBER: trial.number, STATE: state, "direction": _directions(study)}
        made |= {f"{name}_distribution": str(one) for name, one in trial.distributions.items()}
        return sound_keys(made | (trial.user_attrs if self._tag_trial else {}))

    def _enter(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """The run of a trial that is over already."""
        client, search = MlflowClient(), self._search
        begun = trial.datetime_start
        run = client.create_run(
            search.experiment_id, int(begun.timestamp() * 1000) if begun else None,
            {MLFLOW_PARENT_RUN_ID: search.run_id}, f"trial-{trial.number}",
        )
        run_id = run.info.run_id
        search.runs[trial.number] = run_id
        log_params(sound_keys(trial.params), run_id=run_id)
        for step, value in trial.intermediate_values.items():
            log_metric(INTERMEDIATE, value, step, run_id=run_id)
        if trial.state.name == "COMPLETE":
            names = _names(self._metric_name, study, len(trial.values))
            log_metrics(dict(zip(names, trial.values, strict=True)), run_id=run_id)
        for key, text in self._tags(study, trial, trial.state.name).items():
            client.set_tag(run_id, key, text)
        over = trial.datetime_complete
        client.set_terminated(run_id, _STATUS[trial.state.name], int(over.timestamp() * 1000) if over else None)


def _log_reports(trial: optuna.Trial, run_id: str) -> None:
    """Log what the objective, or a library's pruning callback in it, reports to the trial."""
    report = trial.report

    @functools.wraps(report)
    def reported(value: float, step: int) -> None:
        report(value, step)
        log_metric(INTERMEDIATE, value, step, run_id=run_id)

    trial.report = reported  # type: ignore[method-assign]  # of this one trial


def _names(given: str | Sequence[str], study: optuna.Study, count: int) -> list[str]:
    """A name for each value. Raises InvalidValue when there are more or fewer names than values."""
    if not isinstance(given, str):
        if len(given) != count:
            raise InvalidValue(f"metric_name has {len(given)} names for {count} values of the objective")
        return list(given)
    own = study.metric_names
    if own is not None and given == "value":
        return list(own)
    return [given] if count == 1 else [f"{given}_{place}" for place in range(count)]


def _directions(study: optuna.Study) -> str:
    return ", ".join(one.name for one in study.directions)
