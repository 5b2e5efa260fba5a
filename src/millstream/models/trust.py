"""Which folders of models may run code when they are loaded.

A pickle runs whatever it says. So the gate (:mod:`millstream.models.pickles`) asks here: a model that this user saved
(its manifest carries his seal) may, one that was fetched from a store that is trusted may, any may when the setting
ALLOW_PICKLE_DESERIALIZATION is true, and none when it is false.
"""

from __future__ import annotations

import threading
from pathlib import Path

from millstream import settings
from millstream.errors import UntrustedModel
from millstream.models import manifest, mlmodel

REMEDY = (
    "load it from the tracking store or registry that you use (runs:/…, models:/…); or, if you know who made "
    "it: millstream models seal FOLDER, or set MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION=true"
)
_vouched: set[Path] = set()
_lock = threading.Lock()


def vouch(folder: Path) -> None:
    """Note that ``folder`` of this process holds what a trusted store gave."""
    with _lock:
        _vouched.add(folder.resolve())


def knows(path: Path) -> bool:
    """Whether ``path``, a file or folder of a model, is this user's own, or what a trusted store gave."""
    path = path.resolve()
    for folder in (path, *path.parents):
        if folder in _vouched:
            return True
        if (folder / mlmodel.FILE).is_file() and manifest.is_own(folder):
            return not path.is_file() or manifest.names(folder, path)
    return False


def check(path: Path) -> None:
    """Raises UntrustedModel unless ``path``, a file or folder of a model, may run code when it is loaded."""
    setting = settings.ALLOW_PICKLE_DESERIALIZATION
    allowed = setting.get()
    if allowed:
        return
    what = f"{path} runs code of its maker when it is loaded"
    if allowed is not None:
        raise UntrustedModel(f"{what}, and {setting.variables[0]} is false",
                             hint="ask for the model in a format without code, or unset the variable")
    if not knows(path):
        raise UntrustedModel(f"{what}, and nothing says that its maker is trusted", hint=remedy())


def remedy() -> str:
    """What whoever wants to use a model of unknown origin can do."""
    stores = settings.TRUSTED_STORES.get()
    if stores is None:
        return REMEDY
    return f"{settings.TRUSTED_STORES.variables[0]} trusts {stores or 'no store'} alone; {REMEDY}"
