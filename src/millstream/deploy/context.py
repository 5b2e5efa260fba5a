"""The folder that an image is built from: Dockerfile, the model, and what its environment needs; nothing else is read.

The image serves at port 8080, as a user without rights, with ``millstream models serve``. Its environment is built by
uv from ``environment/requirements.txt``. What a model names reaches no shell: commands are lists of words.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

from millstream._version import VERSION
from millstream.deploy import wheel
from millstream.environments.building import SEEDS, Environment
from millstream.environments.installing import AS_ARGUMENTS
from millstream.environments.lines import ARCHIVE, distribution_in
from millstream.errors import AlreadyExists, InvalidValue, NotSupported
from millstream.flavors import isolated, loading
from millstream.models.mlmodel import PYTHON_FUNCTION, Model
from millstream.serving.run import name_of

__all__ = ["PORT", "write_context"]

logger = logging.getLogger("millstream")

PORT = 8080
MODEL = "/opt/ml/model"  # where MLflow's images have it
_MARK = "written by `millstream models generate-dockerfile`"
_WORK = "/opt/environment"
_VENV = "/opt/venv"
_RELEASE = "bookworm"  # the Debian of the base image
_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*", re.ASCII | re.IGNORECASE)
_PATH = re.compile(r"(?:[^/@]*@\s*)?file://(?:localhost)?(?P<path>/[^;#\s]*)")
# What wheels take from the system, and the base image lacks.
_SYSTEM = {"lightgbm": "libgomp1"}
_JAVA = "default-jre-headless"
_NEED_JAVA = frozenset({"spark", "h2o", "johnsnowlabs"})
_PING = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PORT}/ping', timeout=4)"


def write_context(
    folder: str | os.PathLike[str], model_uri: str | None = None, *, env_manager: str | None = None,
    install_java: bool | None = None, install_mlflow: bool = False, base_image: str | None = None, force: bool = False,
) -> Path:
    """Write what an image is built from into ``folder``, which is there when it is whole, and return its path.

    Without a model the image serves the one that is mounted at /opt/ml/model, and builds its environment when it
    starts. Every environment manager means the same: one environment, built by uv. ``install_java`` None installs Java
    for the models that need it. The base image is Python's own of the model's version unless given; another has to have
    Python 3.10 or later as ``python``, pip and ``useradd``.

    Raises AlreadyExists for a folder with something in it, unless ``force`` replaces what was written there before,
    UntrustedModel for a model of unknown origin, InvalidValue for what is no image or no version, NotSupported for
    packages that only conda has, and as looking up the model does.
    """
    target = Path(folder).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        if not force:
            raise AlreadyExists(f"{target} is there already, with something in it",
                                hint="name another folder, or replace it with --force")
        if not _is_ours(target):
            raise AlreadyExists(f"{target} is there already, and holds more than this command writes",
                                hint="name another folder; only one that was written before is replaced")
    if base_image is not None and not _IMAGE.fullmatch(base_image):
        raise InvalidValue.of("base_image", base_image, "it is no name of an image")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        work.chmod(0o755)
        (work / "environment").mkdir()
        lines, model = _model(work, model_uri, env_manager, install_mlflow)
        java = install_java
        if java is None:
            java = model is not None and not _NEED_JAVA.isdisjoint(model.flavors)
        system = sorted({*(_SYSTEM[name] for name in map(distribution_in, lines) if name in _SYSTEM),
                         *([_JAVA] if java else []), *(["git"] if any("git+" in line for line in lines) else [])})
        text = _dockerfile(base_image or _base(model), system, _options(work, lines),
                           None if model_uri is None else name_of(model_uri))
        (work / "Dockerfile").write_text(text, encoding="utf-8")
        for path in work.rglob("*"):  # the image's user, who owns nothing, reads them
            path.chmod(0o755 if path.is_dir() else 0o644)
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds what :func:`write_context` writes, and nothing else: it is removed then."""
    try:
        names = set(os.listdir(folder))
        return names <= {"Dockerfile", "environment", "model"} and _MARK in (folder / "Dockerfile").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _model(
    work: Path, model_uri: str | None, manager: str | None, with_mlflow: bool
) -> tuple[list[str], Model | None]:
    """Copy the model and the files that it needs, and return the requirements of the image."""
    files = work / "environment"
    ours = wheel.requirement() or f"./{wheel.write(files).name}"
    if model_uri is None:
        isolated.managed(manager)
        return [ours], None
    folder = loading.fetch(model_uri)
    isolated.check_origin(folder)  # the image trusts it
    manager = isolated.managed(manager)
    wanted = isolated.environment_of(folder, manager=manager, with_mlflow=with_mlflow)
    if wanted.conda:
        raise NotSupported(
            f"the model needs packages of conda, which the image has not: {', '.join(wanted.conda.own)}",
            hint="save the model again with what it needs in pip_requirements",
        )
    lines = [*_seeds(wanted), *(_taken_along(line, files) for line in wanted.requirements), ours]
    (files / "constraints.txt").write_text("".join(f"{line}\n" for line in wanted.constraints), encoding="utf-8")
    shutil.copytree(folder, work / "model", ignore=shutil.ignore_patterns("__pycache__"))
    return lines, Model.load(folder)


