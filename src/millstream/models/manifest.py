"""The manifest of a model folder: the SHA-256 of every file, written when it is saved and checked before it is loaded.

``manifest.json`` holds ``{"format": 1, "files": {path: {"sha256": …, "size": …}}, "seal": …}``. The seal is the HMAC
(RFC 2104, SHA-256) of the files under the key of the user who saved the model: by it his own models are told from
others', wherever they were copied. Models of MLflow have no manifest; they are loaded as they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from millstream import settings
from millstream.errors import CorruptModel

FILE = "manifest.json"
FORMAT = 1
# A registry adds it to a copy of a model that is fetched from there; caches of Python lie in nobody's manifest.
_ADDED_LATER = frozenset({FILE, "registered_model_meta"})


def digest(path: Path) -> tuple[str, int]:
    """The SHA-256 of a file (hexadecimal), and its size in bytes."""
    sha256, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            size += len(chunk)
    return sha256.hexdigest(), size


def write(folder: Path, *, sealed: bool = True) -> None:
    """Write the manifest of a folder as it is now, sealed by this user unless ``sealed`` is false."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(_files(folder)):
        sha256, size = digest(folder / path)
        files[path] = {"sha256": sha256, "size": size}
    seal = _seal(files, _own_key()) if sealed else None
    text = json.dumps({"format": FORMAT, "files": files, "seal": seal}, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def change(path: Path, files: list[Path]) -> None:
    """Enter ``files``, by their names, into the manifest at ``path``; sealed by this user if it was before."""
    was_own = is_own(path.parent)
    found = read(path.parent) or {"format": FORMAT, "files": {}}
    for file in files:
        sha256, size = digest(file)
        found["files"][file.name] = {"sha256": sha256, "size": size}
    # Who changes a file of someone else's model does not vouch for the others.
    found["seal"] = _seal(found["files"], _own_key()) if was_own else None
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None when it has none. Raises CorruptModel for one that is not readable."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        files = found["files"]
        if not all(isinstance(one["sha256"], str) and isinstance(one["size"], int) for one in files.values()):
            raise ValueError("a file without sha256 and size")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptModel(f"the manifest {folder / FILE} is not readable: {error}", hint=_HINT) from None
    return found  # type: ignore[no-any-return]


def check(folder: Path) -> None:
    """Compare a folder with its manifest, if it has one. Raises CorruptModel, which names the first file that differs.

    Files that the manifest does not name are not looked at: they are not what was saved, and nothing trusts them.
    """
    found = read(folder)
    if found is None:
        return
    for name, expected in found["files"].items():
        path = folder / name
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise CorruptModel(f"the manifest {folder / FILE} names {name!r}, outside of the model", hint=_HINT)
        if not path.is_file():
            raise CorruptModel(f"the model at {folder} lacks its file {name}", hint=_HINT)
        sha256, size = digest(path)
        if size != expected["size"] or sha256 != expected["sha256"]:
            what = f"it has {size} bytes, not {expected['size']}" if size != expected["size"] else "its SHA-256 differs"
            raise CorruptModel(f"the file {name} of the model at {folder} is not what was saved: {what}", hint=_HINT)


_HINT = "fetch or save the model again; if you changed the file yourself, say so with: millstream models seal FOLDER"


def is_own(folder: Path) -> bool:
    """Whether the manifest of a folder carries the seal of this user."""
    found = read(folder)
    key = _own_key(make=False)
    if found is None or key is None:
        return False
    return hmac.compare_digest(str(found.get("seal")), _seal(found["files"], key))


def names(folder: Path, file: Path) -> bool:
    """Whether the manifest of a folder vouches for a file in it."""
    found = read(folder)
    return found is not None and file.relative_to(folder).as_posix() in found["files"]


def _files(folder: Path) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in names]
    return [name for name in found if name not in _ADDED_LATER]


def _seal(files: dict[str, Any], key: bytes) -> str:
    text = json.dumps(files, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key_path() -> Path:
    named = settings.KEY_FILE.get()
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or ""
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".config")
    return Path(home) / "millstream" / "key"


def _own_key(make: bool = True) -> Any:
    """This user's key, 32 bytes; made when there is none yet, or None."""
    path = _key_path()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not make:
            return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(32))
        try:
            os.link(fresh, path)  # of two processes one wins, and both read the winner's
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return path.read_bytes()
    except OSError:  # no home, or a read-only one: the model is saved all the same, sealed by nobody
        return secrets.token_bytes(32)
