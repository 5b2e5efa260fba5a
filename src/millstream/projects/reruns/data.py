"""The data that a run has read, checked before it is read again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import get_dataset_source_from_json
from millstream.data.file_dataset import FileDataset
from millstream.data.filesystem_dataset_source import FileSystemDatasetSource
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.errors import CannotRerun, MillstreamError, NotFound

if TYPE_CHECKING:
    from millstream.entities import Dataset, Run

__all__ = ["check", "linked"]


def check(run: Run) -> tuple[str, ...]:
    """Compare the data sets of a run with what lies at their sources now; returns a line for each that cannot be.

    The digest of files is computed again. That of frames and arrays follows from how a program reads them, so it is
    compared when the new run has recorded its own; here their files must be there. Raises CannotRerun for data that
    changed or is gone.
    """
    notes = []
    for dataset in {used.dataset.name: used.dataset for used in run.inputs.dataset_inputs}.values():
        if dataset.source_type == "run":  # an output of a step, whose digest is looked at when it is fetched
            continue
        source = _source(dataset)
        if source is None:
            notes.append(f"the data set {dataset.name} cannot be checked: it came from {dataset.source_type}")
        elif _is_of_files(dataset):
            _check_files(dataset, source)
        elif isinstance(source, FileSystemDatasetSource) and source.source_type == "local":
            if not os.path.exists(_path_of(source)):
                raise _gone(dataset, _path_of(source))
    return tuple(notes)


def linked(run: Run, checkout: Path, clone: Path) -> None:
    """Link the local data of a run that lies in its ``checkout``, and in no commit of it, into the ``clone``."""
    for used in run.inputs.dataset_inputs:
        source = _source(used.dataset)
        if not isinstance(source, FileSystemDatasetSource) or source.source_type != "local":
            continue
        path = Path(os.path.normpath(_path_of(source)))
        if not path.is_relative_to(checkout):
            continue
        link = clone / path.relative_to(checkout)
        if not os.path.lexists(link) and link.parent.resolve().is_relative_to(clone.resolve()):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


def _source(dataset: Dataset) -> DatasetSource | None:
    if dataset.source_type == "code":
        return None
    try:
        return get_dataset_source_from_json(dataset.source, dataset.source_type)
    except (MillstreamError, ValueError):  # of a kind that nobody here knows
        return None


def _is_of_files(dataset: Dataset) -> bool:
    """Whether the digest is one of bytes: those of files carry a profile that counts files."""
    try:
        profile = json.loads(dataset.profile or "{}")
    except ValueError:
        return False
    return len(dataset.digest) >= 16 and isinstance(profile, dict) and "num_files" in profile


def _check_files(dataset: Dataset, source: DatasetSource) -> None:
    if not isinstance(source, (FileSystemDatasetSource, HTTPDatasetSource)):
        return
    try:
        now = FileDataset(source, dataset.name).digest
    except (NotFound, OSError):
        raise _gone(dataset, _path_of(source)) from None
    if now != dataset.digest:
        raise CannotRerun(f"the data set {dataset.name} has changed: its digest was {dataset.digest} and is {now} now",
                          hint=f"bring back what was at {_path_of(source)}, or start a new run with the new data")


def _gone(dataset: Dataset, place: str) -> CannotRerun:
    return CannotRerun(f"the data set {dataset.name} is gone: nothing is at {place}",
                       hint="put it back there, or start a new run with other data")


def _path_of(source: DatasetSource) -> str:
    from millstream.artifacts.uris import local_folder, scheme

    told = source.to_dict()
    uri = str(told.get("uri") or told.get("url") or "")
    return os.path.abspath(local_folder(uri)) if scheme(uri) in ("", "file") else uri
