"""How the name is given: an import finder for what is below it, and the package itself standing for Millstream's."""

from __future__ import annotations

import importlib
import os
import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import millstream

TYPE_CHECKING = False  # the module typing costs more than this one
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_OWN = frozenset({"mlflow._names", "mlflow.version", "mlflow.__main__"})
_OFFICIAL = ("mlflow", "mlflow_skinny", "mlflow_tracing")


def refuse_company() -> None:
    """Two packages in one folder are neither of them: raise ImportError when the official one is installed too."""
    place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = [
        entry.partition("-")[0].replace("_", "-") for entry in sorted(os.listdir(place))
        if entry.endswith(".dist-info") and entry.partition("-")[0] in _OFFICIAL
    ]
    if found:
        names = " ".join(found)
        raise ImportError(
            f"both the official {names} and Millstream's millstream-mlflow are installed as `mlflow`, and have "
            f"overwritten each other's files. To keep Millstream: pip uninstall -y {names} millstream-mlflow, then "
            f"install millstream-mlflow again. To keep the official one: pip uninstall -y millstream-mlflow {names}, "
            f"then install {names} again.",
            name="mlflow",
        )


class _Stands:
    """Puts Millstream's module in the place of the one that was asked for."""

    def __init__(self, target: str) -> None:
        self.target = target

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.target)


class _Finder:
    """Finds ``mlflow.a.b`` where ``millstream.a.b`` is."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("mlflow.") or fullname in _OWN:
            return None
        stands = f"millstream.{fullname.removeprefix('mlflow.')}"
        # A module that is an alias itself may be loaded already without a spec of this name.
        if stands not in sys.modules and find_spec(stands) is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}: Millstream has no {stands!r}", name=fullname)
        return ModuleSpec(fullname, _Stands(stands), is_package=True)  # type: ignore[arg-type]


class _Name(types.ModuleType):
    """The package itself: everything but what Python keeps about a module is Millstream's."""

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(millstream, name)
        except AttributeError:
            raise AttributeError(f"module 'mlflow' has no attribute {name!r}: Millstream has none") from None

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__ or name.startswith("__") or f"mlflow.{name}" in _OWN:
            super().__setattr__(name, value)
        else:
            setattr(millstream, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(millstream, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(millstream), *(name for name in self.__dict__ if name.startswith("__"))})


def install(package: types.ModuleType) -> list[str]:
    """Make ``package`` stand for Millstream's; returns the names that it exports."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    package.__class__ = _Name
    return [name for name in millstream.__all__ if not name.startswith("__")]
