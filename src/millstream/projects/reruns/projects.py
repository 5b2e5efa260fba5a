"""A run of a project, of a step or of a whole pipeline, done again from its commit or from the code that it kept."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from millstream.errors import ArtifactNotFound, CannotRerun, MillstreamError
from millstream.operations import SearchRuns
from millstream.projects import recording, sources
from millstream.projects.native import entry_point_of, project_in
from millstream.projects.pipelines.code import counted_files, read, taken
from millstream.projects.pipelines.making import Making
from millstream.projects.pipelines.options import Options
from millstream.projects.pipelines.outputs import MADE_BY, STEP, Made, outputs_of
from millstream.projects.pipelines.plan import Plan, planned
from millstream.projects.pipelines.running import PIPELINE
from millstream.projects.pipelines.running import start as start_pipeline
from millstream.projects.pipelines.workspace import work_folder
from millstream.projects.reruns import data, snapshot
from millstream.projects.reruns.scripts import OF
from millstream.projects.running import environment_in, start
from millstream.projects.sources import Source
from millstream.tracking.client import MlflowClient
from millstream.tracking.context.git import COMMIT, DIRTY, REPO_URL
from millstream.tracking.stores import store
from millstream.tracking.tags import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_PROJECT_BACKEND,
    MLFLOW_PROJECT_ENTRY_POINT,
    MLFLOW_PROJECT_ENV,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
)

if TYPE_CHECKING:
    from millstream.entities import Run

__all__ = ["is_project", "run_again", "steps_of"]


def is_project(run: Run) -> bool:
    """Whether a run is one of a project's entry point, as it was started: not one that its program began itself."""
    tags = run.data.tags
    return tags.get(MLFLOW_SOURCE_TYPE) == "PROJECT" and (recording.COMMAND_TAG in tags or STEP in tags)