def _seeds(wanted: Environment) -> list[str]:
    named = {distribution_in(line) for line in wanted.requirements}
    seeds = [SEEDS.get(line.strip(), line) for line in wanted.build]
    return [line for line in seeds if distribution_in(line) not in named]


def _taken_along(line: str, files: Path) -> str:
    """A requirement whose files are in the image: one that names a file of this machine takes it along."""
    if re.match(r"(?:--find-links|-f)[ =]+(?!https?:)", line):
        logger.warning("the image has no folder of packages of this machine: %s is left out", line)
        return ""
    found = _PATH.match(line)
    if found is None and not ARCHIVE.fullmatch(line):
        return line
    path = Path(unquote(found["path"]) if found else line).expanduser()
    if not path.is_file():
        raise InvalidValue(f"the model requires {line}, which is no file here that the image could get",
                           hint="build a wheel of it, and name that")
    shutil.copyfile(path, files / path.name)
    return f"./{path.name}"


def _options(work: Path, lines: Iterable[str]) -> list[str]:
    """Write the requirements, and return the options of uv that have no place in the file."""
    kept, options = [], []
    for line in filter(None, lines):
        name, _, value = line.replace("=", " ", 1).partition(" ") if line.startswith("--") else (line, "", "")
        if name in AS_ARGUMENTS:
            options += [*AS_ARGUMENTS[name], *([value.strip()] if value.strip() else [])]
        else:
            kept.append(line)
    (work / "environment" / "requirements.txt").write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    if (work / "environment" / "constraints.txt").exists():
        options += ["--constraints", "constraints.txt"]
    return options


def _base(model: Model | None) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if model is not None:
        version = str(model.flavors[PYTHON_FUNCTION].get("python_version") or version)
    if not _VERSION.fullmatch(version):
        raise InvalidValue(f"the model says that it needs Python {version!r}, of which there is no image",
                           hint="name one: --base-image python:3.11-slim")
    return f"python:{version}-slim-{_RELEASE}"


def _dockerfile(base: str, system: list[str], options: list[str], name: str | None) -> str:
    def words(*items: str) -> str:
        return json.dumps(list(items))

    python = f"{_VENV}/bin/python"
    install = words("python", "-m", "uv", "pip", "install", "--no-cache", "--compile-bytecode", "--python", python,
                    "--requirements", "requirements.txt", *options)
    serve = words(f"{_VENV}/bin/millstream", "models", "serve", "--model-uri", MODEL, "--host", "0.0.0.0", "--port",
                  str(PORT), "--no-sign-in", "--env-manager", *(["uv"] if name is None else ["local", "--name", name]))
    lines = [
        f"# A model served by Millstream {VERSION}; {_MARK}.",
        f"FROM {base}",
        "",
        "# Other package indexes: docker build --build-arg PIP_INDEX_URL=… --build-arg UV_DEFAULT_INDEX=…",
        "ARG PIP_INDEX_URL",
        "ARG UV_DEFAULT_INDEX",
        "",
        *([
            "# hadolint ignore=DL3008",
            "RUN apt-get update \\",
            f"    && apt-get install -y --no-install-recommends {' '.join(system)} \\",
            "    && rm -rf /var/lib/apt/lists/*",
            "",
        ] if system else []),
        f"RUN python -m pip install --no-cache-dir uv=={metadata.version('uv')} && python -m uv venv {_VENV} \\",
        "    && useradd --create-home --uid 10001 model",
        f"WORKDIR {_WORK}",
        "COPY environment/ ./",
        f"RUN {install}",
        "",
        *([f"COPY model/ {MODEL}/"] if name is not None else [f"VOLUME {words(MODEL)}"]),
        "",
        "USER 10001",
        "WORKDIR /home/model",
        "# Whoever built the image trusts the model in it; its logs are lines as they come.",
        "ENV MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION=true \\",
        f"    PATH={_VENV}/bin:$PATH \\",
        "    PYTHONUNBUFFERED=1",
        f"EXPOSE {PORT}",
        "HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \\",
        f"    CMD {words('python', '-c', _PING)}",
        "# Its processes: docker run -e MILLSTREAM_MODELS_WORKERS=4; options of the command follow the image's name.",
        f"ENTRYPOINT {serve}",
    ]
    return "\n".join(lines) + "\n"
