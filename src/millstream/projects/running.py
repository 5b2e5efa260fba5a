"""From a URI to a run: the project is fetched and read, its run recorded, its command handed to a backend."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.entities import RunStatus
from millstream.errors import ProjectFailed
from millstream.projects import backends, sources
from millstream.projects.commands import command_of
from millstream.projects.files import EntryPoint, ProjectFile
from millstream.projects.job import Job, variables_of
from millstream.projects.loopback import served
from millstream.projects.native import entry_point_of, project_in
from millstream.projects.parameters import local_values, resolved
from millstream.projects.pipelines.graph import is_step
from millstream.projects.recording import (
    LOG_FILE,
    beating,
    config_of,
    experiment_of,
    finish,
    looking_for_changes,
    opened,
    tags_of,
)
from millstream.projects.reruns import snapshot
from millstream.projects.sources import Source
from millstream.projects.submitted import SubmittedRun
from millstream.tracking import stores

if TYPE_CHECKING:
    from millstream.projects.pipelines.plan import Options

__all__ = ["environment_in", "run", "start"]


def run(
    uri: str | os.PathLike[str], entry_point: str = "main", version: str | None = None,
    parameters: Mapping[str, Any] | None = None, docker_args: Mapping[str, Any] | None = None,
    experiment_name: str | None = None, experiment_id: str | None = None, backend: str = "local",
    backend_config: Mapping[str, Any] | str | None = None, storage_dir: str | None = None, synchronous: bool = True,
    run_id: str | None = None, run_name: str | None = None, env_manager: str | None = None, build_image: bool = False,
    docker_auth: Mapping[str, Any] | None = None, *, parent_run_id: str | None = None,
    pipeline: Options | None = None,
) -> SubmittedRun:
    """Run an entry point of the project at ``uri`` and record it as a run.

    ``uri`` is a folder, a repository of git or a zip, with ``#folder`` for one in it; ``version`` a branch, tag or
    commit. ``parameters`` that the entry point does not declare become arguments ``--name value``. The run goes to the
    experiment of ``experiment_name`` (created when it is new) or ``experiment_id``, or is the one with ``run_id``; it
    is a child of ``parent_run_id``, or of the active run where there is one. ``env_manager`` is uv, virtualenv (the
    same), conda or local (this environment); ``storage_dir`` takes what parameters of type ``path`` are fetched from
    elsewhere. ``docker_args``, ``build_image`` and ``docker_auth`` are for projects with a ``docker_env``,
    ``backend_config`` for the backend, ``pipeline`` for entry points that need others, which are run first.

    Waits for the end unless ``synchronous`` is false; what is not waited for is waited for at the end of this program.
    Raises ProjectFailed when the run does not end well, ProjectNotFound, EntryPointNotFound, MissingValue,
    InvalidValue, PythonNotFound and EnvironmentFailed.
    """
    config = config_of(backend_config)
    source = sources.fetched(uri, version)
    with contextlib.ExitStack() as kept:
        kept.callback(sources.discard, source)
        project = project_in(source.folder)
        found = entry_point_of(project, entry_point, source.folder)
        if is_step(found):
            submitted = _start_pipeline(source, project, entry_point, parameters or {}, experiment_name, experiment_id,
                                        backend, run_id, run_name, env_manager, parent_run_id, pipeline, storage_dir)
            submitted.when_ended(kept.pop_all().close)
        else:
            submitted = start(
                source, project, found, parameters=parameters, docker_args=docker_args, experiment_name=experiment_name,
                experiment_id=experiment_id, backend=backend, backend_config=config, storage_dir=storage_dir,
                run_id=run_id, run_name=run_name, env_manager=env_manager, build_image=build_image,
                docker_auth=docker_auth, parent_run_id=parent_run_id, until_end=kept.pop_all(),
            )
    if synchronous:
        _wait(submitted, entry_point)
    return submitted


def _start_pipeline(
    source: Source, project: ProjectFile, entry_point: str, parameters: Mapping[str, Any],
    experiment_name: str | None, experiment_id: str | None, backend: str, run_id: str | None, run_name: str | None,
    env_manager: str | None, parent_run_id: str | None, options: Options | None, storage_dir: str | None,
) -> SubmittedRun:
    from millstream.projects.pipelines import running
    from millstream.projects.pipelines.plan import Options, planned

    tracking_uri = stores.get_tracking_uri()
    environment, manager = environment_in(source.folder, project, env_manager)
    options = options or Options()
    options = replace(options, storage_dir=storage_dir or options.storage_dir)
    plan = planned(source, project, entry_point, parameters, environment=environment, environment_manager=manager,
                   tracking_uri=tracking_uri, backend=backend, options=options)
    return running.start(
        plan, None if run_id else experiment_of(tracking_uri, experiment_name, experiment_id), run_id=run_id,
        run_name=run_name, parent_run_id=parent_run_id or (None if run_id else _active_run()),
    )


def _wait(submitted: SubmittedRun, entry_point: str) -> None:
    try:
        if not submitted.shows_output:
            for line in submitted.logs():
                print(line, flush=True)
        ended_well = submitted.wait()
    except BaseException:
        submitted.cancel()
        raise
    if not ended_well:
        killed = submitted.get_status() == RunStatus.KILLED
        raise ProjectFailed(
            f"the run {submitted.run_id} of the entry point {entry_point!r} {'was ended' if killed else 'failed'}: "
            f"{submitted.failure()}",
            hint=f"all of its output is the artifact {LOG_FILE} of the run: "
                 f"`millstream artifacts download -r {submitted.run_id} -a {LOG_FILE}`",
        )


def start(
    source: Source, project: ProjectFile, entry_point: EntryPoint, *, parameters: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None, docker_args: Mapping[str, Any] | None = None,
    experiment_name: str | None = None, experiment_id: str | None = None,
    backend: str = "local", backend_config: Mapping[str, Any] | None = None,
    storage_dir: str | os.PathLike[str] | None = None, run_id: str | None = None, run_name: str | None = None,
    env_manager: str | None = None, build_image: bool = False, docker_auth: Mapping[str, Any] | None = None,
    parent_run_id: str | None = None, until_end: contextlib.ExitStack | None = None,
) -> SubmittedRun:
    """Record a run of an entry point of a project that is here, and submit it.

    ``tags`` are set beside those of every project run. ``until_end`` is closed when the run has ended, or cannot be
    started. The rest is as for :func:`run`, which raises the same.
    """
    given = parameters or {}
    tracking_uri = stores.get_tracking_uri()
    with until_end or contextlib.ExitStack() as kept:
        there = backends.find("docker" if backend == "local" and project.docker_env is not None
                              and env_manager != "local" else backend)
        texts = resolved(entry_point, given)
        shown = texts
        if there.on_this_machine:
            shown = local_values(entry_point, texts, source.folder, given=given, tracking_uri=tracking_uri,
                                 storage_dir=_Storage(storage_dir, kept))
        declared = {name: text for name, text in shown.items() if name in entry_point.parameters}
        extra = {name: text for name, text in shown.items() if name not in entry_point.parameters}
        command = command_of(entry_point.command, declared, extra)
        environment, manager = environment_in(source.folder, project, env_manager)
        told = tags_of(source, entry_point.name, backend, environment, manager, command.text)
        info = opened(
            tracking_uri, None if run_id else experiment_of(tracking_uri, experiment_name, experiment_id), run_id,
            run_name, {**told, **(tags or {})}, texts, parent_run_id or (None if run_id else _active_run()),
        ).info
        try:
            snapshot.note(source, info.run_id, tracking_uri)
            kept.enter_context(looking_for_changes(tracking_uri, info.run_id, source))
            address = tracking_uri
            if there.on_this_machine:
                kept.enter_context(beating(tracking_uri, info.run_id))
                address = kept.enter_context(served(tracking_uri))
            submitted = there.submit(Job(
                info.run_id, info.experiment_id, tracking_uri, source, project, entry_point, texts, command,
                environment, manager,
                variables_of(address, info.run_id, info.experiment_id, entry_point.name,
                             is_served=address != tracking_uri),
                source.folder, dict(backend_config or {}), dict(docker_args or {}), build_image, docker_auth,
                tuple(shown[name] for name, one in entry_point.parameters.items()
                      if one.type == "path" and there.on_this_machine),
            ))
        except BaseException as error:
            finish(tracking_uri, info.run_id,
                   RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED)
            raise
        if there.on_this_machine:  # what runs elsewhere has its files
            submitted.when_ended(kept.pop_all().close)
    return submitted


class _Storage(os.PathLike[str]):
    """The folder for what is fetched: the one that was named, else a temporary one that is made when it is needed."""

    def __init__(self, named: str | os.PathLike[str] | None, kept: contextlib.ExitStack) -> None:
        self._path = None if named is None else os.path.abspath(named)
        self._kept = kept

    def __fspath__(self) -> str:
        if self._path is None:
            self._path = tempfile.mkdtemp(prefix="millstream-parameters-")
            self._kept.callback(shutil.rmtree, self._path, ignore_errors=True)
        return self._path


def environment_in(folder: Path, project: ProjectFile, manager: str | None) -> tuple[Any, str]:
    """The environment that a project describes and what makes it: None and "local" where there is none to make."""
    if manager == "local":
        return None, "local"
    from millstream.environments.descriptions import describe
    from millstream.environments.preparing import managed

    manager = managed(manager)
    if project.docker_env is not None:
        return project.docker_env, "docker"
    found = describe(folder, python_env=project.python_env, conda_env=project.conda_env)
    if found is None:
        return None, "local"
    return found, manager


def _active_run() -> str | None:
    from millstream.tracking.active import local

    return local.stack[-1].run.info.run_id if local.stack else None
