"""The one gate for files that run code when they are loaded: pickles, whatever library wrote them.

Nothing else in this package unpickles; a test reads the sources to see to it. Each function asks
:func:`millstream.models.trust.check` first and raises UntrustedModel where it says no. Names of MLflow's classes in a
pickle become ours where we have them, so that its models load without it.
"""

from __future__ import annotations

import importlib
import io
import pickle
import types
from pathlib import Path
from typing import Any, BinaryIO

from millstream._aliases import stand_in_for_mlflow
from millstream.errors import BadModel, CorruptModel, UntrustedModel
from millstream.models import trust

_THEIRS, _OURS = "mlflow", "millstream"
_WRITTEN_AS = "__written_as__"
_OPENERS = {None: None, "lzma": "lzma", "bzip2": "bz2", "gzip": "gzip"}


class _Unpickler(pickle.Unpickler):
    """Reads a pickle; a module of MLflow is ours of that name, where there is one."""

    def find_class(self, module: str, name: str) -> Any:
        if module == _THEIRS or module.startswith(f"{_THEIRS}."):
            for ours in (_OURS + module[len(_THEIRS):], "millstream.models.mlflow_names"):
                try:
                    found: Any = importlib.import_module(ours)
                    for part in name.split("."):
                        found = getattr(found, part)
                    return found
                except (ImportError, AttributeError):
                    continue
        if (module, name) == ("importlib", "import_module"):
            return _import_ours
        return super().find_class(module, name)


def _import_ours(name: str) -> Any:
    """The module of a class that was written under MLflow's name: ours, also where MLflow is installed."""
    return importlib.import_module(_OURS + name[len(_THEIRS):] if f"{name}.".startswith(f"{_THEIRS}.") else name)


def load(path: Path, *, compression: str | None = None) -> Any:
    """The object in a pickle (of pickle or cloudpickle), ``compression`` being lzma, bzip2, gzip or None.

    Raises UntrustedModel, CorruptModel, and BadModel when a module that it needs is not installed here.
    """
    trust.check(path)
    stand_in_for_mlflow()
    if compression not in _OPENERS:
        raise BadModel(f"{path} is compressed by {compression!r}, which is not known here",
                       hint=f"known are {', '.join(filter(None, _OPENERS))}")
    opener = _OPENERS[compression]
    with path.open("rb") if opener is None else importlib.import_module(opener).open(path, "rb") as stream:
        return _load(stream, path)


def _load(stream: BinaryIO, path: Path) -> Any:
    try:
        return _Unpickler(stream).load()
    except ModuleNotFoundError as error:
        raise _missing(path, error) from error
    except (pickle.UnpicklingError, EOFError, UnicodeDecodeError, OSError) as error:
        raise CorruptModel(f"{path} is not a whole pickle: {error}", hint="fetch or save the model again") from error


def _missing(path: Path, error: ModuleNotFoundError) -> BadModel:
    return BadModel(
        f"{path} needs the module {error.name!r}, which is not installed here",
        hint="install what the model's requirements.txt names, or predict in the model's own environment: "
             "millstream.models.predict(…, env_manager='uv')",
    )


def received(sent: bytes) -> Any:
    """The object that the process which started this one has pickled for it, over what only the two can write to: never
    what lay in a store or came over a network, which is for :func:`load`."""
    return pickle.loads(sent)  # noqa: S301


def load_joblib(path: Path) -> Any:
    """The object in a file that joblib wrote. Raises as :func:`load` does."""
    trust.check(path)
    import joblib

    try:
        return joblib.load(path)
    except ModuleNotFoundError as error:
        raise _missing(path, error) from error


def load_torch(path: Path, **options: Any) -> Any:
    """The object in a file that ``torch.save`` wrote, with its classes. Raises as :func:`load` does."""
    trust.check(path)
    import torch

    reader = types.ModuleType("millstream.models.pickles.reader")
    reader.__dict__.update({**vars(pickle), "Unpickler": _Unpickler})
    try:
        return torch.load(path, **{"weights_only": False, "pickle_module": reader, **options})
    except ModuleNotFoundError as error:
        raise _missing(path, error) from error
    except (pickle.UnpicklingError, EOFError) as error:
        raise CorruptModel(f"{path} is not a whole file of PyTorch: {error}", hint="save the model again") from error


def load_weights(path: Path, **options: Any) -> Any:
    """The tensors in a file that ``torch.save`` wrote, wherever it comes from: PyTorch reads nothing else, and so runs
    no code. Raises BadModel for a file that holds more."""
    import torch

    try:
        return torch.load(path, **{**options, "weights_only": True})
    except pickle.UnpicklingError as error:
        raise BadModel(f"{path} holds more than weights: {str(error).splitlines()[0]}",
                       hint="save model.state_dict(), or the model with save_model()") from None


def dumps(thing: Any) -> bytes:
    """``thing`` as cloudpickle writes it: what is defined in a program or notebook goes along by value.

    Classes of ours that MLflow has too are written under its name, so that its readers find them there.
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc, name-defined, unused-ignore]
        def reducer_override(self, obj: Any) -> Any:
            # A class is asked for a name of its own, not of a class it is made from.
            written = vars(obj).get(_WRITTEN_AS) if isinstance(obj, type) else None
            if written is not None:
                module, _, name = written.rpartition(".")
                return getattr, (_Module(module), name)
            return super().reducer_override(obj)

    stream = io.BytesIO()
    Pickler(stream, protocol=pickle.DEFAULT_PROTOCOL).dump(thing)
    return stream.getvalue()


def dump(thing: Any, path: Path) -> None:
    """Write ``thing`` into a file, see :func:`dumps`."""
    path.write_bytes(dumps(thing))


class _Module:
    """Stands in a pickle for a module by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.name,)


def allow(path: Path) -> None:
    """Ask whether ``path`` may run code when a library loads it by itself. Raises UntrustedModel."""
    trust.check(path)


__all__ = ["UntrustedModel", "allow", "dump", "dumps", "load", "load_joblib", "load_torch", "load_weights"]
