"""Jobs for backends: a project of one script, and the run that it is recorded in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millstream.entities import Run
from millstream.projects.backends import find
from millstream.projects.commands import Command
from millstream.projects.files import DockerEnvironment, EntryPoint, ProjectFile
from millstream.projects.job import Job
from millstream.projects.sources import Source
from millstream.projects.submitted import SubmittedRun
from millstream.tracking import stores
from millstream.tracking.client import MlflowClient
from millstream.tracking.files import load_text

RUNNING, SCHEDULED, FINISHED, FAILED, KILLED = 1, 2, 3, 4, 5  # statuses of runs
_open: list[SubmittedRun] = []
SCRIPT = """\
import json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:], "run": os.environ["MLFLOW_RUN_ID"], "store": os.environ["MLFLOW_TRACKING_URI"],
    "files": sorted(os.listdir(os.path.dirname(os.path.abspath(__file__)))),
}), flush=True)
"""


def project(folder: Path, script: str = SCRIPT) -> Path:
    """A folder with ``train.py``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(script)
    return folder


def job(
    folder: Path, argv: tuple[str, ...] = ("python", "train.py", "0.5"), *, config: Mapping[str, Any] | None = None,
    file: ProjectFile | None = None, parameters: Mapping[str, str] | None = None, tracking_uri: str | None = None,
    **fields: Any,
) -> Job:
    """A job of the entry point ``main`` of a folder, as it is submitted; its run is there, and RUNNING."""
    uri = tracking_uri or stores.get_tracking_uri()
    run = MlflowClient(uri).create_run("0")
    variables = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_RUN_ID": run.info.run_id, "MLFLOW_EXPERIMENT_ID": "0"}
    given: dict[str, Any] = {
        "source": Source(str(folder), folder), "project": file or ProjectFile("Loan default"),
        "entry_point": EntryPoint("main", "python train.py {rate}"), "parameters": parameters or {"rate": "0.5"},
        "command": Command(argv), "environment": None, "environment_manager": "local", "variables": variables,
        "folder": folder, "backend_config": config or {}, **fields,
    }
    return Job(run_id=run.info.run_id, experiment_id="0", tracking_uri=uri, **given)


def submitted(backend: str, given: Job) -> SubmittedRun:
    """The handle of a job that is submitted; :func:`end` waits for it."""
    run = find(backend).submit(given)
    _open.append(run)
    return run


def end() -> None:
    """Wait for all that were submitted, whose far side says by now that they have ended: threads follow them."""
    while _open:
        _open.pop().wait(30)


def docker(**fields: Any) -> ProjectFile:
    """A project file with a ``docker_env``."""
    return ProjectFile("Loan default", docker_env=DockerEnvironment(**{"image": "team/base:1", **fields}))


def told_of(given: Job, server: str) -> Job:
    """A job whose store is a server elsewhere."""
    return dataclasses.replace(given, tracking_uri=server)


def run_of(of: Job) -> Run:
    """The run of a job as the store has it."""
    return MlflowClient(of.tracking_uri).get_run(of.run_id)


def status(of: Job) -> str:
    """Where the run of a job stands in the store."""
    return str(run_of(of).info.status)


def tags(of: Job) -> dict[str, str]:
    """The tags of the run of a job."""
    return dict(run_of(of).data.tags)


def output(of: Job) -> str:
    """What is kept of a job's output."""
    run = run_of(of)
    return load_text(f"{run.info.artifact_uri}/logs/project.log")
