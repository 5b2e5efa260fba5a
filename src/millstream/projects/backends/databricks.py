"""Projects as one-time runs of Databricks' jobs API (2.1), on a new or an existing cluster.

https://docs.databricks.com/api/workspace/jobs/submit
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from millstream.entities import RunStatus
from millstream.environments.descriptions import Description
from millstream.errors import (
    EndpointNotFound,
    InvalidValue,
    MillstreamError,
    NotFound,
    StoreUnavailable,
    Unauthenticated,
)
from millstream.projects.backends import databricks_launcher, packing
from millstream.projects.backends.remote import (
    RemoteRun,
    Seen,
    check_config,
    refuse_image,
    seconds_of,
    tag,
    variables_of,
)
from millstream.projects.files import SparkJob
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from millstream.stores.http.transport import Transport, quoted
from millstream.stores.opening import databricks_credentials, scheme_of
from millstream.tracking.tags import (
    MLFLOW_DATABRICKS_JOB_RUN_ID,
    MLFLOW_DATABRICKS_RUN_URL,
    MLFLOW_DATABRICKS_WEBAPP_URL,
)

__all__ = ["DatabricksBackend"]

_JOBS = "/api/2.1/jobs/runs/"
_DBFS = "/api/2.0/dbfs/"
_FOLDER = "dbfs:/millstream/projects"
_BLOCK = 1 << 20  # bytes of a block of DBFS
_TRIES = 3
_SECONDS, _UPLOAD_SECONDS = 60.0, 600.0
_TASK = "project"
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_OF_RUN = ("timeout_seconds", "access_control_list", "run_as", "email_notifications", "webhook_notifications",
           "budget_policy_id")
_CONFIG: dict[str, tuple[type, ...]] = {
    "new_cluster": (dict,), "existing_cluster_id": (str,), "libraries": (list,), "folder": (str,), "profile": (str,),
    "patience": (int, float), "timeout_seconds": (int,), "access_control_list": (list,), "run_as": (dict,),
    "email_notifications": (dict,), "webhook_notifications": (dict,), "budget_policy_id": (str,),
}
# https://docs.databricks.com/api/workspace/jobs/getrun: of those that are not over, only these have a cluster at work.
_WORKING = frozenset({"RUNNING", "TERMINATING"})
_OVER = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
_NO_HOST = ('set DATABRICKS_HOST and DATABRICKS_TOKEN, or write host and token into ~/.databrickscfg; "profile" in the '
            "configuration names another section of it")


class DatabricksBackend:
    """A workspace of Databricks.

    The configuration is a cluster's specification as MLflow takes it: that of a new cluster (``spark_version``,
    ``node_type_id``, ``num_workers``, …), alone or as ``new_cluster`` beside ``libraries``, or
    ``existing_cluster_id``. Beyond it: ``folder`` for the project's files (``dbfs:/…``, or ``/Volumes/…`` in workspaces
    without DBFS), ``profile`` of the credentials, the fields of a run such as ``timeout_seconds``, and ``patience``,
    the seconds for which a silent workspace is asked again (600).
    """

    name = "databricks"
    on_this_machine = False

    def submit(self, job: Job) -> SubmittedRun:
        """Upload the project, unless its content is there already, and submit the run.

        Its requirements become libraries of the cluster, unless the environment manager is ``local``. Raises
        Unauthenticated without credentials, InvalidValue for a configuration that cannot work, and what the workspace
        answers.
        """
        refuse_image(job, self.name)
        config = _config(job.backend_config)
        variables = variables_of(job)
        if scheme_of(job.tracking_uri) == "databricks":  # a profile is one of this machine
            variables = {name: "databricks" if text == job.tracking_uri else text for name, text in variables.items()}
        command, in_process = _command(job)
        workspace, host = _workspace(job, config)
        content = packing.tarball(job.folder)
        digest = packing.digest_of(content)
        program = Path(databricks_launcher.__file__).read_bytes()
        folder = str(config.get("folder", _FOLDER)).rstrip("/")
        archive = _uploaded(workspace, f"{folder}/{digest}.tar.gz", content)
        launcher = _uploaded(workspace, f"{folder}/launch-{packing.digest_of(program)[:16]}.py", program)
        told = {"archive": archive.replace("dbfs:/", "/dbfs/", 1), "sha256": digest, "variables": variables,
                "command": command, "in_process": in_process}
        task: dict[str, Any] = {
            "task_key": _TASK, **_cluster(config, variables), "libraries": _libraries(job, config),
            "spark_python_task": {"python_file": launcher, "parameters": [json.dumps(told)]},
        }
        submitted = workspace.request("POST", f"{_JOBS}submit", timeout=_SECONDS, retry=True, json={
            "run_name": f"{job.project.name or job.folder.name} {job.entry_point.name}", "tasks": [task],
            "idempotency_token": f"{job.run_id[:32]}-{secrets.token_hex(8)}",
            **{name: config[name] for name in _OF_RUN if name in config},
        }).json()
        number = int(submitted["run_id"])
        tag(job, MLFLOW_DATABRICKS_JOB_RUN_ID, str(number))
        tag(job, MLFLOW_DATABRICKS_WEBAPP_URL, host)
        return _DatabricksRun(job, workspace, number, seconds_of(config)).follow()


class _DatabricksRun(RemoteRun):
    def __init__(self, job: Job, workspace: Transport, number: int, patience: float | None) -> None:
        super().__init__(job, f"the Databricks run {number}", patience=patience)
        self._workspace = workspace
        self._number = number
        self._task = number
        self._page = ""
        self._said = ""

    def _look(self) -> Seen | None:
        try:
            told = self._workspace.request("GET", f"{_JOBS}get", query={"run_id": self._number}, timeout=_SECONDS,
                                           retry=False).json()
        except NotFound:
            return None
        except InvalidValue as error:  # so it says of a run that was deleted, or is older than it keeps
            if "does not exist" in error.message:
                return None
            raise
        if tasks := told.get("tasks"):
            self._task = int(tasks[0]["run_id"])
        page = str(told.get("run_page_url") or "")
        if page and page != self._page:
            self._page = page
            with contextlib.suppress(MillstreamError):
                tag(self._job, MLFLOW_DATABRICKS_RUN_URL, page)
        state = told["state"]
        cycle, result = state.get("life_cycle_state"), state.get("result_state")
        if cycle not in _OVER:
            return Seen(RunStatus.RUNNING if cycle in _WORKING else RunStatus.SCHEDULED)
        if result == "SUCCESS":
            return Seen(RunStatus.FINISHED)
        self._read()
        words = self._said or str(state.get("state_message") or "") or f"it ended as {result or cycle}"
        shown = f"{words}; see {page}" if page else words
        return Seen(RunStatus.KILLED if result == "CANCELED" else RunStatus.FAILED, shown)

    def _stop(self) -> None:
        with contextlib.suppress(NotFound, InvalidValue):
            self._workspace.request("POST", f"{_JOBS}cancel", json={"run_id": self._number}, timeout=_SECONDS,
                                    retry=True)

    def _read(self) -> str:
        try:
            told = self._workspace.request("GET", f"{_JOBS}get-output", query={"run_id": self._task},
                                           timeout=_SECONDS, retry=False).json()
        except (NotFound, InvalidValue):  # it has not begun
            return ""
        self._said = str(told.get("error") or "")
        logs = str(told.get("logs") or "")
        trace = str(told.get("error_trace") or "")
        return "\n".join(part.rstrip("\n") for part in (logs, trace) if part) + ("\n" if logs or trace else "")


def _config(given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with its cluster at one place. Raises InvalidValue where there is none, or two."""
    config = dict(given)
    if "spark_version" in config:  # the specification of a new cluster itself
        of_run = {name: config.pop(name) for name in list(config) if name in _CONFIG}
        config = {**of_run, "new_cluster": {**config, **of_run.get("new_cluster", {})}}
    check_config(config, _CONFIG, "databricks")
    named = [name for name in ("new_cluster", "existing_cluster_id") if config.get(name)]
    if len(named) != 1:
        raise InvalidValue("the backend databricks needs a cluster"
                           + (", and its configuration names two" if named else ""),
                           hint='give a configuration with "existing_cluster_id", or with "new_cluster": '
                                '{"spark_version": …, "node_type_id": …, "num_workers": …}')
    folder = str(config.get("folder", _FOLDER))
    if not folder.startswith(("dbfs:/", "/Volumes/")) or ".." in folder.split("/"):
        raise InvalidValue.of("folder", folder, "it is no folder of DBFS or of a volume",
                              hint="write dbfs:/path or /Volumes/catalog/schema/volume/path")
    return config


