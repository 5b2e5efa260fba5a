"""The data that a run has read, checked before it is read again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.artifacts.uris import local_folder
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import get_dataset_source_from_json, source_of
from millstream.data.file_dataset import FileDataset
from millstream.data.filesystem_dataset_source import FileSystemDatasetSource
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.errors import CannotRerun, MillstreamError, NotFound

if TYPE_CHECKING:
    from millstream.entities import Dataset, Run

__all__ = ["Place", "prepare"]


@dataclass(frozen=True)
class Place:
    """Where a program runs again: paths that were relative counted from ``start``; what lay in ``checkout`` lies in
    ``clone`` now. None for what is not known, or is where it was."""

    start: Path | None
    checkout: Path | None = None
    clone: Path | None = None

    def in_clone(self, path: Path) -> Path | None:
        """The path in the clone of what lay at ``path``."""
        if self.checkout is None or self.clone is None or not path.is_relative_to(self.checkout):
            return None
        return self.clone / path.relative_to(self.checkout)


def prepare(run: Run, place: Place) -> tuple[str, ...]:
    """Compare the data sets of a run with what lies at their sources now, and link local data that no commit has into
    the clone; returns a line for each that cannot be compared.

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
        elif isinstance(source, FileSystemDatasetSource) and source.source_type == "local":
            _prepare_local(dataset, local_folder(source.uri), place)
        elif _is_of_files(dataset) and isinstance(source, (FileSystemDatasetSource, HTTPDatasetSource)):
            _compare(dataset, source, str(next(iter(source.to_dict().values()))))
    return tuple(notes)


def _prepare_local(dataset: Dataset, path: str, place: Place) -> None:
    if place.start is None and not (os.path.isabs(path) and os.path.exists(path)):
        return  # it lay in what was fetched, and is fetched again
    file = Path(os.path.normpath((place.start or Path()) / path))
    inside = place.in_clone(file)
    there = inside if inside is not None and os.path.lexists(inside) else file
    if not there.exists():
        raise _gone(dataset, str(there))
    if _is_of_files(dataset):
        _compare(dataset, source_of(there), str(there))
    if inside is not None and place.clone is not None and there is file:
        if inside.parent.resolve().is_relative_to(place.clone.resolve()):
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.symlink_to(file)


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


def _compare(dataset: Dataset, source: DatasetSource, shown: str) -> None:
    try:
        now = FileDataset(source, dataset.name).digest
    except (NotFound, OSError):
        raise _gone(dataset, shown) from None
    if now != dataset.digest:
        raise CannotRerun(f"the data set {dataset.name} has changed: its digest was {dataset.digest} and is {now} now",
                          hint=f"bring back what was at {shown}, or start a new run with the new data")


def _gone(dataset: Dataset, place: str) -> CannotRerun:
    return CannotRerun(f"the data set {dataset.name} is gone: nothing is at {place}",
                       hint="put it back there, or start a new run with other data")
