"""The run of a project: made before its command starts, ended when that ends."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.entities import Param, Run, RunStatus, RunTag
from millstream.errors import AlreadyExists, InvalidState, InvalidValue, MillstreamError, StoreUnavailable
from millstream.operations import BeatRun, CreateRun, GetRun, LogBatch, SearchRuns, UpdateRun
from millstream.tracking import checks, context, stores
from millstream.tracking.batches import in_batches
from millstream.tracking.context.git import DIRTY, Checkout, status, without_credentials
from millstream.tracking.context.source import user
from millstream.tracking.experiments import experiment_of_new_runs
from millstream.tracking.tags import (
    MLFLOW_GIT_BRANCH,
    MLFLOW_GIT_COMMIT,
    MLFLOW_GIT_REPO_URL,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_PROJECT_BACKEND,
    MLFLOW_PROJECT_ENTRY_POINT,
    MLFLOW_PROJECT_ENV,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
)

if TYPE_CHECKING:
    from millstream.environments.descriptions import Description
    from millstream.projects.files import DockerEnvironment
    from millstream.projects.sources import Source

__all__ = [
    "COMMAND_TAG", "LOG_FILE", "PARAMETERS_TAG", "beating", "config_of", "experiment_of", "finish", "finish_children",
    "looking_for_changes", "opened", "tags_of",
]

logger = logging.getLogger("millstream")

COMMAND_TAG = "millstream.project.command"
PARAMETERS_TAG = "millstream.project.parameters"  # JSON: those that it was started with, defaults included
PROGRAM = "millstream.program"  # how a program was started that is no project
# Those that MLflow sets for its older clients, beside the ones of today.
_OLD_REPOSITORY_TAG = "mlflow.gitRepoURL"
_OLD_BRANCH_TAG = "mlflow.gitBranch"
LOG_FILE = "logs/project.log"  # the artifact that keeps the output
_SHOWN = 5_000
_GIT_SECONDS = 10.0


def experiment_of(tracking_uri: str, name: str | None, experiment_id: str | None) -> str:
    """The id of the experiment that a project's run goes to: by its name (created when it is new), by its id, or the
    one that new runs go to. Raises InvalidValue when both are given or the experiment is deleted."""
    if name is not None and experiment_id is not None:
        raise InvalidValue("an experiment is given by its name or by its id, not by both", hint="leave one of them out")
    if experiment_id is not None:
        return str(experiment_id)
    if name is None:
        return experiment_of_new_runs(tracking_uri)
    from millstream.tracking.client import MlflowClient

    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name)
        except AlreadyExists:  # another process was faster
            found = client.get_experiment_by_name(name)
            assert found is not None
    if found.lifecycle_stage != "active":
        raise InvalidValue(f"the experiment {name!r} is deleted and cannot take runs",
                           hint=f"`millstream experiments restore -x {found.experiment_id}` brings it back")
    return str(found.experiment_id)


def tags_of(
    source: Source, entry_point: str, backend: str, environment: Description | DockerEnvironment | None, manager: str,
    command: str,
) -> dict[str, str]:
    """What is told of a project run, under MLflow's names and ours."""
    from millstream.projects.files import DockerEnvironment

    if isinstance(environment, DockerEnvironment):
        manager = "docker"
    name = source.uri if source.temporary else source.folder.as_uri() if source.commit else str(source.folder)
    found = {
        MLFLOW_SOURCE_NAME: without_credentials(name),
        MLFLOW_SOURCE_TYPE: "PROJECT",
        MLFLOW_PROJECT_ENTRY_POINT: entry_point,
        MLFLOW_PROJECT_BACKEND: backend,
        MLFLOW_PROJECT_ENV: manager if environment else None,
        COMMAND_TAG: command if len(command) <= _SHOWN else command[:_SHOWN - 1] + "…",
        MLFLOW_GIT_COMMIT: source.commit,
        MLFLOW_GIT_REPO_URL: source.repository,
        MLFLOW_GIT_BRANCH: source.branch,
    }
    if source.temporary:
        found |= {_OLD_REPOSITORY_TAG: source.repository, _OLD_BRANCH_TAG: source.branch}
    return {key: value for key, value in found.items() if value}


