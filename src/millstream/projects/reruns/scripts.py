"""A run that a script has logged, done again: the script as it was, its arguments, in a folder like its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from millstream import settings
from millstream.errors import CannotRerun, MillstreamError, NotFound
from millstream.operations import SearchRuns
from millstream.projects import sources
from millstream.projects.loopback import served
from millstream.projects.reruns import data, environment
from millstream.tracking.context.git import BRANCH, COMMIT, DIRTY, REPO_URL
from millstream.tracking.context.program import PROGRAM
from millstream.tracking.stores import store
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID

if TYPE_CHECKING:
    from millstream.entities import Run

__all__ = ["OF", "Program", "program_of", "run_again"]

OF = "millstream.rerun.of"
_SESSION = "millstream.rerun.session"


@dataclass(frozen=True)
class Program:
    """How the program of a run was started, and from which commit; ``arguments`` has None for what was not recorded."""

    path: Path
    sha256: str | None
    module: str | None
    arguments: tuple[str | None, ...]
    folder: Path
    repository: Path | None
    commit: str | None
    is_dirty: bool | None
    url: str | None
    branch: str | None


def program_of(run: Run) -> Program:
    """What a run has recorded of its program. Raises CannotRerun when it has not."""
    tags = run.data.tags
    try:
        told = json.loads(tags[PROGRAM])
        repository = told["repository"]
        return Program(
            Path(told["path"]), told["sha256"], told["module"], tuple(told["arguments"]), Path(told["folder"]),
            Path(repository) if repository else None, tags.get(COMMIT),
            None if DIRTY not in tags else tags[DIRTY] == "true", tags.get(REPO_URL), tags.get(BRANCH),
        )
    except (KeyError, TypeError, ValueError):
        kind = tags.get("mlflow.source.type", "unknown").lower()
        raise CannotRerun(
            f"the run {run.info.run_id} does not say how its program was started (its source is {kind})",
            hint="runs of scripts and of projects say it when they are logged with this Millstream; notebooks cannot",
        ) from None


def run_again(
    run: Run, uri: str, *, env_manager: str | None = None, arguments: Sequence[str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """Start the program of a run again and wait for it; returns the id of the run that it made, and notes.

    ``arguments`` replace the recorded ones. Raises CannotRerun for whatever is missing, before anything runs, and when
    the program ended without a run.
    """
    program = program_of(run)
    typed = _arguments(program, arguments)
    found = environment.interpreter_for(run, uri, env_manager)
    with _code(program) as (path, folder, place), served(uri) as address:
        notes = data.prepare(run, place)
        session = uuid.uuid4().hex
        start = ["-m", program.module] if program.module else [os.path.relpath(path, folder)]
        status = subprocess.run(
            [str(found.python), *start, *typed], cwd=folder, check=False, stdin=subprocess.DEVNULL, stdout=2, stderr=2,
            env=_variables(found.variables, run, address, session),
        ).returncode
    made = _made(run, uri, session)
    if made is None:
        ended = f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
        raise CannotRerun(f"the program {ended} and logged no run to {uri}",
                          hint="its output, above, may say why; a program that sets a tracking URI itself logs there")
    return made, (*notes, *found.notes)


def _arguments(program: Program, given: Sequence[str] | None) -> list[str]:
    if given is not None:
        return list(given)
    typed = [argument for argument in program.arguments if argument is not None]
    if len(typed) < len(program.arguments):
        raise CannotRerun(
            f"{len(program.arguments) - len(typed)} of the arguments of the program were not recorded: secrets are "
            "left out, and very long lists", hint="give all arguments again: millstream rerun RUN -- ARGUMENT…")
    return typed


@contextlib.contextmanager
def _code(program: Program) -> Iterator[tuple[Path, Path, data.Place]]:
    """The file of the program, the folder to start it in, and where its data is."""
    if program.repository is None or program.commit is None:
        _check_file(program)
        if not program.folder.is_dir():
            raise CannotRerun(f"the folder that the program was started in is gone: {program.folder}",
                              hint="make it again, with the files that the program reads there")
        yield program.path, program.folder, data.Place(program.folder)
        return
    if program.is_dirty:
        raise CannotRerun(
            f"the working tree had changes that the commit {program.commit[:12]} has not, and nobody kept them",
            hint="commit before a run that is to be repeated; runs of projects (millstream run) keep such changes")
    source = _clone(program)
    clone = source.folder
    try:
        path = clone / program.path.relative_to(program.repository)
        if not path.is_file():
            raise CannotRerun(f"the file {program.path} is not part of the commit {program.commit[:12]}",
                              hint="add it to the repository and commit before a run that is to be repeated")
        folder = program.folder
        if folder.is_relative_to(program.repository):
            folder = clone / folder.relative_to(program.repository)
            folder.mkdir(parents=True, exist_ok=True)
        yield path, folder, data.Place(program.folder, program.repository, clone)
    finally:
        sources.discard(source)


def _check_file(program: Program) -> None:
    try:
        now = hashlib.sha256(program.path.read_bytes()).hexdigest()
    except OSError:
        raise CannotRerun(f"the program is gone: nothing can be read at {program.path}",
                          hint="put the file back there; a repository of git would have kept it") from None
    if now != program.sha256:
        raise CannotRerun(f"the program {program.path} has changed since the run, and lies in no repository of git",
                          hint="bring back the file as it was, or keep it in a repository")


def _clone(program: Program) -> sources.Source:
    """The commit in a clone of its own: of the checkout on this machine, else of the repository it came from."""
    failed: MillstreamError | None = None
    for place in (program.repository, program.url):
        if place is None or (isinstance(place, Path) and not place.is_dir()):
            continue
        try:
            return sources.fetched(place, program.commit)
        except MillstreamError as error:
            failed = error
    told = f": {failed.message}" if failed else ""
    raise CannotRerun(f"the commit {(program.commit or '')[:12]} cannot be had{told}",
                      hint="fetch it into the repository again; a commit that no branch holds is removed in time")


def _variables(
    variables: Mapping[str, str], run: Run, address: str, session: str
) -> dict[str, str]:
    kept = {name: value for name, value in variables.items()
            if name not in settings.RUN_ID.variables and name not in settings.EXPERIMENT_NAME.variables}
    declared = json.loads(settings.RUN_CONTEXT.get() or "{}")
    # The new run was made by the same program as the old one, wherever its clone lies now: it can be repeated, too.
    same = {key: run.data.tags[key] for key in (PROGRAM, COMMIT, BRANCH, REPO_URL) if key in run.data.tags}
    tags = {**declared, **same, OF: run.info.run_id, _SESSION: session}
    for setting, text in (
        (settings.TRACKING_URI, address), (settings.EXPERIMENT_ID, run.info.experiment_id),
        (settings.RUN_CONTEXT, json.dumps(tags)),
    ):
        kept.update(dict.fromkeys(setting.variables, text))
    return kept


def _made(run: Run, uri: str, session: str) -> str | None:
    """Which of the runs that the program has made answers to the old one: by parameters, name and place in the tree."""
    try:
        found = store(uri).execute(SearchRuns(
            [run.info.experiment_id], f"tags.`{_SESSION}` = '{session}'", order_by=["attributes.start_time ASC"])).runs
    except NotFound:
        return None

    def likeness(other: Run) -> tuple[bool, bool, bool]:
        return (other.data.params == run.data.params, other.info.run_name == run.info.run_name,
                (MLFLOW_PARENT_RUN_ID in other.data.tags) == (MLFLOW_PARENT_RUN_ID in run.data.tags))

    best = max(found, key=likeness, default=None)
    return None if best is None else best.info.run_id
