"""``MLproject``: what a project says of itself. Text in, frozen dataclasses out; nothing else is looked at.

The format is MLflow's (https://mlflow.org/docs/latest/ml/projects/): a name, at most one environment, entry points with
typed parameters and a command. Beyond it, an entry point may say what it ``needs`` of others and what it ``makes``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from millstream import yaml_texts
from millstream.errors import InvalidValue

__all__ = [
    "TYPES", "DockerEnvironment", "EntryPoint", "Parameter", "ProjectFile", "SparkJob", "find_file", "parse",
    "project_of",
]

logger = logging.getLogger("millstream")
T = TypeVar("T")

TYPES = ("string", "float", "path", "uri")
FILE_NAME = "MLproject"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an entry point: ``string``, ``float``, ``path`` or ``uri``. Without a default it must be given."""

    name: str
    type: str = "string"
    default: str | None = None


@dataclass(frozen=True)
class EntryPoint:
    """A command with its parameters.

    ``command`` is a template with ``{name}`` where values go. ``needs`` names other entry points (``step``) or what
    they make (``step.output``), ``makes`` maps names to paths below the project's folder; ``code`` and ``data`` narrow
    down what files of the project it depends on (patterns; empty: all).
    """

    name: str
    command: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    makes: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class DockerEnvironment:
    """``docker_env``: an image, volumes as ``host:container[:mode]``, and variables: a name alone is copied from here
    (value None), one with a value is set."""

    image: str
    volumes: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class SparkJob:
    """``databricks_spark_job``: a Python file with its arguments, instead of a command, and libraries of an index."""

    python_file: str | None = None
    parameters: tuple[str, ...] = ()
    python_libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProjectFile:
    """A project: its name, its entry points by name, and where its environment is described (paths in its folder)."""

    name: str | None = None
    entry_points: Mapping[str, EntryPoint] = field(default_factory=dict)
    python_env: str | None = None
    conda_env: str | None = None
    docker_env: DockerEnvironment | None = None
    databricks_spark_job: SparkJob | None = None
    path: Path | None = None


def find_file(folder: Path) -> Path | None:
    """The ``MLproject`` of a folder, in whatever letter case its name is written; None when there is none.

    Raises InvalidValue where several files would be it.
    """
    found = sorted(entry for entry in folder.iterdir() if entry.name.lower() == FILE_NAME.lower() and entry.is_file())
    if len(found) > 1:
        exact = [path for path in found if path.name == FILE_NAME]
        if not exact:
            raise InvalidValue(f"{folder} has several project files: {', '.join(path.name for path in found)}",
                               hint=f"keep one, named {FILE_NAME}")
        found = exact
    return found[0] if found else None


def parse(text: str | bytes, path: Path | None = None) -> ProjectFile:
    """The project that a text describes; ``path`` is the name that errors give it.

    Raises InvalidValue naming the field that is wrong.
    """
    shown = str(path or FILE_NAME)
    try:
        content = yaml_texts.read(text)
    except InvalidValue as error:
        raise InvalidValue(f"{shown}: {error.message}", hint="correct the line that it names") from None
    return project_of({} if content is None else content, shown, path)


def project_of(content: Any, shown: str, path: Path | None, *, known: tuple[str, ...] = ()) -> ProjectFile:
    """The project of values that were read from a file, which errors call ``shown``; ``known`` names further keys."""
    reader = _Reader(shown)
    fields = reader.mapping(content, "the file")
    reader.only(fields, ("name", "python_env", "conda_env", "docker_env", "entry_points", "databricks_spark_job",
                         *known), "")
    given = [name for name in ("python_env", "conda_env", "docker_env") if fields.get(name) is not None]
    if len(given) > 1:
        reader.wrong(given[1], f"a project has one environment, and this one names {' and '.join(given)}",
                     "keep one of them")
    return ProjectFile(
        name=reader.text(fields.get("name"), "name"),
        entry_points={
            name: reader.entry_point(name, told)
            for name, told in reader.mapping(fields.get("entry_points") or {}, "entry_points").items()
        },
        python_env=reader.text(fields.get("python_env"), "python_env"),
        conda_env=reader.text(fields.get("conda_env"), "conda_env"),
        docker_env=_present(fields.get("docker_env"), reader.docker),
        databricks_spark_job=_present(fields.get("databricks_spark_job"), reader.spark_job),
        path=path,
    )


def _present(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)


