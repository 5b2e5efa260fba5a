"""What an evaluation leaves beside numbers: one class for each kind of file, under the names that MLflow gives them."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any, ClassVar

from millstream.errors import InvalidPath, InvalidValue


class EvaluationArtifact:
    """A file of a run and what it holds. ``content`` is read from the file's bytes when it is asked for first.

    A kind says what bytes hold (``_parse``) and how a content becomes bytes (``_render``).
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, uri: str, content: Any = None, *, data: bytes | None = None) -> None:
        self._uri = uri
        self._content = content
        self._data = data

    @property
    def uri(self) -> str:
        """Where the file is."""
        return self._uri

    @property
    def content(self) -> Any:
        """What the file holds; the type belongs to the kind of artifact."""
        if self._content is None and self._data is not None:
            self._content = self._parse(self._data)
        return self._content

    def __repr__(self) -> str:
        return f"{type(self).__name__}(uri={self._uri!r})"

    def write(self, file: Path) -> None:
        """Write the content to a local file."""
        file.write_bytes(self._render(self._content) if self._data is None else self._data)

    @classmethod
    def read(cls, uri: str, file: Path) -> EvaluationArtifact:
        """The artifact of ``uri``, whose bytes a local file has."""
        return cls(uri, data=file.read_bytes())

    def _parse(self, data: bytes) -> Any:
        return data

    def _render(self, content: Any) -> bytes:
        return bytes(content)


class ImageEvaluationArtifact(EvaluationArtifact):
    """A picture; its content is a Pillow image."""

    suffixes = (".png", ".jpg", ".jpeg")

    def _parse(self, data: bytes) -> Any:
        from PIL import Image

        return Image.open(io.BytesIO(data))

    def _render(self, content: Any) -> bytes:
        into = io.BytesIO()
        content.save(into, format="PNG")
        return into.getvalue()


class CsvEvaluationArtifact(EvaluationArtifact):
    """A table as comma-separated values; its content is a DataFrame."""

    suffixes = (".csv",)

    def _parse(self, data: bytes) -> Any:
        import pandas

        return pandas.read_csv(io.BytesIO(data))

    def _render(self, content: Any) -> bytes:
        return str(content.to_csv(index=False)).encode()


class ParquetEvaluationArtifact(EvaluationArtifact):
    """A table as Parquet; its content is a DataFrame."""

    suffixes = (".parquet",)

    def _parse(self, data: bytes) -> Any:
        import pandas

        return pandas.read_parquet(io.BytesIO(data))

    def _render(self, content: Any) -> bytes:
        into = io.BytesIO()
        content.to_parquet(into)
        return into.getvalue()


class NumpyEvaluationArtifact(EvaluationArtifact):
    """An array; its content is an ndarray, never of Python objects."""

    suffixes = (".npy",)

    def _parse(self, data: bytes) -> Any:
        import numpy

        return numpy.load(io.BytesIO(data), allow_pickle=False)

    def _render(self, content: Any) -> bytes:
        import numpy

        into = io.BytesIO()
        numpy.save(into, content, allow_pickle=False)
        return into.getvalue()


class JsonEvaluationArtifact(EvaluationArtifact):
    """JSON; its content is a dict or a list."""

    suffixes = (".json",)

    def _parse(self, data: bytes) -> Any:
        return json.loads(data)

    def _render(self, content: Any) -> bytes:
        return json.dumps(content, default=_plain).encode()


class TextEvaluationArtifact(EvaluationArtifact):
    """A text in UTF-8."""

    suffixes = (".txt",)

    def _parse(self, data: bytes) -> Any:
        return data.decode()

    def _render(self, content: Any) -> bytes:
        return str(content).encode()


class PickleEvaluationArtifact(EvaluationArtifact):
    """Any other object. Its content is there where it was made; read from a file it goes through the gate for code."""

    suffixes = (".pickle",)

    def _parse(self, data: bytes) -> Any:
        import tempfile

        from millstream.models import pickles

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / self._uri.rpartition("/")[2]
            file.write_bytes(data)
            return pickles.load(file)

    def _render(self, content: Any) -> bytes:
        return pickle.dumps(content)


KINDS: tuple[type[EvaluationArtifact], ...] = (
    ImageEvaluationArtifact,
    CsvEvaluationArtifact,
    ParquetEvaluationArtifact,
    NumpyEvaluationArtifact,
    JsonEvaluationArtifact,
    TextEvaluationArtifact,
    PickleEvaluationArtifact,
)


def kind_named(class_name: str) -> type[EvaluationArtifact]:
    """The kind that a saved result names, by the last part of the class's name; plain bytes for one not known here."""
    last = class_name.rpartition(".")[2]
    return next((kind for kind in KINDS if kind.__name__ == last), EvaluationArtifact)


def made_of(name: str, given: Any, folder: Path, uri: str) -> tuple[Path, EvaluationArtifact]:
    """The file below ``folder`` and the artifact that an object of a user becomes.

    A path or a JSON text is a file already, a figure becomes a PNG, a DataFrame CSV, an array .npy, a dict or list
    JSON, anything else a pickle. ``uri`` is where the folder goes. Raises InvalidValue for a text that is neither, and
    InvalidPath for a name that leaves the folder.
    """
    if "/" in name or "\\" in name or name in (".", ".."):
        raise InvalidPath(f"{name!r} is no name for an artifact", hint="a name without slashes, such as 'residuals'")
    if isinstance(given, os.PathLike) or (isinstance(given, str) and Path(given).is_file()):
        source = Path(given)
        kind = next((one for one in KINDS if source.suffix.lower() in one.suffixes), None)
        if kind is None or kind is PickleEvaluationArtifact or not source.is_file():
            endings = ", ".join(suffix for one in KINDS[:-1] for suffix in one.suffixes)
            raise InvalidValue(f"the artifact {name!r} is the file {str(given)!r}: expected one that ends in {endings}")
        file = folder / f"{name}{source.suffix}"
        if source.resolve() != file.resolve():
            shutil.copyfile(source, file)
        return file, kind.read(f"{uri}/{file.name}", file)
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise InvalidValue(
                f"the artifact {name!r} is the text {given[:100]!r}, neither the path of a file nor JSON"
            ) from None
        kind = JsonEvaluationArtifact
    else:
        kind = _kind_of(given)
    artifact = kind(f"{uri}/{name}{kind.suffixes[0]}", given)
    file = folder / f"{name}{kind.suffixes[0]}"
    if hasattr(given, "savefig"):
        given.savefig(file)
        return file, kind.read(artifact.uri, file)
    artifact.write(file)
    return file, artifact


def _kind_of(given: Any) -> type[EvaluationArtifact]:
    if hasattr(given, "savefig") or (hasattr(given, "getbbox") and hasattr(given, "save")):
        return ImageEvaluationArtifact
    if hasattr(given, "to_csv") and hasattr(given, "columns"):
        return CsvEvaluationArtifact
    if hasattr(given, "nbytes") and hasattr(given, "shape"):
        return NumpyEvaluationArtifact
    if isinstance(given, (dict, list, tuple)):
        return JsonEvaluationArtifact
    return PickleEvaluationArtifact


def _plain(value: Any) -> Any:
    """What JSON says for values of numpy, and for dates and times."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
