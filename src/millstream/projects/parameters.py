"""The parameters of an entry point: what was given and what it declares, put together."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from millstream.errors import InvalidValue, MissingValue
from millstream.projects.files import EntryPoint, Parameter

__all__ = ["local_values", "resolved"]

logger = logging.getLogger("millstream")


def resolved(entry_point: EntryPoint, given: Mapping[str, Any]) -> dict[str, str]:
    """The value of each parameter as text: those declared in their order, defaults included, then what is given beyond.

    Raises MissingValue naming the parameters that have no default and were not given.
    """
    texts = {str(name): str(value) for name, value in given.items()}
    missing = [name for name, one in entry_point.parameters.items() if name not in texts and one.default is None]
    if missing:
        named = f"no value for the parameter{'' if len(missing) == 1 else 's'} {', '.join(missing)}"
        raise MissingValue(f"{named} of the entry point {entry_point.name!r}",
                           hint="give " + " ".join(f"-P {name}=VALUE" for name in missing))
    found = {name: texts.pop(name, one.default or "") for name, one in entry_point.parameters.items()}
    for name, one in entry_point.parameters.items():
        if one.type == "float" and not _is_number(found[name]):
            # Passed on as it is, which MLflow does too.
            logger.warning("the parameter %s is declared as a float, and %r is no number", name, found[name][:80])
    return {**found, **texts}


def local_values(
    entry_point: EntryPoint, values: Mapping[str, str], folder: Path, *, given: Mapping[str, Any],
    tracking_uri: str, storage_dir: str | os.PathLike[str] | None = None,
) -> dict[str, str]:
    """The values as a command of this machine takes them.

    Those of type ``path`` become absolute paths, fetched first into a new folder of ``storage_dir`` where they name
    something elsewhere; local ones of type ``uri`` become absolute. Relative ones count from the working directory,
    defaults from the project's ``folder``. Raises InvalidValue for a path where nothing is, and what fetching raises.
    """
    found = dict(values)
    for name, one in entry_point.parameters.items():
        start = Path.cwd() if name in given else folder
        if one.type == "path":
            found[name] = _path(one, values[name], start, folder, tracking_uri, storage_dir)
        elif one.type == "uri":
            found[name] = _uri(one, values[name], start, folder)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _local(value: str) -> str | None:
    """The path that a value names on this machine; None for an address of another place."""
    split = urlsplit(value)
    if split.scheme == "file" and split.netloc in ("", "localhost"):
        return unquote(split.path)
    return value if len(split.scheme) < 2 else None


def _there(path: str, start: Path, folder: Path) -> Path | None:
    for place in (start / path, folder / path):
        if place.exists():
            return Path(os.path.abspath(place))
    return None


def _path(
    parameter: Parameter, value: str, start: Path, folder: Path, tracking_uri: str,
    storage_dir: str | os.PathLike[str] | None,
) -> str:
    path = _local(value)
    if path is None:
        target = _new_folder(storage_dir)
        logger.info("Fetching %s for the parameter %s", value, parameter.name)
        if urlsplit(value).scheme in ("http", "https"):
            from millstream.projects.sources import download

            name = os.path.basename(unquote(urlsplit(value).path)) or "download"
            return str(download(value, Path(target) / name))
        from millstream.tracking.files import download_artifacts

        return download_artifacts(value, dst_path=target, tracking_uri=tracking_uri)
    found = _there(os.path.expanduser(path), start, folder)
    if found is None:
        raise InvalidValue(f"the parameter {parameter.name} is a path, and nothing is at {start / path}",
                           hint="give the path of a file or folder that exists, or an address to fetch it from")
    return str(found)


def _uri(parameter: Parameter, value: str, start: Path, folder: Path) -> str:
    path = _local(value)
    if path is None:
        return value
    found = _there(os.path.expanduser(path), start, folder)
    if found is None:
        raise InvalidValue(f"the parameter {parameter.name} is a URI, and {value!r} is none, nor a path that exists",
                           hint="give an address with a scheme, such as s3://bucket/key, or a path that exists")
    return found.as_uri() if urlsplit(value).scheme == "file" else str(found)


def _new_folder(storage_dir: str | os.PathLike[str] | None) -> str:
    if storage_dir is not None:
        os.makedirs(storage_dir, exist_ok=True)
    return tempfile.mkdtemp(prefix="millstream-parameter-", dir=storage_dir)
