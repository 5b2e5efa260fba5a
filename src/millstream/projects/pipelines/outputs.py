"""What steps have made: kept as artifacts of the run that made it, found again by the step's key, fetched when needed.

A run has made its step when it is FINISHED and bears the tag :data:`MADE`, which is written last, behind every file:
a process that dies before leaves a run that counts as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from millstream.entities import RunTag
from millstream.errors import IntegrityError, InvalidState, NotFound
from millstream.operations import LogBatch, SearchRuns
from millstream.projects.pipelines.code import digest_of
from millstream.tracking.files import artifacts_of_run
from millstream.tracking.stores import store

if TYPE_CHECKING:
    from millstream.entities import Run

__all__ = ["FOLDER", "KEY", "MADE", "MADE_BY", "OUTPUTS", "STEP", "Made", "Output", "fetch", "keep", "made_before",
           "outputs_of"]

KEY = "millstream.pipeline.key"  # on every run of a step
MADE = "millstream.pipeline.made"  # the key again, on a run that has made the step, once everything is kept
MADE_BY = "millstream.pipeline.made_by"  # on the run of a step that was skipped: the run that made it
OUTPUTS = "millstream.pipeline.outputs"
STEP = "millstream.pipeline.step"

FOLDER = "outputs"  # of the artifacts; each output has a folder of its own name in it
_CANDIDATES = 5


@dataclass(frozen=True)
class Output:
    """One output: its path in the project, the SHA-256 of what it holds, whether it is a folder, and its bytes."""

    path: str
    digest: str
    folder: bool
    size: int

    def artifact(self, name: str) -> str:
        """Its path among the artifacts of the run that made it."""
        return f"{FOLDER}/{name}/{PurePosixPath(self.path).name}"


@dataclass(frozen=True)
class Made:
    """A step that was made, by which run."""

    run_id: str
    outputs: Mapping[str, Output]


def keep(makes: Mapping[str, str], place: Path, run_id: str, key: str, uri: str) -> Made:
    """Store the outputs that lie below ``place`` as artifacts of the run, and then note that it has made its step.

    Raises InvalidState, and stores nothing, when one of them is not there or leads out of the folder.
    """
    found: dict[str, Output] = {}
    for name, path in makes.items():
        file = place / path
        if not file.exists():
            raise InvalidState(f"it ended without its output {name!r}: nothing lies at {path}",
                               hint=f"let the command write {path}, relative to the folder that it starts in")
        if not file.resolve().is_relative_to(place.resolve()):
            raise InvalidState(f"its output {name!r} is a link that leads out of the project's folder: {path}",
                               hint="let the command write the file itself")
        found[name] = Output(path, digest_of(file), file.is_dir(), _bytes_of(file))
    artifacts = artifacts_of_run(run_id, uri)
    for name, output in found.items():
        file = place / output.path
        if output.folder:
            artifacts.log_artifacts(file, output.artifact(name))
        else:
            artifacts.log_artifact(file, f"{FOLDER}/{name}")
    text = json.dumps({name: asdict(output) for name, output in found.items()})
    store(uri).execute(LogBatch(run_id, tags=[RunTag(OUTPUTS, text), RunTag(MADE, key)]))
    return Made(run_id, found)


def made_before(key: str, experiment_id: str, uri: str) -> Made | None:
    """The newest run of the experiment that has made the step with this key and still has all that it made."""
    runs = store(uri).execute(SearchRuns(
        [experiment_id], f"tags.`{MADE}` = '{key}' AND attributes.status = 'FINISHED'", max_results=_CANDIDATES,
        order_by=["attributes.start_time DESC"],
    )).runs
    for run in runs:
        made = Made(run.info.run_id, outputs_of(run))
        if all(_is_there(name, output, made.run_id, uri) for name, output in made.outputs.items()):
            return made
    return None


def outputs_of(run: Run) -> dict[str, Output]:
    """The outputs that a run says it has made."""
    told = json.loads(run.data.tags.get(OUTPUTS, "{}"))
    return {name: Output(**fields) for name, fields in told.items()}


def fetch(name: str, output: Output, run_id: str, to: Path, uri: str) -> None:
    """Put an output of a run at the path ``to``.

    Raises ArtifactNotFound, and IntegrityError when it is not what was made.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    artifacts = artifacts_of_run(run_id, uri)
    if output.folder:
        to.mkdir()
        root = output.artifact(name)
        for file in artifacts.walk(root):
            place = to / file.path[len(root) + 1 :]
            place.parent.mkdir(parents=True, exist_ok=True)
            artifacts.download(file.path, place)
    else:
        artifacts.download(output.artifact(name), to)
    if digest_of(to) != output.digest:
        raise IntegrityError(f"the output {name!r} of the run {run_id} is not what the run has made",
                             hint="make it anew: --force and the name of its step")


def _is_there(name: str, output: Output, run_id: str, uri: str) -> bool:
    artifacts = artifacts_of_run(run_id, uri)
    try:
        if output.folder:
            return output.size == 0 or artifacts.total_bytes(output.artifact(name)) == output.size
        return artifacts.stat(output.artifact(name)).file_size == output.size
    except NotFound:
        return False


def _bytes_of(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