def run_again(run: Run, uri: str, *, env_manager: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Run the entry point again and wait for it; returns the id of the new run, and notes.

    Raises CannotRerun for whatever is missing, before anything runs, and what starting a project raises.
    """
    tags = run.data.tags
    if MADE_BY in tags:
        raise CannotRerun(f"the run {run.info.run_id} ran nothing: its step was made before",
                          hint=f"run the one again that made it: {tags[MADE_BY]}")
    client = MlflowClient(uri)
    keeper = client.get_run(tags[MLFLOW_PARENT_RUN_ID]) if STEP in tags else run
    children = _children(run, uri) if PIPELINE in tags else []
    manager = env_manager or (tags.get(MLFLOW_PROJECT_ENV) if tags.get(MLFLOW_PROJECT_ENV) != "docker" else None)
    name = tags[MLFLOW_PROJECT_ENTRY_POINT]
    with contextlib.ExitStack() as kept:
        source = kept.enter_context(_code(keeper, uri))
        folder = _local_folder(keeper)
        place = data.Place(folder, folder, source.folder if source.folder != folder else None)
        notes = [note for one in (run, *children) for note in data.prepare(one, place)]
        project = project_in(source.folder)
        entry_point = entry_point_of(project, name, source.folder)
        given = _parameters(run, tuple(entry_point.parameters))
        again = {OF: run.info.run_id, MLFLOW_SOURCE_NAME: tags[MLFLOW_SOURCE_NAME]}
        if PIPELINE not in tags and STEP not in tags:
            submitted = start(
                source, project, entry_point, parameters=given, tags=again, experiment_id=run.info.experiment_id,
                backend=tags.get(MLFLOW_PROJECT_BACKEND, "local"), run_name=run.info.run_name, env_manager=manager,
            )
            submitted.wait()
            return submitted.run_id, tuple(notes)
        environment, manager = environment_in(source.folder, project, manager)
        plan = planned(source, project, name, _of_steps(given, children), environment=environment,
                       environment_manager=manager, tracking_uri=uri, options=Options(cache=False),
                       alone=PIPELINE not in tags)
        if PIPELINE in tags:
            pipeline = start_pipeline(plan, run.info.experiment_id, run_name=run.info.run_name, tags=again)
            pipeline.wait()
            return pipeline.run_id, tuple(notes)
        return _step_again(run, plan, again, client), tuple(notes)


def steps_of(run: Run, uri: str) -> dict[str, str]:
    """The steps of a pipeline with the runs that made them, in their order; empty for what is none."""
    if PIPELINE not in run.data.tags:
        return {}
    return {one.data.tags[STEP]: one.data.tags.get(MADE_BY, one.info.run_id) for one in reversed(_children(run, uri))}


def _children(run: Run, uri: str) -> list[Run]:
    """The runs of the steps of a pipeline, the last one first."""
    found = store(uri).execute(SearchRuns(
        [run.info.experiment_id], f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'",
        order_by=["attributes.start_time DESC"])).runs
    return [one for one in found if STEP in one.data.tags]


def _parameters(run: Run, declared: tuple[str, ...]) -> dict[str, str]:
    """What the run was started with; of a run that does not say, the parameters that its entry point declares."""
    told = run.data.tags.get(recording.PARAMETERS_TAG)
    if told is not None:
        return {str(name): str(value) for name, value in json.loads(told).items()}
    return {name: value for name, value in run.data.params.items() if name in declared}


def _of_steps(given: Mapping[str, str], children: list[Run]) -> dict[str, str]:
    """The parameters of a pipeline: its own, and those of each step by the step's name."""
    own = {f"{child.data.tags[STEP]}.{name}": value for child in children
           for name, value in _parameters(child, ()).items()}
    return {**given, **own}


def _step_again(run: Run, plan: Plan, tags: Mapping[str, str], client: MlflowClient) -> str:
    """Make one step, from the outputs that its old run has read."""
    made: dict[str, Made] = {}
    for used in run.inputs.dataset_inputs:
        if used.dataset.source_type == "run":
            maker = client.get_run(json.loads(used.dataset.source)["run_id"])
            made[used.dataset.name.rpartition(".")[0]] = Made(maker.info.run_id, outputs_of(maker))
    step = plan.target
    missing = [name for name, output in step.inputs if output not in made.get(name, Made("", {})).outputs]
    if missing:
        raise CannotRerun(f"the run {run.info.run_id} does not say which run made {missing[0]!r}, which it needs",
                          hint=f"run its pipeline again: {run.data.tags[MLFLOW_PARENT_RUN_ID]}")
    for name in step.behind:
        made.setdefault(name, Made("", {}))
    with contextlib.ExitStack() as until_end:
        work = until_end.enter_context(work_folder())
        code = taken(plan.source.folder, work / "code", plan.no_code)
        making = Making(plan, run.info.experiment_id, None, work, code, lambda line: None,
                        until_end, made=made, tags=tags)
        with contextlib.suppress(MillstreamError):  # a step that failed is compared as one
            making.make(step)
    assert making.last_run_id is not None
    return making.last_run_id


# The code


@contextlib.contextmanager
def _code(run: Run, uri: str) -> Iterator[Source]:
    """The code of a run in a folder of its own: what was kept with it, or its commit."""
    tags = run.data.tags
    commit, folder = tags.get(COMMIT), _local_folder(run)
    if snapshot.DIGEST in tags:
        with tempfile.TemporaryDirectory(prefix="millstream-rerun-") as place:
            to = Path(place) / "project"
            try:
                snapshot.restore(run.info.run_id, tags[snapshot.DIGEST], to, uri)
            except ArtifactNotFound:
                to = _unchanged(run, folder)
            yield Source(tags[MLFLOW_SOURCE_NAME], to, None, commit, tags.get(REPO_URL))
        return
    if commit is None:
        raise CannotRerun(f"the code of the run {run.info.run_id} is in no commit, and was not kept with it",
                          hint="keep the project in a repository; runs of Millstream keep what no commit has")
    if tags.get(DIRTY) == "true":
        raise CannotRerun(
            f"the project had changes that the commit {commit[:12]} has not, and they were not kept with the run",
            hint="commit before a run that is to be repeated, and keep large files out of the project's code")
    source = _fetched(run, folder, commit)
    try:
        yield source
    finally:
        sources.discard(source)


def _unchanged(run: Run, folder: Path | None) -> Path:
    if folder is not None and folder.is_dir():
        if read(folder, counted_files(folder)).digest == run.data.tags[snapshot.DIGEST]:
            return folder
        raise CannotRerun(f"the project in {folder} has changed since the run, and its code was too large to be kept",
                          hint="bring the project back to what it was, or keep it in a repository")
    raise CannotRerun(f"the project of the run {run.info.run_id} is gone, and its code was too large to be kept",
                      hint="put it back where it was, or keep it in a repository")


def _fetched(run: Run, folder: Path | None, commit: str) -> Source:
    tags = run.data.tags
    name = tags[MLFLOW_SOURCE_NAME]
    failed: MillstreamError | None = None
    # The checkout on this machine may have commits that were never pushed; the repository has them when it is gone.
    places = [str(folder)] if folder is not None and folder.is_dir() else []
    if folder is None:
        places.append(name)
    elif REPO_URL in tags and not places:
        places.append(tags[REPO_URL])
    for place in places:
        try:
            return sources.fetched(place, commit)
        except MillstreamError as error:
            failed = error
    told = f": {failed.message}" if failed else f": nothing is at {name} any more"
    raise CannotRerun(f"the commit {commit[:12]} cannot be had{told}",
                      hint="fetch it into the repository again; a commit that no branch holds is removed in time")


def _local_folder(run: Run) -> Path | None:
    """The folder of a project that lies on this machine; None for one that was fetched."""
    name = run.data.tags[MLFLOW_SOURCE_NAME]
    if "#" in name or name.lower().endswith((".zip", ".git")):
        return None
    split = urlsplit(name)
    if split.scheme == "file":
        return Path(unquote(split.path))
    return Path(name) if len(split.scheme) < 2 and name.startswith("/") else None
