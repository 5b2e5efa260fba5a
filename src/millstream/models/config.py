"""The configuration that a model written as a script reads.

While it is developed, the script reads its own configuration; when the model is loaded with another one, that is what
the same lines of the script get.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from millstream import yaml_texts
from millstream.errors import InvalidValue

# The name under which a script that was run with a configuration holds it.
OF_SCRIPT = "__model_config__"
_given: ContextVar[Mapping[str, Any] | None] = ContextVar("model configuration", default=None)


class ModelConfig:
    """The configuration of a model: what it was loaded with, else ``development_config``.

    ``development_config`` is a dict, or the path of a YAML file, which is looked for from the working directory. Raises
    FileNotFoundError when there is neither, or no such file, and InvalidValue for a file that holds no mapping.
    """

    def __init__(self, *, development_config: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> None:
        given = _given.get()
        if given is None:  # the script has run; its functions still find what it was run with
            given = sys._getframe(1).f_globals.get(OF_SCRIPT)
        chosen = given if given is not None else development_config
        if chosen is None:
            raise FileNotFoundError(
                "this model has no configuration: load it with model_config={…}, or give ModelConfig a"
                " development_config, a dict or the path of a YAML file"
            )
        self._fields = dict(chosen) if isinstance(chosen, Mapping) else _read(Path(chosen))

    def get(self, key: str) -> Any:
        """What is configured under ``key``. Raises KeyError, which names the keys that there are."""
        if key not in self._fields:
            known = ", ".join(map(repr, self._fields)) or "nothing"
            raise KeyError(f"{key!r} is not in the configuration of the model, which has {known}")
        return self._fields[key]

    def to_dict(self) -> dict[str, Any]:
        """The whole configuration."""
        return dict(self._fields)

    def __repr__(self) -> str:
        return f"ModelConfig({self._fields!r})"


@contextmanager
def given(model_config: Mapping[str, Any] | None) -> Iterator[None]:
    """While it is open, ``model_config`` is what :class:`ModelConfig` holds; None leaves each script its own."""
    token = _given.set(model_config)
    try:
        yield
    finally:
        _given.reset(token)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"the configuration of the model, {path}, does not exist (in {Path.cwd()})")
    try:
        fields = yaml_texts.read(path.read_text(encoding="utf-8"))
    except InvalidValue as error:
        raise InvalidValue(f"the file {path} cannot be read: {error.message}") from None
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise InvalidValue(
            f"the file {path} holds a {type(fields).__name__}, and no configuration",
            hint="write names with their values: learning_rate: 0.1",
        )
    return fields
