"""``millstream gc``: the trash is emptied, with MLflow's flags."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from millstream.cli.output import bytes_text, say, show_json, show_table, time_text, tracking_store, warn
from millstream.errors import InvalidValue

_SPAN = re.compile(
    r"(?:(?P<days>\d+(?:\.\d+)?)d)?(?:(?P<hours>\d+(?:\.\d+)?)h)?(?:(?P<minutes>\d+(?:\.\d+)?)m)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)s)?"
)
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_WITHOUT_EFFECT = {"jobs": "this store keeps no jobs", "job_ids": "this store keeps no jobs",
                   "workspace": "this store has no workspaces", "all_workspaces": "this store has no workspaces"}


def milliseconds(text: str) -> int:
    """A span such as ``1d2h30m`` or ``1.5h`` in milliseconds."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or not text.strip():
        raise InvalidValue.of("--older-than", text, "it is no span of time",
                              hint="write days, hours, minutes and seconds such as 30d, 1d12h or 1.5h")
    return round(sum(float(found[unit] or 0) * seconds for unit, seconds in _SECONDS.items()) * 1000)


def _ids(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]


@click.command()
@click.option("--older-than", metavar="SPAN", help="Only what was deleted so long ago: 30d, 1d2h3m4s, 1.5h.")
@click.option("--run-ids", metavar="IDS", help="Only these runs, separated by commas.")
@click.option("--experiment-ids", metavar="IDS", help="Only these experiments, with all that is in them.")
@click.option("--logged-model-ids", metavar="IDS", help="Only these logged models.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would go, and its bytes.")
@click.option("--keep-files", is_flag=True, help="Leave the files where they lie.")
@click.option("--backend-store-uri", metavar="URI", help="The store to clean; --tracking-uri names a server.")
@click.option("--artifacts-destination", metavar="URI",
              help="Where the server of this store keeps what it proxies (mlflow-artifacts:/…).")
@click.option("--tracking-uri", metavar="URI", help="The server or store to clean.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--jobs", is_flag=True, hidden=True)
@click.option("--job-ids", hidden=True)
@click.option("--workspace", hidden=True)
@click.option("--all-workspaces", is_flag=True, hidden=True)
def gc(
    older_than: str | None, run_ids: str | None, experiment_ids: str | None, logged_model_ids: str | None,
    dry_run: bool, keep_files: bool, backend_store_uri: str | None, artifacts_destination: str | None,
    tracking_uri: str | None, as_json: bool, **without_effect: Any,
) -> None:
    """Remove what lies in the trash for good: runs, experiments and logged models, and their files.

    Removed is only what nothing refers to; what must stay is named with the reason. Files are removed only where they
    lie in the store's own places. Status 1 says that something could not be removed.
    """
    import time

    from millstream.artifacts.garbage import clean
    from millstream.operations import FindGarbage

    for name, instead in _WITHOUT_EFFECT.items():
        if without_effect[name]:
            warn(f"--{name.replace('_', '-')} has no effect: {instead}")
    before = int(time.time() * 1000) - milliseconds(older_than) if older_than else None
    wanted = FindGarbage(before, _ids(run_ids), _ids(experiment_ids), _ids(logged_model_ids))
    with tracking_store(backend_store_uri or tracking_uri) as store:
        report = clean(store, _opener(store, artifacts_destination), wanted, dry_run=dry_run, keep_files=keep_files)
    missing = {*wanted.run_ids, *wanted.experiment_ids, *wanted.logged_model_ids} - {item.id for item in report.items}
    if as_json:
        show_json(report)
    elif report.items:
        show_table(["Kind", "Id", "Deleted", "Files", "Bytes", ""], [
            [item.kind.replace("_", " "), item.id, time_text(item.deleted_time), item.files, bytes_text(item.bytes),
             f"stays: {item.kept_because}" if item.kept_because else
             f"its files stay: {item.files_stay_because}" if item.files_stay_because else ""]
            for item in report.items
        ], right=["Files", "Bytes"])
    removed = ", ".join(f"{count} {kind.replace('_', ' ')}{'' if count == 1 else 's'}"
                        for kind, count in report.removed.items())
    say(f"{'would remove' if dry_run else 'removed'} {removed}; {report.files:,} files, {bytes_text(report.bytes)}")
    for name in sorted(missing):
        say(f"{name} is not in the trash{', or not for so long' if before else ''}")
    if missing or any((item.kept_because or "").startswith("its files") for item in report.items):
        sys.exit(1)


def _opener(store: Any, destination: str | None) -> Callable[[str], Any]:
    from millstream.artifacts.roots import open_root

    return lambda uri: open_root(uri, store.uri, destination)
