"""The client's calls on experiments."""

from __future__ import annotations

from typing import Any

from millstream.entities import Experiment, ExperimentTag, PagedList, ViewType
from millstream.errors import InvalidValue, NotFound
from millstream.operations import (
    CreateExperiment,
    DeleteExperiment,
    DeleteExperimentTag,
    GetExperiment,
    GetExperimentByName,
    RestoreExperiment,
    SearchExperiments,
    SetExperimentTag,
    UpdateExperiment,
)
from millstream.tracking.client.base import Calls
from millstream.tracking.client.values import view_name


class ExperimentCalls(Calls):
    """Experiments: create, find, rename, tag, delete and restore."""

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None
    ) -> str:
        """Create an experiment and return its id. Raises AlreadyExists for a name that one has, deleted or not."""
        made = [ExperimentTag(key, str(value)) for key, value in (tags or {}).items()]
        return self._execute(CreateExperiment(checked_name(name), artifact_location or None, made)).experiment_id

    def get_experiment(self, experiment_id: str) -> Experiment:
        """The experiment, deleted or not. Raises ExperimentNotFound."""
        return self._execute(GetExperiment(str(experiment_id))).experiment

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """The experiment of this name, deleted or not; None when there is none."""
        try:
            return self._execute(GetExperimentByName(name)).experiment
        except NotFound:
            return None

    def search_experiments(
        self, view_type: int = ViewType.ACTIVE_ONLY, max_results: int | None = 1000, filter_string: str | None = None,
        order_by: list[str] | None = None, page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """A page of the experiments that match ``filter_string``; its ``token`` asks for the next.

        Raises SearchSyntaxError for a filter or order that does not parse.
        """
        page = self._execute(SearchExperiments(
            1000 if max_results is None else max_results, page_token, filter_string or None, list(order_by or ()),
            view_name(view_type),
        ))
        return PagedList(page.experiments, page.next_page_token)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an active experiment another name."""
        self._execute(UpdateExperiment(str(experiment_id), checked_name(new_name)))

    def delete_experiment(self, experiment_id: str) -> None:
        """Move an experiment and its runs to the trash."""
        self._execute(DeleteExperiment(str(experiment_id)))

    def restore_experiment(self, experiment_id: str) -> None:
        """Take an experiment, and the runs deleted with it, out of the trash."""
        self._execute(RestoreExperiment(str(experiment_id)))

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment."""
        self._execute(SetExperimentTag(str(experiment_id), key, str(value)))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an experiment. Raises NotFound when it has none of this key."""
        self._execute(DeleteExperimentTag(str(experiment_id), key))


def checked_name(name: Any) -> str:
    """The name of an experiment. Raises InvalidValue for what is no text, and for an empty one."""
    if not isinstance(name, str) or not name:
        raise InvalidValue(f"Invalid experiment name: {name!r}. Expects a string that is not empty.")
    return name
