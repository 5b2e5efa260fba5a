"""Images of projects: the image that a project names, with the project's files in it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millstream.environments import engines
from millstream.errors import EnvironmentFailed, InvalidValue
from millstream.projects.backends import packing
from millstream.projects.job import Job

__all__ = ["CODE", "build", "name_of", "options_of", "push"]

CODE = "/mlflow/projects/code"  # where MLflow's images have the project
_DIGITS = 7  # digits of a commit, as MLflow tags its images
_OPTION = re.compile(r"[a-z][a-z0-9-]*")


def name_of(job: Job, repository: str | None = None) -> str:
    """The name of a job's image: the repository, else the project's name, with the commit or the content as its tag."""
    if repository is None:
        if not job.project.name:
            raise InvalidValue("the project has no name, which its image would have",
                               hint="write `name: my-project` into the MLproject file")
        repository = re.sub(r"[^a-z0-9]+", "-", job.project.name.lower()).strip("-") or "project"
    if ":" in repository.rpartition("/")[2]:
        return repository
    version = job.source.commit or packing.digest_of(packing.tarball(job.folder))
    return f"{repository}:{version[:_DIGITS]}"


def build(job: Job, base: str, name: str, engine: str) -> str:
    """Build the image ``name`` of the image ``base`` with the project's files, and return its id.

    Raises InvalidValue for what is no name of an image, and EnvironmentFailed with what the engine said.
    """
    engines.checked_name(base, parameter="image", digest=True)
    engines.checked_name(name)
    with tempfile.TemporaryDirectory(prefix="millstream-image-") as scratch:
        packing.copy_to(job.folder, Path(scratch, "project"))
        Path(scratch, "Dockerfile").write_text(f"FROM {base}\nCOPY project/ {CODE}/\nWORKDIR {CODE}/\n")
        _called([engine, "build", "--tag", name, "."], "no image was built", cwd=scratch)
    return _called([engine, "image", "inspect", "--format", "{{.Id}}", name], "the image that was built is not found")


def push(name: str, engine: str, auth: Mapping[str, Any] | None) -> str:
    """Push an image to its registry, and return its name with the digest that it has there.

    ``auth`` is as the Python client of docker takes it: ``username``, ``password`` and, unless the name says it,
    ``registry``. They are for this push: they are kept in a folder of its own, and reach no command line. Raises
    EnvironmentFailed with what the engine said.
    """
    with tempfile.TemporaryDirectory(prefix="millstream-sign-in-") as scratch:
        variables: dict[str, str] = {}
        if auth:
            where = auth.get("registry") or auth.get("serveraddress") or name.partition("/")[0]
            if not isinstance(auth.get("username"), str) or not isinstance(auth.get("password"), str):
                raise InvalidValue("docker_auth needs a username and a password",
                                   hint='give {"username": …, "password": …}, or sign in before: docker login HOST')
            variables = {"DOCKER_CONFIG": scratch, "REGISTRY_AUTH_FILE": str(Path(scratch, "config.json"))}
            _called([engine, "login", "--username", auth["username"], "--password-stdin", "--", str(where)],
                   f"{where} did not let {auth['username']} in", given=auth["password"], variables=variables)
        _called([engine, "push", "--", name], "the image was not pushed", variables=variables)
    told = _called([engine, "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', name],
                  "the image that was pushed is not found")
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return next((line for line in told.splitlines() if line.startswith(f"{repository}@")), name)


def _called(
    command: list[str], otherwise: str, *, cwd: str | None = None, given: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What an engine answers on stdout; raises EnvironmentFailed with its last words."""
    try:
        done = subprocess.run(
            command, cwd=cwd, input=given, stdin=subprocess.DEVNULL if given is None else None, capture_output=True,
            text=True, errors="replace", check=False, env={**os.environ, **(variables or {})},
        )
    except OSError as error:
        raise EnvironmentFailed(f"{command[0]} does not start: {error}", hint="install docker or podman") from None
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-3:])
        raise EnvironmentFailed(f"{otherwise}: {Path(command[0]).name} {command[1]} ended with status "
                                f"{done.returncode}: {said}", hint="correct what it names, and try again")
    return done.stdout.strip()


def options_of(arguments: Mapping[str, Any]) -> list[str]:
    """The options of ``docker run`` that a user gave: names with values, a list for several, True for a flag.

    Raises InvalidValue for what is no name of an option.
    """
    made: list[str] = []
    for name, value in arguments.items():
        if not _OPTION.fullmatch(name) and not re.fullmatch(r"[A-Za-z]", name):
            raise InvalidValue.of("docker_args", name, "it is no option of `docker run`",
                                  hint="write the name without dashes: -A gpus=all, -A t")
        option = f"-{name}" if len(name) == 1 else f"--{name}"
        if value is True or value is None:
            made.append(option)
        elif value is not False:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                made += [option, str(one)]
    return made