def opened(
    tracking_uri: str, experiment_id: str | None, run_id: str | None, name: str | None, tags: Mapping[str, str],
    parameters: Mapping[str, str], parent_run_id: str | None,
) -> Run:
    """The run, RUNNING, with its parameters and tags: a new one, or the one with ``run_id``.

    Raises InvalidState for a run that is deleted, ParameterChanged for one that has other parameters, RunNotFound,
    ExperimentNotFound.
    """
    store = stores.store(tracking_uri)
    texts = checks.tags(dict(tags))
    if parent_run_id is not None:
        texts[MLFLOW_PARENT_RUN_ID] = parent_run_id
    told = json.dumps(dict(parameters))
    if len(told) <= _SHOWN:  # the parameters of a run are also those that its program logs
        texts[PARAMETERS_TAG] = told
    if run_id is None:
        texts = {**checks.tags(_of_context()), **texts}
        assert experiment_id is not None
        run = store.execute(CreateRun(experiment_id, user(), name, time.time_ns() // 1_000_000,
                                      [RunTag(key, text) for key, text in texts.items()])).run
        texts = {}
    else:
        run = store.execute(GetRun(run_id)).run
        if run.info.lifecycle_stage != "active":
            raise InvalidState(f"the run {run_id} is deleted", hint=f"restore it first: restore_run({run_id!r})")
        store.execute(UpdateRun(run_id, status="RUNNING", run_name=name))
    try:
        settled = [Param(key, text) for key, text in checks.params(dict(parameters)).items()]
        for batch in in_batches(run.info.run_id, (), settled, [RunTag(key, text) for key, text in texts.items()]):
            store.execute(batch)
    except BaseException:
        finish(tracking_uri, run.info.run_id, RunStatus.FAILED)
        raise
    return run


def _of_context() -> dict[str, Any]:
    """What the context says beside the source, which is the project's and not this program's."""
    of_program = (MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE, MLFLOW_PROJECT_ENTRY_POINT, MLFLOW_GIT_COMMIT,
                  MLFLOW_GIT_BRANCH, MLFLOW_GIT_REPO_URL, PROGRAM)
    return {key: value for key, value in context.collect_tags().items() if key not in of_program}


def finish(tracking_uri: str, run_id: str, status: int) -> int:
    """End a run with ``status``, and return the status that it has then.

    What the program itself said of its run stands, unless it ended badly after it had said that all is well.
    """
    store = stores.store(tracking_uri)
    said = RunStatus.from_string(store.execute(GetRun(run_id)).run.info.status)
    if RunStatus.is_terminated(said) and (status == RunStatus.FINISHED or said != RunStatus.FINISHED):
        return said
    with contextlib.suppress(MillstreamError):  # the run may have been deleted meanwhile
        store.execute(UpdateRun(run_id, status=RunStatus.to_string(status), end_time=time.time_ns() // 1_000_000))
    return status


def finish_children(tracking_uri: str, run_id: str, status: int) -> None:
    """End the runs below a run, all levels of them, that nobody ends any more: their programs ended with its own."""
    store = stores.store(tracking_uri)
    try:
        experiment = store.execute(GetRun(run_id)).run.info.experiment_id
        asked = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}' AND attributes.status = 'RUNNING'"
        below = store.execute(SearchRuns([experiment], asked, metrics=[], params=[], tags=[])).runs
    except MillstreamError as error:
        logger.warning("the runs below %s cannot be found: %s", run_id, error)
        return
    for run in below:
        finish_children(tracking_uri, run.info.run_id, status)
        finish(tracking_uri, run.info.run_id, status)


@contextlib.contextmanager
def beating(tracking_uri: str, run_id: str) -> Iterator[None]:
    """Say of a run that it is alive, for the time of the block: where this process dies, it is found to be so."""
    seconds = settings.LEASE_SECONDS.get()
    ended = threading.Event()

    def beat() -> bool:
        try:
            stores.store(tracking_uri).execute(BeatRun(run_id, seconds))
        except StoreUnavailable:
            return True
        except MillstreamError:  # a server of MLflow knows no leases; a run that was deleted needs none
            return False
        return True

    def go_on() -> None:
        while not ended.wait(seconds / 3) and beat():
            pass

    if seconds and beat():
        threading.Thread(target=go_on, name=f"millstream-beat-{run_id[:8]}", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


@contextlib.contextmanager
def looking_for_changes(tracking_uri: str, run_id: str, source: Source) -> Iterator[None]:
    """Note beside the block whether the files of a checkout differ from the commit that the run names."""
    checkout = None if source.temporary or source.commit is None else Checkout.containing(source.folder)

    def look() -> None:
        found = status(checkout.root, _GIT_SECONDS).get(DIRTY) if checkout else None
        if found:
            with contextlib.suppress(MillstreamError):
                stores.store(tracking_uri).execute(LogBatch(run_id, tags=[RunTag(DIRTY, found)]))

    thread = threading.Thread(target=look, name=f"millstream-git-{run_id[:8]}", daemon=True)
    if checkout:
        thread.start()
    try:
        yield
    finally:
        if checkout:
            thread.join()


def config_of(given: Any) -> dict[str, Any]:
    """The configuration of a backend: a mapping, the path of a ``.json`` file, or JSON. Raises InvalidValue."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    text, shown = str(given), "the JSON of the backend's configuration"
    if text.endswith(".json"):
        shown = text
        try:
            text = Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidValue(f"the backend's configuration {shown} cannot be read: {error.strerror or error}",
                               hint="give the path of a JSON file, or the JSON itself") from None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidValue(f"{shown} is no JSON: {error}",
                           hint="give the path of a file whose name ends in .json, or a JSON object") from None
    if not isinstance(found, dict):
        raise InvalidValue(f"{shown} holds {type(found).__name__}, not names with values",
                           hint="a configuration is a JSON object")
    return found