def _workspace(job: Job, config: Mapping[str, Any]) -> tuple[Transport, str]:
    profile = config.get("profile")
    if profile is None and scheme_of(job.tracking_uri) == "databricks":
        profile = urlsplit(job.tracking_uri).netloc or None
    try:
        host, token = databricks_credentials(profile)
    except Unauthenticated as error:
        raise Unauthenticated(error.message, hint=_NO_HOST) from None
    return Transport(host, token=token), host


def _command(job: Job) -> tuple[list[str], bool]:
    """The words to run there, and whether as a script in the process that has the Spark session."""
    described: SparkJob | None = job.project.databricks_spark_job
    argv = list(job.command.argv)
    if described is None:
        return argv, False
    if described.python_file and job.project.entry_points:
        raise InvalidValue("the project has both entry points and databricks_spark_job.python_file",
                           hint="keep one of them in the MLproject file")
    if _PYTHON.fullmatch(argv[0]) or argv[0] == sys.executable:
        argv = argv[1:]
    if not argv or not argv[0].endswith(".py"):
        raise InvalidValue(f"the command of a Databricks Spark job is no Python script: {job.command.text}",
                           hint="write it as `python script.py …`, without pipes and variables of a shell")
    return argv, True


def _cluster(config: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    if config.get("existing_cluster_id"):
        return {"existing_cluster_id": config["existing_cluster_id"]}
    cluster = dict(config["new_cluster"])
    cluster["spark_env_vars"] = {**cluster.get("spark_env_vars", {}), **variables}
    return {"new_cluster": cluster}


def _libraries(job: Job, config: Mapping[str, Any]) -> list[Any]:
    libraries = list(config.get("libraries", []))
    described = job.project.databricks_spark_job
    lines = list(described.python_libraries) if described else []
    if isinstance(job.environment, Description) and job.environment_manager != "local":
        lines += job.environment.requirements
        if job.environment.conda is not None and job.environment.conda.own:
            named = ", ".join(job.environment.conda.own)
            raise InvalidValue(f"the project requires {named} of conda, which clusters of Databricks do not have",
                               hint="name packages of an index instead, or run with --env-manager local")
    for line in lines:
        if line.startswith("-") or "file:" in line:
            raise InvalidValue(f"the project requires {line!r}, which a cluster of Databricks cannot install",
                               hint="put the package on an index, or upload a wheel and name it in the configuration: "
                                    '"libraries": [{"whl": "dbfs:/…"}]')
        libraries.append({"pypi": {"package": line}})
    return libraries


def _uploaded(workspace: Transport, path: str, content: bytes) -> str:
    """Put a file there, unless it is there with as many bytes, and return its path."""
    if path.startswith("/Volumes/"):
        place = f"/api/2.0/fs/files{quoted(path)}"
        with contextlib.suppress(NotFound, EndpointNotFound):  # the answer to HEAD has no words
            found = workspace.request("HEAD", place, timeout=_SECONDS)
            if found.headers.get("Content-Length") == str(len(content)):
                return path
        workspace.request("PUT", f"/api/2.0/fs/directories{quoted(path.rpartition('/')[0])}", timeout=_SECONDS)
        workspace.request("PUT", place, query={"overwrite": "true"}, body=content, timeout=_UPLOAD_SECONDS)
        return path
    inside = path.removeprefix("dbfs:")
    with contextlib.suppress(NotFound):
        found = workspace.request("GET", f"{_DBFS}get-status", query={"path": inside}, timeout=_SECONDS)
        if found.json().get("file_size") == len(content):
            return path

    def ask(verb: str, **fields: Any) -> Any:
        # Not one by one again: a block that arrived and was not answered would be there twice.
        return workspace.request("POST", _DBFS + verb, json=fields, timeout=_SECONDS, retry=False).json()

    for left in reversed(range(_TRIES)):
        try:
            handle = ask("create", path=inside, overwrite=True)["handle"]
            for start in range(0, len(content), _BLOCK):
                ask("add-block", handle=handle, data=base64.b64encode(content[start:start + _BLOCK]).decode())
            ask("close", handle=handle)
            break
        except StoreUnavailable:
            if not left:
                raise
    return path
