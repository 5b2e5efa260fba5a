"""Projects in containers: ``docker_env`` of a project file, run by docker or podman."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from millstream.entities import RunStatus
from millstream.environments import engines
from millstream.errors import InvalidValue
from millstream.operations import GetExperiment
from millstream.projects.backends import images
from millstream.projects.backends.client import ClientRun
from millstream.projects.backends.remote import check_config, is_loopback, tag
from millstream.projects.commands import Command
from millstream.projects.files import DockerEnvironment
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from millstream.stores.opening import folder_of, scheme_of
from millstream.tracking import stores
from millstream.tracking.tags import MLFLOW_DOCKER_IMAGE_ID, MLFLOW_DOCKER_IMAGE_URI

__all__ = ["DockerBackend", "command_of"]

_ELSEWHERE = "install docker or podman, or run the project without docker_env: --env-manager local or virtualenv"
_STOP_SECONDS = 10
_CONFIG: dict[str, tuple[type, ...]] = {"engine": (str,)}
# What signs a program in, copied where it is set: at the store by the store's scheme, at its files by theirs.
_TRACKING = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
             "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_WORKSPACE")
_SIGN_IN = {
    "http": _TRACKING,
    "https": _TRACKING,
    "databricks": ("DATABRICKS_HOST", "DATABRICKS_TOKEN"),
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION",
           "MLFLOW_S3_ENDPOINT_URL", "MLFLOW_S3_IGNORE_TLS"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "wasbs": ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCESS_KEY"),
    "abfss": ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCESS_KEY"),
}
_FILES = ("GOOGLE_APPLICATION_CREDENTIALS",)  # those name a file, which is put at the same place


class DockerBackend:
    """Containers on this machine. The configuration may name the ``engine``: docker or podman."""

    name = "docker"
    on_this_machine = True

    def submit(self, job: Job) -> SubmittedRun:
        """Run the command in a container of the project's image, built before where the job says so.

        Raises InvalidValue for a project without ``docker_env`` and names that are none, EnvironmentFailed where there
        is no engine or it fails.
        """
        from millstream.projects.backends.local import LocalBackend

        environment = _environment(job)
        check_config(job.backend_config, _CONFIG, self.name)
        engine = engines.find(job.backend_config.get("engine"), wanted="the project does not run", hint=_ELSEWHERE)
        image = environment.image
        if job.build_image:
            image = images.name_of(job)
            tag(job, MLFLOW_DOCKER_IMAGE_ID, images.build(job, environment.image, image, engine))
        tag(job, MLFLOW_DOCKER_IMAGE_URI, image)
        container = f"millstream-{job.run_id[:12]}-{secrets.token_hex(3)}"
        argv = command_of(job, engine, image, container)
        inner = LocalBackend().submit(dataclasses.replace(
            job, command=Command(tuple(argv)), environment=None, environment_manager="local",
        ))
        return _Container(inner, engine, container)


class _Container(ClientRun):
    """A container: the engine's client on this machine may end while it lives on."""

    def __init__(self, client: SubmittedRun, engine: str, container: str) -> None:
        super().__init__(client)
        self._stop = [engine, "stop", "--time", str(_STOP_SECONDS), container]

    def cancel(self) -> None:
        """End the client and stop the container, which lives on where the client was killed."""
        if RunStatus.is_terminated(self.get_status()):
            return
        stop = subprocess.Popen(self._stop, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        self._client.cancel()
        with contextlib.suppress(subprocess.TimeoutExpired):
            stop.wait(2 * _STOP_SECONDS)


def command_of(job: Job, engine: str, image: str, container: str) -> list[str]:
    """The words that run a job's command in a container of this name.

    What the job is told goes by name: values, which may be secret, stand in the environment of the engine's client and
    not in its words. A store and files that are on this machine, and what parameters of type ``path`` name, are mounted
    where they are; a store that is served on loopback is reached by the host's network. Raises InvalidValue for names
    that are none.
    """
    environment = _environment(job)
    engines.checked_name(image, parameter="image", digest=True)
    words = [engine, "run", "--rm", "--name", container]
    if Path(engine).name == "docker":
        words.append("--init")  # signals reach a program that is not made to be the first of a system
    uri = job.variables.get("MLFLOW_TRACKING_URI") or job.tracking_uri
    location = stores.store(job.tracking_uri).execute(GetExperiment(job.experiment_id)).experiment.artifact_location
    if is_loopback(uri) and not {"network", "net"} & set(job.docker_args):
        words += ["--network", "host"]
    mounted = dict.fromkeys(filter(None, (_folder_of(uri), _folder_of(location))), "")
    names = dict.fromkeys([*job.variables, *_signing_in(uri, location)])
    for name in _FILES:
        if name in names and os.path.isfile(os.environ[name]):
            mounted[os.path.abspath(os.environ[name])] = ":ro"
    for path in job.paths:
        mounted.setdefault(path, ":ro")
    given = {volume.split(":")[1] for volume in environment.volumes if ":" in volume}
    for path, mode in mounted.items():
        if path not in given and not any(Path(path).is_relative_to(other) for other in mounted if other != path):
            words += ["--volume", f"{path}:{path}{mode}"]
    for name in names:
        words += ["--env", name]
    for volume in environment.volumes:
        words += ["--volume", volume]
    for name, value in environment.environment:
        words += ["--env", name if value is None else f"{name}={value}"]
    return [*words, *images.options_of(job.docker_args), image, *job.command.argv]


def _environment(job: Job) -> DockerEnvironment:
    environment = job.project.docker_env
    if environment is None:
        raise InvalidValue("the project has no docker_env, which says the image that it runs in",
                           hint="write `docker_env: {image: name:tag}` into the MLproject file")
    for name, _ in environment.environment:
        if not name or "=" in name or "\0" in name:
            raise InvalidValue.of("docker_env.environment", name, "it is no name of a variable")
    return environment


def _folder_of(uri: str) -> str | None:
    """The folder of this machine that a store or a place for files is in, made where it is not there yet."""
    scheme = scheme_of(uri).partition("+")[0]
    if scheme in ("", "file"):
        folder = folder_of(uri)
    elif scheme == "sqlite":
        folder = Path(unquote(urlsplit(uri).path)[1:]).absolute().parent
    else:
        return None
    folder.mkdir(parents=True, exist_ok=True)  # the engine would make it, and own it
    return str(folder)


def _signing_in(*uris: str) -> Iterator[str]:
    for uri in uris:
        for name in _SIGN_IN.get(scheme_of(uri), ()):
            if os.environ.get(name):
                yield name
