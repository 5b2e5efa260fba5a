"""Emptying the trash: files first, then what the store knows of them; nothing that something still refers to.

Files are removed only from the place of a deleted run or logged model, and only where that lies below the place of an
experiment of the store. What was linked in from elsewhere is not the store's to remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from millstream.artifacts.contract import ArtifactStore
from millstream.errors import MillstreamError
from millstream.operations import FindGarbage, Garbage, PurgeGarbage, SearchExperiments
from millstream.stores.contract import Store

OpenRoot = Callable[[str], ArtifactStore]

_PURGED_AT_ONCE = 200


class Disposal(msgspec.Struct):
    """What becomes of one thing in the trash: its files and their bytes, and why it or they stay, if they do.

    ``kept_because`` keeps all of it; ``files_stay_because`` only its files.
    """

    kind: str
    id: str
    artifact_uri: str
    deleted_time: int
    files: int = 0
    bytes: int = 0
    kept_because: str | None = None
    files_stay_because: str | None = None


class Cleaning(msgspec.Struct):
    """What :func:`clean` did, or would do. ``removed`` counts by kind: experiment, run, logged_model."""

    dry_run: bool
    items: list[Disposal] = []
    removed: dict[str, int] = {}
    files: int = 0
    bytes: int = 0


def clean(
    store: Store, open_root: OpenRoot, wanted: FindGarbage | None = None, *, dry_run: bool = False,
    keep_files: bool = False, progress: Callable[[Disposal], None] = lambda item: None,
) -> Cleaning:
    """Remove what ``wanted`` finds in the trash of ``store`` for good; everything unless it says less.

    With ``dry_run`` nothing is removed, only counted; ``keep_files`` leaves files where they are. Something whose files
    cannot be removed stays, with the reason, and can be removed another time.
    """
    found = store.execute(wanted or FindGarbage()).items
    places = _places(store)
    report = Cleaning(dry_run)
    inside: dict[str, list[Disposal]] = {}
    for garbage in found:
        if garbage.kind == "experiment":
            continue
        item = _dispose(garbage, open_root, places, dry_run=dry_run, keep_files=keep_files)
        inside.setdefault(garbage.experiment_id, []).append(item)
        report.items.append(item)
        progress(item)
    for garbage in found:
        if garbage.kind == "experiment":
            item = Disposal("experiment", garbage.id, garbage.artifact_uri, garbage.deleted_time,
                            kept_because=garbage.kept_because)
            staying = [one for one in inside.get(garbage.id, []) if one.kept_because]
            if not item.kept_because and staying:
                item.kept_because = f"{staying[0].kind.replace('_', ' ')} {staying[0].id} in it stays"
            report.items.append(item)
            progress(item)
    going = [item for item in report.items if not item.kept_because]
    report.files = sum(item.files for item in going)
    report.bytes = sum(item.bytes for item in going)
    report.removed = {kind: sum(item.kind == kind for item in going) for kind in ("experiment", "run", "logged_model")}
    if not dry_run:
        _purge(store, going)
    return report


def _places(store: Store) -> list[str]:
    """Where the experiments of the store keep their files."""
    places = []
    token: str | None = None
    while True:
        page = store.execute(SearchExperiments(view_type="ALL", page_token=token))
        places += [experiment.artifact_location for experiment in page.experiments]
        token = page.next_page_token
        if not token:
            return places


def _dispose(
    garbage: Garbage, open_root: OpenRoot, places: Iterable[str], *, dry_run: bool, keep_files: bool
) -> Disposal:
    item = Disposal(garbage.kind, garbage.id, garbage.artifact_uri, garbage.deleted_time,
                    kept_because=garbage.kept_because)
    if item.kept_because:
        return item
    if keep_files:
        item.files_stay_because = "they were to be kept"
        return item
    if not any(_is_below(garbage.artifact_uri, place) for place in places):
        item.files_stay_because = f"they lie outside of this store, at {garbage.artifact_uri}"
        return item
    try:
        with open_root(garbage.artifact_uri) as root:
            for file in root.walk():
                item.files += 1
                item.bytes += file.file_size or 0
            if not dry_run:
                root.clear()
    except MillstreamError as error:
        item.kept_because = f"its files cannot be removed: {error.message}"
    return item


def _is_below(uri: str, place: str) -> bool:
    def plain(address: str) -> str:
        return address.partition("?")[0].removeprefix("file://").rstrip("/")

    return plain(uri).startswith(plain(place) + "/")


def _purge(store: Store, items: Sequence[Disposal]) -> None:
    """Models before the runs that made them, runs before their experiments."""
    for kind, field in (("logged_model", "logged_model_ids"), ("run", "run_ids"), ("experiment", "experiment_ids")):
        ids = [item.id for item in items if item.kind == kind]
        for start in range(0, len(ids), _PURGED_AT_ONCE):
            store.execute(msgspec.structs.replace(PurgeGarbage(), **{field: ids[start:start + _PURGED_AT_ONCE]}))
