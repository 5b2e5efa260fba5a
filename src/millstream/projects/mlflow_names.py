"""What backends that were made for MLflow import from ``mlflow.projects.utils`` and ``mlflow.projects.backend``."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millstream.entities import Run
from millstream.operations import GetRun
from millstream.projects import recording, sources
from millstream.projects.commands import command_of
from millstream.projects.job import variables_of
from millstream.projects.native import entry_point_of, project_in
from millstream.projects.parameters import local_values, resolved
from millstream.projects.submitted import SubmittedRun
from millstream.tracking import stores
from millstream.tracking.tags import MLFLOW_SOURCE_NAME

__all__ = [
    "AbstractBackend", "fetch_and_validate_project", "get_entry_point_command", "get_or_create_run", "get_run_env_vars",
    "load_project",
]


class AbstractBackend(abc.ABC):
    """What a backend of the entry-point group ``mlflow.project_backend`` derives from."""

    @abc.abstractmethod
    def run(
        self, project_uri: str, entry_point: str, params: dict[str, Any], version: str | None,
        backend_config: dict[str, Any], tracking_uri: str, experiment_id: str,
    ) -> SubmittedRun:
        """Submit an entry point and answer with its handle."""


class _Project:
    """A project in a folder, with what MLflow's has."""

    def __init__(self, folder: str) -> None:
        self.dir = folder
        self._file = project_in(Path(folder))
        self.name = self._file.name

    def get_entry_point(self, entry_point: str) -> _EntryPoint:
        """The entry point of this name. Raises EntryPointNotFound."""
        return _EntryPoint(self, entry_point)

    def command(self, name: str, given: Mapping[str, Any], storage_dir: str | None) -> str:
        found = entry_point_of(self._file, name, Path(self.dir))
        values = local_values(found, resolved(found, given), Path(self.dir), given=given, storage_dir=storage_dir,
                              tracking_uri=stores.get_tracking_uri())
        extra = {key: text for key, text in values.items() if key not in found.parameters}
        declared = {key: text for key, text in values.items() if key in found.parameters}
        return command_of(found.command, declared, extra).text


class _EntryPoint:
    def __init__(self, project: _Project, name: str) -> None:
        self.name = name
        self._project = project

    def compute_command(self, user_parameters: Mapping[str, Any], storage_dir: str | None) -> str:
        """The command as one would type it."""
        return self._project.command(self.name, user_parameters, storage_dir)


def load_project(directory: str) -> _Project:
    """The project in a folder. Raises InvalidValue naming the field that is wrong."""
    return _Project(directory)


def fetch_and_validate_project(
    uri: str, version: str | None, entry_point: str, parameters: Mapping[str, Any] | None
) -> str:
    """Fetch a project and return its folder. Raises ProjectNotFound, EntryPointNotFound and MissingValue."""
    source = sources.fetched(uri, version)
    resolved(entry_point_of(project_in(source.folder), entry_point, source.folder), parameters or {})
    return str(source.folder)


def get_or_create_run(
    run_id: str | None, uri: str, experiment_id: str, work_dir: str, version: str | None, entry_point: str,
    parameters: Mapping[str, Any] | None,
) -> Run:
    """The run with ``run_id``, or a new one of a project with the tags that every run of one has."""
    tracking_uri = stores.get_tracking_uri()
    if run_id:
        return stores.store(tracking_uri).execute(GetRun(run_id)).run
    source = sources.fetched(work_dir)
    tags = {**recording.tags_of(source, entry_point, "", None, "local", ""), MLFLOW_SOURCE_NAME: uri}
    texts = {str(key): str(value) for key, value in (parameters or {}).items()}
    return recording.opened(tracking_uri, experiment_id, None, None, tags, texts, None)


def get_run_env_vars(run_id: str, experiment_id: str) -> dict[str, str]:
    """The variables that tell a command which run it logs to."""
    return variables_of(stores.get_tracking_uri(), run_id, experiment_id, "main")


def get_entry_point_command(
    project: _Project, entry_point: str, parameters: Mapping[str, Any], storage_dir: str | None
) -> list[str]:
    """The command of an entry point as one would type it, in a list."""
    return [project.command(entry_point, parameters, storage_dir)]
