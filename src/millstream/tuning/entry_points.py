"""Entry points of projects as objectives: each trial is a run of the project, in its environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from millstream.errors import FunctionFailed
from millstream.projects import SubmittedRun, run
from millstream.tracking.client import MlflowClient
from millstream.tracking.runs import active_run
from millstream.tuning.outcomes import Outcome
from millstream.tuning.searches import flat


def project_objective(
    uri: str, entry_point: str = "main", metric: str = "loss", parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> ProjectObjective:
    """Runs of an entry point as the objective of :func:`millstream.tuning.search`: what is best is their ``metric``.

    ``parameters`` are the same in all trials, the configuration of a trial is added to them. ``options`` go to
    :func:`millstream.projects.run`: ``version``, ``env_manager``, ``backend``, ``backend_config`` and so on.

    It may be called as well, with a configuration: the active run, or one of its own, is then the run of the project,
    and the answer is the metric. Raises FunctionFailed when the run has none, and what ``projects.run`` raises.
    """
    return ProjectObjective(uri, entry_point, metric, dict(parameters or {}), options)


class ProjectObjective:
    """See :func:`project_objective`."""

    logs_params = True

    def __init__(
        self, uri: str, entry_point: str, metric: str, parameters: dict[str, Any], options: dict[str, Any]
    ) -> None:
        self.metric = metric
        self._uri = uri
        self._entry_point = entry_point
        self._parameters = parameters
        self._options = options

    def __call__(self, config: Mapping[str, Any]) -> float:
        live = active_run()
        where = {"run_id": live.info.run_id, "experiment_id": live.info.experiment_id} if live else {}
        outcome = ProjectAttempt(self._submit(config, **where), self.metric).wait()
        if outcome.error:
            raise FunctionFailed(outcome.error, hint="its output is the artifact logs/project.log of its run")
        return outcome.metrics[self.metric]

    def start(self, config: Mapping[str, Any], run_id: str, experiment_id: str) -> ProjectAttempt:
        """Submit the entry point with ``config``. Raises what ``projects.run`` raises."""
        return ProjectAttempt(self._submit(config, run_id=run_id, experiment_id=experiment_id), self.metric)

    def _submit(self, config: Mapping[str, Any], **where: str) -> SubmittedRun:
        parameters = {**self._parameters, **flat(config)}
        return run(
            self._uri, self._entry_point, parameters=parameters, synchronous=False, **{**self._options, **where}
        )


class ProjectAttempt:
    """A run of the project that was submitted."""

    def __init__(self, submitted: SubmittedRun, metric: str) -> None:
        self._submitted = submitted
        self._metric = metric

    def wait(self) -> Outcome:
        """The metrics of the run, when it has ended well."""
        if not self._submitted.wait():
            return Outcome(error=self._submitted.failure())
        metrics = MlflowClient().get_run(self._submitted.run_id).data.metrics
        if math.isnan(metrics.get(self._metric, math.nan)):
            there = ", ".join(sorted(metrics)) or "none"
            return Outcome(metrics, f"the run logged no metric {self._metric}; it has {there}")
        return Outcome(metrics)

    def cancel(self) -> None:
        """End the run."""
        self._submitted.cancel()
