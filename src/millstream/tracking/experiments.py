"""Choosing, finding and changing experiments."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
import threading
from typing import Any, NamedTuple

from millstream import settings
from millstream.entities import Experiment, LifecycleStage, PagedList, ViewType
from millstream.errors import AlreadyExists, InvalidValue, NotFound
from millstream.operations import GetExperiment, GetExperimentByName
from millstream.tracking import stores
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.experiments import checked_name
from millstream.tracking.tags import MLFLOW_EXPERIMENT_SOURCE_ID, MLFLOW_EXPERIMENT_SOURCE_TYPE

logger = logging.getLogger("millstream")

DEFAULT_EXPERIMENT_ID = "0"


class _Chosen(NamedTuple):
    """The experiment that set_experiment() chose, and the store that it is in."""

    uri: str
    experiment_id: str
    name: str


_chosen: _Chosen | None = None
# By (store, name): experiments that the environment or the notebook named, which need not be looked up at every run.
_found: dict[tuple[str, str], str] = {}
_lock = threading.RLock()


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None) -> Experiment:
    """Let new runs go to an experiment, named or by id; a name that is new is created. Child processes inherit it.

    Raises InvalidValue for a deleted experiment and unless exactly one of the two is given; ExperimentNotFound.
    """
    global _chosen
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidValue("Must specify exactly one of: `experiment_id` or `experiment_name`.")
    uri = stores.get_tracking_uri()
    with _lock:
        if experiment_id is not None:
            experiment = stores.store(uri).execute(GetExperiment(str(experiment_id))).experiment
        else:
            experiment = _by_name(uri, checked_name(experiment_name))
        if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
            raise InvalidValue(
                f"the experiment {experiment.name!r} is deleted and cannot take runs",
                hint=f"restore_experiment({experiment.experiment_id!r}) brings it back; "
                "`millstream gc` removes it for good and frees its name",
            )
        _chosen = _Chosen(uri, experiment.experiment_id, experiment.name)
        # By name as well: it wins over the id, and another name may stand in the environment.
        settings.EXPERIMENT_NAME.set(experiment.name)
        settings.EXPERIMENT_ID.set(experiment.experiment_id)
    return experiment


def _by_name(uri: str, name: str, tags: dict[str, str] | None = None) -> Experiment:
    store = stores.store(uri)
    try:
        return store.execute(GetExperimentByName(name)).experiment
    except NotFound:
        pass
    client = MlflowClient(uri)
    try:
        made = client.create_experiment(name, tags=tags)
        logger.info("the experiment %r is new", name)
        return client.get_experiment(made)
    except AlreadyExists:  # another process was faster
        return store.execute(GetExperimentByName(name)).experiment


def experiment_of_new_runs(uri: str) -> str:
    """The id of the experiment that new runs of a store go to.

    In this order: the one that set_experiment() chose; that of ``MLFLOW_EXPERIMENT_NAME`` (created when it is new);
    that of ``MLFLOW_EXPERIMENT_ID``; in a notebook, one of its own, named after it; the default experiment.
    """
    chosen = _chosen
    if chosen is not None:
        if chosen.uri == uri:
            return chosen.experiment_id
        # The program moved to another store since; there the experiment of this name may have another id.
        return _remembered(uri, chosen.name)
    name = settings.EXPERIMENT_NAME.get()
    if name:
        return _remembered(uri, checked_name(name))
    experiment_id = settings.EXPERIMENT_ID.get()
    if experiment_id:
        return experiment_id
    return _of_notebook(uri) or DEFAULT_EXPERIMENT_ID


def _remembered(uri: str, name: str, tags: dict[str, str] | None = None) -> str:
    found = _found.get((uri, name))
    if found is None:
        with _lock:
            found = _found[(uri, name)] = _by_name(uri, name, tags).experiment_id
    return found


def _of_notebook(uri: str) -> str | None:
    notebook = _notebook()
    if notebook is None:
        return None
    path, owner = notebook
    name = f"{os.path.splitext(os.path.basename(path))[0]} ({owner})"
    source = f"{owner}:{path}"
    tags = {MLFLOW_EXPERIMENT_SOURCE_ID: source, MLFLOW_EXPERIMENT_SOURCE_TYPE: "NOTEBOOK"}
    with _lock:
        if (uri, source) not in _found:
            experiment = _by_name(uri, name, tags)
            if experiment.tags.get(MLFLOW_EXPERIMENT_SOURCE_ID) != source:  # a notebook of this name in another folder
                experiment = _by_name(uri, f"{name} {hashlib.sha256(source.encode()).hexdigest()[:8]}", tags)
            _found[uri, source] = experiment.experiment_id
    return _found[uri, source]


@functools.cache
def _notebook() -> tuple[str, str] | None:
    """The notebook of this kernel and whose it is; asked once, because an old Jupyter server may have to be asked."""
    if "ipykernel" not in sys.modules:
        return None
    from millstream.tracking.context.notebook import notebook_path, notebook_path_from_server
    from millstream.tracking.context.source import user

    path = notebook_path() or notebook_path_from_server(1.0)
    return (os.path.abspath(path), user() or "nobody") if path else None


def create_experiment(name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None) -> str:
    """Create an experiment and return its id. Raises AlreadyExists for a name that one has, deleted or not."""
    return MlflowClient().create_experiment(name, artifact_location, tags)


def get_experiment(experiment_id: str) -> Experiment:
    """The experiment with this id, deleted or not. Raises ExperimentNotFound."""
    return MlflowClient().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """The experiment of this name, deleted or not; None when there is none."""
    return MlflowClient().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY, max_results: int | None = None, filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """Every experiment that matches, at most ``max_results``. Raises SearchSyntaxError."""
    client = MlflowClient()
    found: list[Experiment] = []
    token = None
    while max_results is None or len(found) < max_results:
        size = 1000 if max_results is None else min(1000, max_results - len(found))
        page: PagedList[Experiment] = client.search_experiments(view_type, size, filter_string, order_by, token)
        found += page
        token = page.token
        if not token:
            break
    return found


def delete_experiment(experiment_id: str) -> None:
    """Move an experiment and its runs to the trash. Raises ExperimentNotFound."""
    MlflowClient().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Take an experiment, and the runs deleted with it, out of the trash. Raises ExperimentNotFound."""
    MlflowClient().restore_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the experiment that new runs go to."""
    MlflowClient().set_experiment_tag(experiment_of_new_runs(stores.get_tracking_uri()), key, value)


def set_experiment_tags(tags: dict[str, Any]) -> None:
    """Set tags of the experiment that new runs go to."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Remove a tag of the experiment that new runs go to. Raises NotFound when it has none of this key."""
    MlflowClient().delete_experiment_tag(experiment_of_new_runs(stores.get_tracking_uri()), key)


def forget_experiments() -> None:
    """Take set_experiment() back, and look up named experiments again."""
    global _chosen
    _chosen = None
    _found.clear()
    _notebook.cache_clear()
