"""What a batch job is to do, and the YAML file that says it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from millstream import yaml_texts
from millstream.artifacts.uris import scheme
from millstream.errors import InvalidValue, NotFound

__all__ = ["BatchJob", "read_job"]

_DELTA = "delta:"
_LISTS = ("input", "keep")


@dataclass(frozen=True)
class BatchJob:
    """A model over data: ``input`` and ``output`` are files, folders or, as ``delta:PLACE``, Delta tables.

    ``mode`` ("append", "overwrite") is how a Delta table is written. ``keep`` are columns of the input that go beside
    the predictions. ``schedule`` is a cron expression in ``timezone``. Raises InvalidValue for what makes no job.
    """

    name: str
    model: str
    input: tuple[str, ...]
    output: str
    mode: str = "append"
    keep: tuple[str, ...] = ()
    params: dict[str, Any] | None = field(default=None, hash=False)
    env_manager: str = "local"
    schedule: str | None = None
    timezone: str = "UTC"
    experiment: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("append", "overwrite"):
            raise InvalidValue.of("mode", self.mode, "it is neither append nor overwrite")
        if not self.input:
            raise InvalidValue("a batch job has an input", hint="name files, a folder or a Delta table (delta:PLACE)")
        if len(self.input) > 1 and any(is_delta(one) for one in self.input):
            raise InvalidValue("a batch job reads one Delta table, or files", hint="make a job of each")


def is_delta(place: str) -> bool:
    """Whether a place is a Delta table: it says so, or a folder of this machine is one."""
    return place.startswith(_DELTA) or Path(place, "_delta_log").is_dir()


def place_of(named: str) -> str:
    """A place without the word that says what it is."""
    return named.removeprefix(_DELTA)


def read_job(path: Path, **others: Any) -> BatchJob:
    """The job in a YAML file; ``others`` that are not None take the place of what the file says.

    Places in it are relative to its folder, and its name is the job's unless it says another. Raises NotFound, and
    InvalidValue for what is not known, is missing or is of another type.
    """
    try:
        told = yaml_texts.read(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", hint="name the file of a batch job") from None
    if not isinstance(told, dict):
        raise InvalidValue(f"{path} holds no mapping", hint="it has name, model, input and output")
    known = {one.name for one in fields(BatchJob)}
    if unknown := [str(key) for key in told if key not in known]:
        raise InvalidValue(f"{path} has {unknown[0]!r}, which no batch job has",
                           hint=f"known are {', '.join(sorted(known))}")
    folder = path.absolute().parent
    made = {"name": path.stem, **told}
    for key, value in made.items():
        made[key] = _typed(path, key, value)
    for key in ("model", "output"):
        if key in made:
            made[key] = _below(folder, made[key])
    made["input"] = tuple(_below(folder, one) for one in made.get("input", ()))
    made |= {key: value for key, value in others.items() if value is not None}
    for key in ("model", "input", "output"):
        if not made.get(key):
            raise InvalidValue(f"{path} names no {key}", hint="a batch job has name, model, input and output")
    return BatchJob(**made)



def _typed(path: Path, key: str, value: Any) -> Any:
    if key in _LISTS:
        found = [value] if isinstance(value, str) else value
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return tuple(found)
        raise InvalidValue(f"{path}: {key} is {value!r}, expected text or a list of texts")
    if key == "params":
        if value is None or isinstance(value, dict):
            return value
        raise InvalidValue(f"{path}: params is {value!r}, expected names and values")
    if not isinstance(value, str):
        raise InvalidValue(f"{path}: {key} is {value!r}, expected text", hint="put it in quotes")
    return value


def _below(folder: Path, named: str) -> str:
    """A place as it is meant in a file of this folder."""
    word, place = (_DELTA, named.removeprefix(_DELTA)) if named.startswith(_DELTA) else ("", named)
    if scheme(place) or Path(place).is_absolute():
        return named
    return word + str(folder / place) + ("/" if place.endswith("/") else "")
