"""Projects as jobs of a Ray cluster, by the HTTP protocol of its job server: the library is not needed here.

https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from millstream import errors
from millstream.entities import RunStatus
from millstream.environments.descriptions import Description
from millstream.errors import (
    AlreadyExists,
    EndpointNotFound,
    InvalidValue,
    MillstreamError,
    StoreUnavailable,
    Unreachable,
)
from millstream.projects.backends import packing
from millstream.projects.backends.remote import (
    RemoteRun,
    Seen,
    check_config,
    is_loopback,
    refuse_image,
    seconds_of,
    tag,
    variables_of,
)
from millstream.projects.job import Job
from millstream.projects.loopback import is_embedded, served
from millstream.projects.submitted import SubmittedRun
from millstream.stores.http.transport import Transport

__all__ = ["RayBackend"]

_DEFAULT = "http://127.0.0.1:8265"
_JOBS = "/api/jobs/"
_SECONDS = 30.0
_UPLOAD_SECONDS = 600.0
_BEGIN_SECONDS, _PAUSE = 120.0, 1.0
_TAG = "millstream.project.ray_job"
_RESOURCES = ("entrypoint_num_cpus", "entrypoint_num_gpus", "entrypoint_memory")
_CONFIG: dict[str, tuple[type, ...]] = {
    "address": (str,), "headers": (dict,), "runtime_env": (dict,), "metadata": (dict,), "patience": (int, float),
    "entrypoint_resources": (dict,), "entrypoint_label_selector": (dict,), **dict.fromkeys(_RESOURCES, (int, float)),
}
_STATUSES = {
    "PENDING": RunStatus.SCHEDULED,
    "RUNNING": RunStatus.RUNNING,
    "SUCCEEDED": RunStatus.FINISHED,
    "FAILED": RunStatus.FAILED,
    "STOPPED": RunStatus.KILLED,
}


class RayBackend:
    """A Ray cluster.

    The configuration: ``address`` of the job server (RAY_API_SERVER_ADDRESS, RAY_ADDRESS, or port 8265 of this
    machine), ``headers`` of requests, ``runtime_env``, ``metadata`` and ``entrypoint_…`` as Ray takes them, and
    ``patience``, the seconds for which a silent cluster is asked again (600).
    """

    name = "ray"
    on_this_machine = False

    def submit(self, job: Job) -> SubmittedRun:
        """Send the project to the cluster and start its command there.

        Requirements of the project become Ray's ``pip``, or ``conda`` where they are of conda, unless the configuration
        has one of them or ``uv``, or the environment manager is ``local``. Raises Unreachable for a cluster that does
        not answer, InvalidValue for what it does not take.
        """
        refuse_image(job, self.name)
        config = job.backend_config
        check_config(config, _CONFIG, self.name)
        address = _address(config)
        server = Transport(address, headers=_headers(config), sign_in=False, describe=_describe)
        try:
            server.request("GET", "/api/version", timeout=_SECONDS, retry=False)
        except Unreachable as error:
            raise Unreachable(f"no Ray cluster answers at {address}: {error.message}",
                              hint='name its job server: {"address": "http://host:8265"} as the backend\'s '
                                   "configuration, or RAY_API_SERVER_ADDRESS; `ray start --head` starts one") from None
        except EndpointNotFound:
            raise InvalidValue(f"what answers at {address} is no job server of Ray",
                               hint='it needs the dashboard: pip install "ray[default]"') from None
        with contextlib.ExitStack() as until_end:
            here: str | None = None
            if is_loopback(address) and is_embedded(job.tracking_uri):
                here = until_end.enter_context(served(job.tracking_uri))
            run = self._submitted(job, server, variables_of(job, near=is_loopback(address), address=here))
            if here:
                run.when_ended(until_end.pop_all().close)
        return run.follow()

    def _submitted(self, job: Job, server: Transport, variables: Mapping[str, str]) -> _RayRun:
        config = job.backend_config
        submission = f"millstream-{job.run_id[:12]}-{secrets.token_hex(3)}"
        asked: dict[str, Any] = {
            "entrypoint": shlex.join(job.command.argv),  # the cluster gives it to a shell
            "submission_id": submission,
            "runtime_env": _runtime(job, variables, _uploaded(job, server)),
            "metadata": {"millstream.run_id": job.run_id, "project": job.project.name or job.folder.name,
                         **{name: str(value) for name, value in config.get("metadata", {}).items()}},
            **{name: config[name] for name in (*_RESOURCES, "entrypoint_resources", "entrypoint_label_selector")
               if name in config},
        }
        _asked(server, asked)
        tag(job, _TAG, submission)
        return _RayRun(job, server, submission, f"the Ray job {submission}", seconds_of(config))


class _RayRun(RemoteRun):
    def __init__(self, job: Job, server: Transport, submission: str, shown: str, patience: float | None) -> None:
        super().__init__(job, shown, patience=patience)
        self._server = server
        self._path = _JOBS + submission

    def _look(self) -> Seen | None:
        try:
            told = self._server.request("GET", self._path, timeout=_SECONDS, retry=False).json()
        except EndpointNotFound:
            return None
        message = str(told.get("message") or "")
        code = told.get("driver_exit_code")
        if code:
            message = f"its command ended with status {code}"
        return Seen(_STATUSES.get(str(told["status"]), RunStatus.RUNNING), message.partition("\n")[0])

    def _stop(self) -> None:
        with contextlib.suppress(EndpointNotFound):
            self._server.request("POST", f"{self._path}/stop", timeout=_SECONDS, retry=True)

    def _read(self) -> str:
        try:
            told = self._server.request("GET", f"{self._path}/logs", timeout=_SECONDS, retry=False).json()
            return str(told.get("logs") or "")
        except EndpointNotFound:
            return ""


def _asked(server: Transport, asked: Mapping[str, Any]) -> None:
    """Submit a job, again where the answer was lost or a cluster that has just begun takes none yet."""
    until = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            server.request("POST", _JOBS, json=asked, timeout=_SECONDS, retry=False)
            return
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        except AlreadyExists:  # its id is new: the answer was lost
            return


def _address(config: Mapping[str, Any]) -> str:
    for given in (config.get("address"), os.environ.get("RAY_API_SERVER_ADDRESS"), os.environ.get("RAY_ADDRESS")):
        # RAY_ADDRESS may be that of the cluster itself (host:6379, auto, ray://…), which speaks another protocol.
        if given and urlsplit(given).scheme in ("http", "https"):
            return str(given).rstrip("/")
    if config.get("address"):
        raise InvalidValue(f"{config['address']!r} is no address of Ray's job server",
                           hint="write http://host:8265, where the cluster's dashboard is")
    return _DEFAULT


def _headers(config: Mapping[str, Any]) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in config.get("headers", {}).items()}
    token = os.environ.get("RAY_AUTH_TOKEN")
    if not token and (path := os.environ.get("RAY_AUTH_TOKEN_PATH")):
        try:
            token = Path(path).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise InvalidValue(f"RAY_AUTH_TOKEN_PATH names {path}, which cannot be read: {error.strerror}",
                               hint="name the file with the cluster's token") from None
    if token and "authorization" not in map(str.lower, headers):
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _uploaded(job: Job, server: Transport) -> str:
    """Send the project's files, unless the cluster has them, and return the URI by which it knows them."""
    content = packing.zipped(job.folder)
    name = f"_ray_pkg_{packing.digest_of(content)[:32]}.zip"
    path = f"/api/packages/gcs/{name}"
    try:
        server.request("GET", path, timeout=_SECONDS)
    except EndpointNotFound:
        server.request("PUT", path, body=content, timeout=_UPLOAD_SECONDS)
    return f"gcs://{name}"


