"""``millstream artifacts``: with MLflow's flags, and what it lacks: deleting."""

from __future__ import annotations

import sys

import click

from millstream.cli.output import bytes_text, say, show_json, show_table, with_json, with_tracking_uri

_run_id = click.option("-r", "--run-id", required=True, help="The run they belong to.")
_artifact_path = click.option("-a", "--artifact-path", metavar="PATH", help="A folder of the run; its root otherwise.")


@click.group()
def artifacts() -> None:
    """List, fetch, add and delete the files of runs."""


def _uri(tracking_uri: str | None) -> str:
    from millstream.tracking.stores import get_tracking_uri

    return tracking_uri or get_tracking_uri()


@artifacts.command("list")
@_run_id
@_artifact_path
@with_json
@with_tracking_uri
def list_artifacts(run_id: str, artifact_path: str | None, as_json: bool, tracking_uri: str | None) -> None:
    """List the files and folders directly in a folder of a run: as a table in a terminal, else as JSON."""
    from millstream.tracking import files

    found = files.list_artifacts(run_id=run_id, artifact_path=artifact_path, tracking_uri=_uri(tracking_uri))
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
@click.option("-a", "--artifact-path", metavar="PATH", help="A file or folder of the run; all it has otherwise.")
@click.option("-u", "--artifact-uri", metavar="URI", help="What to fetch by its address instead: "
              "runs:/<run id>/<path>, models:/<model id>, s3://….")
@click.option("-d", "--dst-path", metavar="FOLDER", help="The folder it goes into, made if it is not there; a new one "
              "otherwise.")
@with_tracking_uri
def download(
    run_id: str | None, artifact_path: str | None, artifact_uri: str | None, dst_path: str | None,
    tracking_uri: str | None,
) -> None:
    """Fetch a file or folder, and print where it is then.

    What lies on this machine already is not copied without --dst-path; its own place is printed.
    """
    from millstream.tracking import files

    if (run_id is None) == (artifact_uri is None):
        raise click.UsageError("say what to fetch by --run-id or by --artifact-uri, not both")
    if artifact_uri is not None and artifact_path is not None:
        raise click.UsageError("--artifact-path goes with --run-id; put the path into --artifact-uri")
    print(files.download_artifacts(artifact_uri, run_id, artifact_path, dst_path, _uri(tracking_uri)))


@artifacts.command("log-artifact")
@click.option("-l", "--local-file", metavar="FILE", required=True, help="The file to add.")
@_run_id
@_artifact_path
@with_tracking_uri
def log_artifact(local_file: str, run_id: str, artifact_path: str | None, tracking_uri: str | None) -> None:
    """Add a file to a run."""
    from millstream.tracking.files import artifacts_of_run

    with artifacts_of_run(run_id, _uri(tracking_uri)) as root:
        root.log_artifact(local_file, artifact_path)
    say(f"{local_file} was added to run {run_id}")


@artifacts.command("log-artifacts")
@click.option("-l", "--local-dir", metavar="FOLDER", required=True, help="The folder whose files to add.")
@_run_id
@_artifact_path
@with_tracking_uri
def log_artifacts(local_dir: str, run_id: str, artifact_path: str | None, tracking_uri: str | None) -> None:
    """Add the files in a folder, and in the folders in it, to a run."""
    from millstream.tracking.files import artifacts_of_run

    with artifacts_of_run(run_id, _uri(tracking_uri)) as root:
        root.log_artifacts(local_dir, artifact_path)
    say(f"the files in {local_dir} were added to run {run_id}")


@artifacts.command()
@_run_id
@click.option("-a", "--artifact-path", metavar="PATH", help="The file or folder to delete.")
@click.option("--all", "everything", is_flag=True, help="Delete every file of the run.")
@with_tracking_uri
def delete(run_id: str, artifact_path: str | None, everything: bool, tracking_uri: str | None) -> None:
    """Delete a file or folder of a run for good."""
    from millstream.tracking.files import artifacts_of_run

    if (artifact_path is None) != everything:
        raise click.UsageError("say what to delete by --artifact-path, or --all, not both")
    with artifacts_of_run(run_id, _uri(tracking_uri)) as root:
        if artifact_path is None:
            root.clear()
        else:
            root.remove(artifact_path)
    say(f"{artifact_path or 'every file'} of run {run_id} is deleted")
