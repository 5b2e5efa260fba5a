"""The client's calls on the files of runs."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from millstream.entities import FileInfo, Run, RunTag
from millstream.errors import ArtifactInUse, ArtifactNotFound, EndpointNotFound, InvalidValue, NotSupported
from millstream.operations import FindArtifactPin, GetRun, LogBatch, SearchRuns
from millstream.operations.paging import pages
from millstream.tracking.client.base import Calls
from millstream.tracking.columns import projection
from millstream.tracking.tags import MLFLOW_LOGGED_ARTIFACTS, MLFLOW_LOGGED_IMAGES

if TYPE_CHECKING:
    import io

    from numpy import ndarray
    from pandas import DataFrame
    from PIL.Image import Image as PilImage

    from millstream.artifacts.contract import ArtifactStore
    from millstream.tracking.media import Image

_CHUNK = 1 << 20


class ArtifactCalls(Calls):
    """Files of runs: written, listed, fetched and removed. All is done when a call returns."""

    def log_artifact(
        self, run_id: str, local_path: str | os.PathLike[str], artifact_path: str | os.PathLike[str] | None = None
    ) -> None:
        """Store a local file (or folder) under its own name in the folder ``artifact_path`` of a run.

        Raises FileNotFoundError for a local path where nothing is, and InvalidPath.
        """
        _check_there(local_path)
        self._artifacts(run_id).log_artifact(os.fspath(local_path), _folder(artifact_path))

    def log_artifacts(
        self, run_id: str, local_dir: str | os.PathLike[str], artifact_path: str | os.PathLike[str] | None = None
    ) -> None:
        """Store everything below a local folder in the folder ``artifact_path`` of a run.

        Raises FileNotFoundError for a local folder that is not there, and InvalidPath.
        """
        _check_there(local_dir)
        self._artifacts(run_id).log_artifacts(os.fspath(local_dir), _folder(artifact_path))

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Store a text (UTF-8) as the file ``artifact_file``."""
        if not isinstance(text, str):
            raise TypeError(f"a text is expected, not {type(text).__name__}; log_dict() and log_table() take others")
        self._store_file(run_id, artifact_file, text.encode())

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
        """Store a dictionary (or list) as JSON, or as YAML where the file's name ends in ``.yml`` or ``.yaml``.

        What JSON does not have is stored as its text.
        """
        if artifact_file.lower().endswith((".yml", ".yaml")):
            import yaml

            text = yaml.dump(dictionary, indent=2, default_flow_style=False, sort_keys=False)
        else:
            text = json.dumps(dictionary, indent=2, default=str)
        self._store_file(run_id, artifact_file, text.encode())

    def log_stream(self, run_id: str, stream: io.BufferedIOBase | io.RawIOBase, artifact_file: str) -> None:
        """Store what a binary stream gives, from where it stands, without holding it in memory."""
        self._artifacts(run_id).write(_file(artifact_file), _chunks(stream))

    def log_figure(
        self, run_id: str, figure: Any, artifact_file: str, *,
        save_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Store a figure of matplotlib or plotly in the format that the file's name ends in.

        ``save_kwargs`` go to the library's own function. Raises TypeError for what is no figure.
        """
        from millstream.tracking.media import encode_figure

        self._store_file(run_id, artifact_file, encode_figure(figure, _file(artifact_file), save_kwargs))

    def log_image(
        self, run_id: str, image: ndarray[Any, Any] | PilImage | Image, artifact_file: str | None = None,
        key: str | None = None, step: int | None = None, timestamp: int | None = None, synchronous: bool | None = None,
    ) -> None:
        """Store an image: as ``artifact_file``, or as one of a series under ``key`` at ``step`` and ``timestamp``.

        ``timestamp`` is in milliseconds since the epoch, now unless given. The image is stored when the call returns,
        whatever ``synchronous`` says. Raises TypeError for what is no image, and unless the arguments fit together.
        """
        from millstream.tracking.media import encode_image, image_files

        if artifact_file is not None and any(given is not None for given in (key, step, timestamp)):
            raise TypeError("`artifact_file` names a single image; `key`, `step` and `timestamp` belong to a series")
        if artifact_file is not None:
            self._store_file(run_id, artifact_file, encode_image(image, _file(artifact_file)))
            return
        if key is None:
            raise TypeError("an image needs a place: `artifact_file` for a single one, `key` for one of a series")
        for path, content in image_files(image, key, step, timestamp).items():
            self._store_file(run_id, path, content)
        self._execute(LogBatch(run_id, tags=[RunTag(MLFLOW_LOGGED_IMAGES, "True")]), run_id)

    def log_table(self, run_id: str, data: dict[str, Any] | DataFrame, artifact_file: str) -> None:
        """Store a table (``.json`` or ``.parquet``); the rows of a table that is there already come first.

        ``data`` maps columns to lists, or is a DataFrame. Images in cells are stored beside the table. Raises TypeError
        for other data, and InvalidValue for another kind of file.
        """
        from millstream.tracking.tables import Table

        table, images = Table.of(data, _file(artifact_file))
        for path, content in images.items():
            self._store_file(run_id, path, content)
        there = self._table(run_id, artifact_file)
        self._store_file(run_id, artifact_file, (there.append(table) if there else table).to_bytes(artifact_file))
        if there is None:
            self._note_table(run_id, artifact_file)

    def load_table(
        self, experiment_id: str, artifact_file: str, run_ids: list[str] | None = None,
        extra_columns: list[str] | None = None,
    ) -> DataFrame:
        """The rows of one table of several runs, as a DataFrame: of ``run_ids``, or of every run of the experiment that
        has it.

        ``extra_columns`` are facts of the run that each row came from, such as ``run_id`` or ``params.depth``. Raises
        ArtifactNotFound when no run has the table.
        """
        projection(extra_columns)
        joined = None
        for run in self._runs_with_table(experiment_id, artifact_file, run_ids):
            table = self._table(run.info.run_id, artifact_file)
            if table is not None:
                if extra_columns:
                    table = table.with_columns({column: _fact(run, column) for column in extra_columns})
                joined = table if joined is None else joined.append(table)
        if joined is None:
            raise ArtifactNotFound(f"no run has the table {artifact_file!r}",
                                   hint="check its name, and the experiment or the run ids")
        return joined.to_pandas()

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """The files and folders of a run directly under ``path``, paths relative to its root. Raises RunNotFound."""
        from millstream.tracking.files import list_of_run

        return list_of_run(run_id, _folder(path) or "", self._tracking_uri)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """Fetch a file or folder of a run into the folder ``dst_path``, which is made; returns where it is.

        Without a ``dst_path``, artifacts on this machine are answered with the place where they are kept, which is not
        to be changed. Raises ArtifactNotFound and RunNotFound.
        """
        from millstream.tracking.files import fetch_of_run

        return fetch_of_run(run_id, path, dst_path, self._tracking_uri)

    def delete_artifact(self, run_id: str, path: str) -> None:
        """Remove a file or folder of a run. Beyond MLflow.

        Raises ArtifactNotFound and RunNotFound, and ArtifactInUse for files that a version of a registered model
        points at.
        """
        from millstream.tracking.files import root_of_run

        file = _file(path)
        reason = None
        with contextlib.suppress(EndpointNotFound, NotSupported):  # a server that is not ours does not know
            reason = self._execute(FindArtifactPin(root_of_run(run_id, self._tracking_uri), file)).kept_because
        if reason is not None:
            raise ArtifactInUse.of(file, reason)
        self._artifacts(run_id).remove(file)

    def _artifacts(self, run_id: str) -> ArtifactStore:
        from millstream.tracking.files import artifacts_of_run

        return artifacts_of_run(run_id, self._tracking_uri)

    def _store_file(self, run_id: str, path: str, content: bytes) -> None:
        self._artifacts(run_id).write(_file(path), [content], len(content))

    def _table(self, run_id: str, artifact_file: str) -> Any:
        """The table of a run, None when it has none."""
        from millstream.tracking.tables import Table

        try:
            content = self._artifacts(run_id).open(_file(artifact_file)).read()
        except ArtifactNotFound:
            return None
        return Table.from_bytes(content, artifact_file)

    def _note_table(self, run_id: str, artifact_file: str) -> None:
        """Enter a table into the tag by which the UI and load_table() find it."""
        told = self._execute(GetRun(run_id)).run.data.tags.get(MLFLOW_LOGGED_ARTIFACTS)
        entry = {"path": artifact_file, "type": "table"}
        entries = json.loads(told) if told else []
        if entry not in entries:
            text = json.dumps([*entries, entry])
            self._execute(LogBatch(run_id, tags=[RunTag(MLFLOW_LOGGED_ARTIFACTS, text)]), run_id)

    def _runs_with_table(self, experiment_id: str, artifact_file: str, run_ids: Sequence[str] | None) -> Iterator[Run]:
        if run_ids:
            for run_id in run_ids:
                yield self._execute(GetRun(run_id)).run
            return
        tagged = f"tags.{MLFLOW_LOGGED_ARTIFACTS} LIKE '%{_pattern(artifact_file)}%'"
        for page in pages(self._execute, SearchRuns([str(experiment_id)], tagged)):
            yield from page.runs


def _pattern(artifact_file: str) -> str:
    """The longest part of a file's name that reads the same in a filter, in a pattern and in JSON."""
    return max(re.split(r"[^A-Za-z0-9./ \-]", artifact_file), key=len)


def _fact(run: Run, column: str) -> Any:
    kind, dot, key = column.partition(".")
    if dot:
        return getattr(run.data, kind).get(key)
    return getattr(run.info, column)


def _file(path: Any) -> str:
    """The path of one file, in its shortest form. Raises InvalidValue for what is no path."""
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidValue.of("artifact_file", path, "the path of an artifact is text, such as plots/loss.png")
    return posixpath.normpath(os.fspath(path)) if path else ""


def _folder(path: Any) -> str | None:
    return None if path is None or os.fspath(path) in ("", ".") else _file(path)


def _check_there(local_path: str | os.PathLike[str]) -> None:
    if not os.path.exists(local_path):
        raise FileNotFoundError(2, "there is no such file or folder", os.fspath(local_path))


def _chunks(stream: io.BufferedIOBase | io.RawIOBase) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise TypeError("a stream of bytes is expected, not one of text; open the file with 'rb'")
        yield bytes(chunk)
