"""Backends that installed distributions offer, made for us or for MLflow.

``millstream.project_backend``: the entry point is a class or function that, called without arguments, gives a
:class:`millstream.projects.backends.contract.Backend`. ``mlflow.project_backend``: it gives an object whose
``run(project_uri, entry_point, params, version, backend_config, tracking_uri, experiment_id)`` gives the handle
(https://mlflow.org/docs/latest/ml/plugins/); the run that is there already is named in ``backend_config``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from millstream.entities import RunStatus
from millstream.errors import EnvironmentFailed, InvalidValue, NotInTime
from millstream.plugins import Plugin, plugins
from millstream.projects.backends.contract import Backend
from millstream.projects.job import Job
from millstream.projects.recording import finish
from millstream.projects.submitted import SubmittedRun

__all__ = ["GROUP", "MLFLOW_GROUP", "find", "names"]

GROUP = "millstream.project_backend"
MLFLOW_GROUP = "mlflow.project_backend"
# What MLflow adds to the configuration under names of its own; what backends made for it look for.
_RUN_ID = "_mlflow_local_backend_run_id"


def names() -> list[str]:
    """The names of the backends that are offered."""
    return sorted({plugin.name for plugin in plugins(GROUP, MLFLOW_GROUP)})


def find(name: str) -> Backend | None:
    """The backend that is offered under this name, None when there is none; one that is made for us comes first.

    Raises EnvironmentFailed for one that does not load, InvalidValue for one that is no backend.
    """
    offered = sorted((plugin for plugin in plugins(GROUP, MLFLOW_GROUP) if plugin.name == name),
                     key=lambda plugin: plugin.group != GROUP)
    if not offered:
        return None
    plugin = offered[0]
    shown = f"the project backend {name!r} of {plugin.distribution}"
    try:
        made = plugin.load()()
    except Exception as error:
        raise EnvironmentFailed(f"{shown} does not load: {type(error).__name__}: {error}",
                                hint=f"correct or remove the distribution {plugin.distribution}") from error
    if plugin.group == MLFLOW_GROUP:
        if not callable(getattr(made, "run", None)):
            raise _no_backend(shown, plugin, "run")
        return _MlflowBackend(name, shown, made)
    for attribute in ("name", "on_this_machine", "submit"):
        if not hasattr(made, attribute):
            raise _no_backend(shown, plugin, attribute)
    backend: Backend = made
    return backend


def _no_backend(shown: str, plugin: Plugin, attribute: str) -> InvalidValue:
    return InvalidValue(f"{shown} has no {attribute!r}, which every backend of {plugin.group} has",
                        hint=f"correct {plugin.value}")


class _MlflowBackend:
    """A backend that was made for MLflow."""

    on_this_machine = True  # as far as MLflow knows: it hands over what it was given

    def __init__(self, name: str, shown: str, backend: Any) -> None:
        self.name = name
        self._shown = shown
        self._backend = backend

    def submit(self, job: Job) -> SubmittedRun:
        """Hand the job over. Raises what the backend raises, InvalidValue when it gives no handle."""
        config = {
            **job.backend_config, _RUN_ID: job.run_id, "DOCKER_ARGS": dict(job.docker_args),
            "ENV_MANAGER": job.environment_manager, "STORAGE_DIR": None, "SYNCHRONOUS": False,
            "build_image": job.build_image, "docker_auth": job.docker_auth,
        }
        given = self._backend.run(
            project_uri=job.source.uri, entry_point=job.entry_point.name, params=dict(job.parameters),
            version=job.source.version, backend_config=config, tracking_uri=job.tracking_uri,
            experiment_id=job.experiment_id,
        )
        for attribute in ("run_id", "wait", "get_status", "cancel"):
            if not hasattr(given, attribute):
                raise InvalidValue(f"{self._shown} gave {given!r}, which has no {attribute!r}",
                                   hint="a backend's run() gives an object like mlflow.projects.SubmittedRun")
        return _MlflowRun(job, given)


class _MlflowRun(SubmittedRun):
    """The handle of a backend that was made for MLflow, whose ``wait`` knows no timeout."""

    def __init__(self, job: Job, given: Any) -> None:
        self._job = job
        self._given = given
        self._lock = threading.Lock()
        self._waiting: threading.Thread | None = None
        self._well = False
        self._error: BaseException | None = None

    @property
    def run_id(self) -> str:
        """The run as the backend names it, which may be one of its own."""
        return str(self._given.run_id)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in a thread for the backend's own waiting. Raises NotInTime, and what that raises."""
        with self._lock:
            if self._waiting is None:
                self._waiting = threading.Thread(target=self._wait, name="millstream-backend-wait", daemon=True)
                self._waiting.start()
        self._waiting.join(timeout)
        if self._waiting.is_alive():
            raise NotInTime(f"the run {self.run_id} goes on after {timeout:g} seconds", hint="wait again, or cancel it")
        if self._error is not None:
            raise self._error
        return self._well

    def _wait(self) -> None:
        try:
            self._well = bool(self._given.wait())
            status = self.get_status()
            if not RunStatus.is_terminated(status):
                status = RunStatus.FINISHED if self._well else RunStatus.FAILED
            self._finish(status)
        except BaseException as error:
            self._error = error

    def get_status(self) -> int:
        """The status that the backend tells, by number or by name."""
        told = self._given.get_status()
        return RunStatus.from_string(told) if isinstance(told, str) else int(getattr(told, "value", told))

    def cancel(self) -> None:
        """Let the backend end it, and the run with it."""
        if RunStatus.is_terminated(self.get_status()):
            return
        self._given.cancel()
        self._finish(RunStatus.KILLED)

    def _finish(self, status: int) -> None:
        """End the run, and ours where the backend has made one of its own."""
        for run_id in dict.fromkeys((self.run_id, self._job.run_id)):
            finish(self._job.tracking_uri, run_id, status)

    def logs(self) -> Iterator[str]:
        """None: MLflow's backends give no access to them."""
        return iter(())
