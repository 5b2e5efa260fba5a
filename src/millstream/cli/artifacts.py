"""``millstream artifacts``: with MLflow's flags, and what it lacks: deleting."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from millstream.cli.output import bytes_text, say, show_json, show_table, tracking_store, with_json, with_tracking_uri

if TYPE_CHECKING:
    from millstream.artifacts.contract import ArtifactStore
    from millstream.stores.contract import Store

_run_id = click.option("-r", "--run-id", required=True, help="The run they belong to.")
_artifact_path = click.option("-a", "--artifact-path", metavar="PATH", help="A folder of the run; its root unless given.")


@click.group()
def artifacts() -> None:
    """List, fetch, add and delete the files of runs."""


def _root(store: Store, run_id: str) -> ArtifactStore:
    from millstream.artifacts.roots import open_root
    from millstream.operations import GetRun

    return open_root(store, str(store.execute(GetRun(run_id)).run.info.artifact_uri))


@artifacts.command("list")
@_run_id
@_artifact_path
@with_json
@with_tracking_uri
def list_artifacts(run_id: str, artifact_path: str | None, as_json: bool, tracking_uri: str | None) -> None:
    """List the files and folders directly in a folder of a run: as a table in a terminal, else as JSON."""
    with tracking_store(tracking_uri) as store, _root(store, run_id) as root:
        found = root.list(artifact_path or "")
    if as_json or not sys.stdout.isatty():
        show_json([
            {"path": entry.path, "is_dir": entry.is_dir,
             **({} if entry.file_size is None else {"file_size": entry.file_size})}
            for entry in found
        ])
    else:
        show_table(["Path", "Size"], (
            [entry.path + ("/" if entry.is_dir else ""), "" if entry.file_size is None else bytes_text(entry.file_size)]
            for entry in found
        ), right=["Size"])


@artifacts.command()
@click.option("-r", "--run-id", help="The run to fetch from.")
@click.option("-a", "--artifact-path", metavar="PATH", help="A file or folder of the run; all it has unless given.")
@click.option("-u", "--artifact-uri", metavar="URI",
              help="What to fetch by its address: runs:/<run id>/<path>, models:/<model id>, s3://…; instead of --run-id.")
@click.option("-d", "--dst-path", metavar="FOLDER", help="The folder it goes into, made if it is not there; a new one "
              "unless given.")
@with_tracking_uri
def download(
    run_id: str | None, artifact_path: str | None, artifact_uri: str | None, dst_path: str | None,
    tracking_uri: str | None,
) -> None:
    """Fetch a file or folder, and print where it is then.

    What lies on this machine already is not copied without --dst-path; its own place is printed.
    """
    from millstream.artifacts.roots import open_place

    if (run_id is None) == (artifact_uri is None):
        raise click.UsageError("say what to fetch by --run-id or by --artifact-uri, not both")
    if artifact_uri is not None and artifact_path is not None:
        raise click.UsageError("--artifact-path goes with --run-id; put the path into --artifact-uri")
    with tracking_store(tracking_uri) as store:
        if run_id is not None:
            root, path = _root(store, run_id), artifact_path or ""
        else:
            root, path = open_place(store, str(artifact_uri))
        with root:
            print(root.download_artifacts(path, dst_path))


@artifacts.command("log-artifact")
@click.option("-l", "--local-file", metavar="FILE", required=True, help="The file to add.")
@_run_id
@_artifact_path
@with_tracking_uri
def log_artifact(local_file: str, run_id: str, artifact_path: str | None, tracking_uri: str | None) -> None:
    """Add a file to a run."""
    with tracking_store(tracking_uri) as store, _root(store, run_id) as root:
        root.log_artifact(local_file, artifact_path)
    say(f"{local_file} was added to run {run_id}")


@artifacts.command("log-artifacts")
@click.option("-l", "--local-dir", metavar="FOLDER", required=True, help="The folder whose files to add.")
@_run_id
@_artifact_path
@with_tracking_uri
def log_artifacts(local_dir: str, run_id: str, artifact_path: str | None, tracking_uri: str | None) -> None:
    """Add the files in a folder, and in the folders in it, to a run."""
    with tracking_store(tracking_uri) as store, _root(store, run_id) as root:
        root.log_artifacts(local_dir, artifact_path)
    say(f"the files in {local_dir} were added to run {run_id}")


@artifacts.command()
@_run_id
@click.option("-a", "--artifact-path", metavar="PATH", help="The file or folder to delete.")
@click.option("--all", "everything", is_flag=True, help="Delete every file of the run.")
@with_tracking_uri
def delete(run_id: str, artifact_path: str | None, everything: bool, tracking_uri: str | None) -> None:
    """Delete a file or folder of a run for good."""
    if (artifact_path is None) != everything:
        raise click.UsageError("say what to delete by --artifact-path, or --all, not both")
    with tracking_store(tracking_uri) as store, _root(store, run_id) as root:
        if artifact_path is None:
            root.clear()
        else:
            root.remove(artifact_path)
    say(f"{artifact_path or 'every file'} of run {run_id} is deleted")