class _Reader:
    """Takes values apart; what is wrong is said with the file and the field."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def wrong(self, where: str, reason: str, hint: str) -> NoReturn:
        raise InvalidValue(f"{self.shown}: {where}: {reason}", hint=hint)

    def mapping(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.wrong(where, f"names with values are expected, not {_shown(value)}", "write it as `name: value` lines")
        return {self.text(name, where) or "": content for name, content in value.items()}

    def only(self, fields: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for name in fields:
            if name not in known:
                logger.warning("%s: %s%s is not a field that is known, and has no effect", self.shown, where, name)

    def text(self, value: Any, where: str) -> str | None:
        """A text; numbers and truth values as Python writes them, which is what MLflow makes of them."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (list, dict)):
            self.wrong(where, f"a text is expected, not {_shown(value)}", "put one value there")
        return str(value)

    def texts(self, value: Any, where: str) -> tuple[str, ...]:
        if value is None:
            return ()
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list):
            self.wrong(where, f"a list is expected, not {_shown(value)}", "write it as lines that begin with `- `")
        return tuple(self.text(item, f"{where}[{index}]") or "" for index, item in enumerate(listed))

    def entry_point(self, name: str, told: Any) -> EntryPoint:
        where = f"entry_points.{name}"
        fields = {"command": told} if isinstance(told, str) else self.mapping(told, where)
        self.only(fields, ("parameters", "command", "needs", "makes", "code", "data"), f"{where}.")
        command = self.text(fields.get("command"), f"{where}.command")
        if not command or not command.strip():
            self.wrong(f"{where}.command", "an entry point needs a command", "write `command: python train.py`")
        return EntryPoint(
            name,
            command.strip(),
            {each: self.parameter(each, spec, f"{where}.parameters.{each}") for each, spec in
             self.mapping(fields.get("parameters") or {}, f"{where}.parameters").items()},
            self.texts(fields.get("needs"), f"{where}.needs"),
            {output: self.text(path, f"{where}.makes.{output}") or "" for output, path in
             self.mapping(fields.get("makes") or {}, f"{where}.makes").items()},
            self.texts(fields.get("code"), f"{where}.code"),
            self.texts(fields.get("data"), f"{where}.data"),
        )

    def parameter(self, name: str, spec: Any, where: str) -> Parameter:
        fields = self.mapping(spec, where) if isinstance(spec, dict) else {"type": spec}
        self.only(fields, ("type", "default"), f"{where}.")
        asked = (self.text(fields.get("type"), f"{where}.type") or "string").strip()
        # Users write `str`, `int`, `bool`; to MLflow everything that is none of its types is a string.
        return Parameter(name, asked if asked in TYPES else "string",
                         self.text(fields.get("default"), f"{where}.default"))

    def docker(self, told: Any) -> DockerEnvironment:
        fields = self.mapping(told, "docker_env")
        self.only(fields, ("image", "volumes", "environment"), "docker_env.")
        image = self.text(fields.get("image"), "docker_env.image")
        if not image:
            self.wrong("docker_env.image", "a docker environment needs an image", "write `image: name:tag`")
        return DockerEnvironment(image, self.texts(fields.get("volumes"), "docker_env.volumes"),
                                 tuple(self.variables(fields.get("environment"))))

    def variables(self, told: Any) -> list[tuple[str, str | None]]:
        where = "docker_env.environment"
        if told is None:
            return []
        if isinstance(told, dict):
            return [(name, self.text(value, f"{where}.{name}")) for name, value in self.mapping(told, where).items()]
        if not isinstance(told, list):
            self.wrong(where, f"a list is expected, not {_shown(told)}", "write names, or [name, value] pairs")
        found: list[tuple[str, str | None]] = []
        for index, item in enumerate(told):
            place = f"{where}[{index}]"
            if isinstance(item, list):
                if len(item) != 2:
                    self.wrong(place, f"a pair is a name and a value, and this has {len(item)}", "write [name, value]")
                found.append((self.text(item[0], place) or "", self.text(item[1], place) or ""))
            elif isinstance(item, dict):
                found += [(name, self.text(value, place)) for name, value in self.mapping(item, place).items()]
            else:
                found.append((self.text(item, place) or "", None))
        return found

    def spark_job(self, told: Any) -> SparkJob:
        where = "databricks_spark_job"
        fields = self.mapping(told, where)
        self.only(fields, ("python_file", "parameters", "python_libraries"), f"{where}.")
        return SparkJob(
            self.text(fields.get("python_file"), f"{where}.python_file"),
            self.texts(fields.get("parameters"), f"{where}.parameters"),
            self.texts(fields.get("python_libraries"), f"{where}.python_libraries"),
        )


def _shown(value: Any) -> str:
    kind = {list: "a list", dict: "names with values", type(None): "nothing"}.get(type(value), repr(value))
    return kind if len(kind) < 80 else kind[:80] + "…"
