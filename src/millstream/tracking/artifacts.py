"""Files of the active run, or of any run by its id. All is stored when a call returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.tracking import stores
from millstream.tracking.active import local
from millstream.tracking.client import MlflowClient
from millstream.tracking.experiments import experiment_of_new_runs
from millstream.tracking.runs import start_run

if TYPE_CHECKING:
    import io
    import os

    from numpy import ndarray
    from pandas import DataFrame
    from PIL.Image import Image as PilImage

    from millstream.tracking.media import Image


def _place(run_id: str | None) -> tuple[MlflowClient, str]:
    """The client and the id of a run: the active one, started if there is none, unless an id is given."""
    if run_id is None and not local.stack:
        start_run()
    for live in reversed(local.stack):
        if run_id is None or live.recorder.run_id == run_id:
            return MlflowClient(live.recorder.uri), live.recorder.run_id
    assert run_id is not None
    return MlflowClient(), run_id


def log_artifact(
    local_path: str | os.PathLike[str], artifact_path: str | os.PathLike[str] | None = None, run_id: str | None = None
) -> None:
    """Store a local file (or folder) under its own name in the folder ``artifact_path`` of the run.

    Raises FileNotFoundError for a local path where nothing is, and InvalidPath.
    """
    client, run_id = _place(run_id)
    client.log_artifact(run_id, local_path, artifact_path)


def log_artifacts(
    local_dir: str | os.PathLike[str], artifact_path: str | os.PathLike[str] | None = None, run_id: str | None = None
) -> None:
    """Store everything below a local folder in the folder ``artifact_path`` of the run.

    Raises FileNotFoundError for a local folder that is not there, and InvalidPath.
    """
    client, run_id = _place(run_id)
    client.log_artifacts(run_id, local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Store a text (UTF-8) as the file ``artifact_file``."""
    client, run_id = _place(run_id)
    client.log_text(run_id, text, artifact_file)


def log_dict(dictionary: dict[str, Any], artifact_file: str, run_id: str | None = None) -> None:
    """Store a dictionary (or list) as JSON, or as YAML where the file's name ends in ``.yml`` or ``.yaml``."""
    client, run_id = _place(run_id)
    client.log_dict(run_id, dictionary, artifact_file)


def log_stream(
    stream: io.BufferedIOBase | io.RawIOBase, artifact_file: str, run_id: str | None = None
) -> None:
    """Store what a binary stream gives, from where it stands, without holding it in memory."""
    client, run_id = _place(run_id)
    client.log_stream(run_id, stream, artifact_file)


def log_figure(
    figure: Any, artifact_file: str, *, save_kwargs: dict[str, Any] | None = None
) -> None:
    """Store a figure of matplotlib or plotly in the format that the file's name ends in.

    ``save_kwargs`` go to the library's own function. Raises TypeError for what is no figure.
    """
    client, run_id = _place(None)
    client.log_figure(run_id, figure, artifact_file, save_kwargs=save_kwargs)


def log_image(
    image: ndarray[Any, Any] | PilImage | Image, artifact_file: str | None = None, key: str | None = None,
    step: int | None = None, timestamp: int | None = None, synchronous: bool | None = False,
) -> None:
    """Store an image: as ``artifact_file``, or as one of a series under ``key`` at ``step`` and ``timestamp``.

    ``timestamp`` is in milliseconds since the epoch, now unless given. The image is stored when the call returns,
    whatever ``synchronous`` says. Raises TypeError for what is no image, and unless the arguments fit together.
    """
    client, run_id = _place(None)
    client.log_image(run_id, image, artifact_file, key, step, timestamp, synchronous)


def log_table(data: dict[str, Any] | DataFrame, artifact_file: str, run_id: str | None = None) -> None:
    """Store a table (``.json`` or ``.parquet``); the rows of a table that is there already come first.

    ``data`` maps columns to lists, or is a DataFrame. Images in cells are stored beside the table. Raises TypeError for
    other data, and InvalidValue for another kind of file.
    """
    client, run_id = _place(run_id)
    client.log_table(run_id, data, artifact_file)


def load_table(
    artifact_file: str, run_ids: list[str] | None = None, extra_columns: list[str] | None = None
) -> DataFrame:
    """The rows of one table of several runs, as a DataFrame: of ``run_ids``, or of every run of the experiment that new
    runs go to.

    ``extra_columns`` are facts of the run that each row came from, such as ``run_id`` or ``params.depth``. Raises
    ArtifactNotFound when no run has the table.
    """
    uri = stores.get_tracking_uri()
    return MlflowClient(uri).load_table(experiment_of_new_runs(uri), artifact_file, run_ids, extra_columns)


def delete_artifact(path: str, run_id: str | None = None) -> None:
    """Remove a file or folder of the run. Beyond MLflow. Raises ArtifactNotFound."""
    client, run_id = _place(run_id)
    client.delete_artifact(run_id, path)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """The address of ``artifact_path`` in the active run, of everything unless given."""
    from millstream.artifacts.uris import join_uri

    if not local.stack:
        start_run()
    root = local.stack[-1].run.info.artifact_uri or ""
    return join_uri(root, artifact_path or "")


def flush_artifact_async_logging() -> None:
    """Returns at once: artifacts are stored when the call that logs them returns."""