def _runtime(job: Job, variables: Mapping[str, str], files: str) -> dict[str, Any]:
    given = dict(job.backend_config.get("runtime_env", {}))
    made: dict[str, Any] = {"working_dir": files, **given}
    made["env_vars"] = {**{str(name): str(value) for name, value in given.get("env_vars", {}).items()}, **variables}
    described = job.environment
    if (not isinstance(described, Description) or job.environment_manager == "local"
            or {"pip", "uv", "conda"} & set(given)):
        return made
    lines = [_placed(line, job.folder) for line in described.requirements]
    if described.conda is not None and described.conda.own:
        made["conda"] = {"channels": list(described.conda.channels),
                         "dependencies": [*described.conda.packages, *([{"pip": lines}] if lines else [])]}
    elif lines:
        made["pip"] = lines
    return made


def _placed(line: str, folder: Path) -> str:
    """A requirement as the cluster finds it: a file of the project lies in the working directory there."""
    found = re.search(r"file://(?:localhost)?(?P<path>/[^\s;#]*)", line)
    if found is None:
        return line
    path = Path(unquote(found["path"]))
    if not path.is_relative_to(folder.resolve()):
        raise InvalidValue(f"the project requires {line}, a file that the cluster does not have",
                           hint="put it into the project's folder, or on a package index")
    return line.replace(found[0], "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/"
                        + path.relative_to(folder.resolve()).as_posix())


def _describe(status: int, content: bytes) -> MillstreamError | None:
    """Ray answers with texts, tracebacks among them, whose last line says it."""
    text = content.decode("utf-8", "replace").strip().removesuffix(".").strip()
    last = text.splitlines()[-1].strip() if text else ""
    if status == 404:
        return EndpointNotFound(last or "not found")
    if status in (401, 403):
        return errors.Unauthenticated(f"the Ray cluster does not let us in: {last}",
                                      hint="give its token: RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH=~/.ray/auth_token")
    if "already exists" in last:
        return AlreadyExists(last)
    if status in (502, 503, 504) or "try again later" in last:
        return errors.StoreUnavailable(f"the Ray cluster answered with status {status}: {last}")
    return MillstreamError(f"the Ray cluster answered with status {status}: {last}",
                           hint="its dashboard shows more; correct the backend's configuration")
