"""This machine: the command as processes of its own, in the environment of the project."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from millstream.errors import InvalidValue
from millstream.projects.backends.processes import LocalRun
from millstream.projects.files import DockerEnvironment
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun

__all__ = ["LocalBackend"]

# What chooses an experiment, a run or a model for this process is not for another one.
_NOT_HANDED_ON = frozenset(
    f"{prefix}_{name}" for prefix in ("MLFLOW", "MILLSTREAM")
    for name in ("TRACKING_URI", "EXPERIMENT_NAME", "EXPERIMENT_ID", "RUN_ID", "ACTIVE_MODEL_ID", "RUN_CONTEXT")
)
_REGISTRY = ("MLFLOW_REGISTRY_URI", "MILLSTREAM_REGISTRY_URI")


class LocalBackend:
    """Runs commands on this machine. The project's environment is built if it is not there."""

    name = "local"
    on_this_machine = True

    def submit(self, job: Job) -> SubmittedRun:
        """Build the environment and start the command; it ends with this process, whatever ends that.

        Raises PythonNotFound and EnvironmentFailed, InvalidValue for a program that is not there.
        """
        with contextlib.ExitStack() as until_end:
            variables = _variables(job, until_end)
            work = Path(until_end.enter_context(
                tempfile.TemporaryDirectory(prefix="millstream-run-", ignore_cleanup_errors=True)
            ))
            try:
                return LocalRun(job, variables, work / "project.log", until_end.pop_all())
            except OSError as error:
                raise _not_started(job, error) from None


def _not_started(job: Job, error: OSError) -> InvalidValue:
    if not job.folder.is_dir():
        return InvalidValue(f"the project's folder {job.folder} is gone", hint="run the project again")
    shown = f"the program {job.command.argv[0]!r} of the entry point {job.entry_point.name!r}"
    if isinstance(error, FileNotFoundError):
        return InvalidValue(f"{shown} is not there",
                            hint="add what holds it to the project's environment, or install it")
    return InvalidValue(f"{shown} cannot be started: {error.strerror}",
                        hint="make it executable and let it begin with #!, or name the program that runs it")


def _variables(job: Job, until_end: contextlib.ExitStack) -> dict[str, str]:
    """The environment variables of the command; its environment is kept from removal until the end."""
    if job.environment is None or job.environment_manager == "local":
        # `python` is the interpreter that runs us, also where its environment was not activated.
        path = os.pathsep.join([str(Path(sys.executable).parent), *filter(None, [os.environ.get("PATH")])])
        variables = {**os.environ, "PATH": path}
    else:
        from millstream.environments.preparing import prepare

        assert not isinstance(job.environment, DockerEnvironment)
        built = prepare(job.environment, manager=job.environment_manager)
        until_end.enter_context(built.in_use())
        variables = built.variables()
    # A registry beside the runs is found where they are found.
    beside = {name for name in _REGISTRY if variables.get(name) == job.tracking_uri}
    kept = {name: value for name, value in variables.items() if name not in _NOT_HANDED_ON | beside}
    # What a program prints is to be seen, and kept, when it prints it.
    return {"PYTHONUNBUFFERED": "1", **kept, **job.variables}
