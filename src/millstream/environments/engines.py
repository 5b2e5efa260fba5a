"""Container engines of this machine: docker and podman, called with lists of words."""

from __future__ import annotations

import re
import shutil

from millstream.errors import EnvironmentFailed, InvalidValue

__all__ = ["ENGINES", "checked_name", "find"]

ENGINES = ("docker", "podman")
# https://github.com/distribution/reference: host/path/name:tag, and @sha256:… behind it
_NAME = re.compile(
    r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]{1,5})?/)?[a-z0-9]+(?:(?:\.|__?|-+|/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?",
    re.ASCII,
)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")


def find(engine: str | None = None, *, wanted: str, hint: str) -> str:
    """The path of an engine: of the one that is named, else of the first that is here.

    Raises InvalidValue for what is none, and EnvironmentFailed where there is none: ``wanted`` says in a sentence what
    does not happen then, ``hint`` what else does it.
    """
    if engine is not None and engine not in ENGINES:
        raise InvalidValue.of("engine", engine, f"it is none of {', '.join(ENGINES)}")
    found = next((path for one in ([engine] if engine else ENGINES) if (path := shutil.which(one))), None)
    if found is None:
        raise EnvironmentFailed(f"there is no {engine or ' or '.join(ENGINES)} on this machine, so {wanted}", hint=hint)
    return found


def checked_name(name: str, *, parameter: str = "name", digest: bool = False) -> str:
    """The name of an image as it is; with ``digest`` it may end in one. Raises InvalidValue for what is none."""
    plain = _DIGEST.sub("", name, count=1) if digest else name
    if not _NAME.fullmatch(plain) or not (plain == name or name.startswith(f"{plain}@")):
        raise InvalidValue.of(parameter, name, "it is no name of an image",
                              hint="write it like my-model or host/team/model:1")
    return name
