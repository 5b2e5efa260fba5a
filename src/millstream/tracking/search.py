"""Finding runs: as a list, or as a DataFrame built column by column."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from millstream.entities import Experiment, Run, ViewType
from millstream.errors import InvalidValue
from millstream.tracking import stores
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.values import listed
from millstream.tracking.columns import KINDS, frame_columns
from millstream.tracking.experiments import experiment_of_new_runs, search_experiments
from millstream.tracking.extras import pandas

if TYPE_CHECKING:
    from pandas import DataFrame

logger = logging.getLogger("millstream")

# A page is one answer in memory, here and on a server; larger ones save nothing.
_PAGE = 2_000


def search_runs(
    experiment_ids: list[str] | None = None, filter_string: str = "", run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000, order_by: list[str] | None = None, output_format: Literal["pandas", "list"] = "pandas",
    search_all_experiments: bool = False, experiment_names: list[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[Run] | DataFrame:
    """The runs that match ``filter_string``, at most ``max_results``, newest first unless ordered otherwise.

    Looks into the experiments with these ids or names, or into all of them, or into the one that new runs go to. The
    DataFrame has the columns ``run_id``, ``experiment_id``, ``status``, ``artifact_uri``, ``start_time``, ``end_time``,
    then ``metrics.…``, ``params.…`` and ``tags.…``: NaN, or nothing, where a run has no value.

    ``columns`` (beyond MLflow), such as ``["run_name", "metrics.loss", "params.*"]``, are the only ones read and shown,
    which makes a large search small. Raises SearchSyntaxError for a filter or order that does not parse.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidValue.of("output_format", output_format, "it is neither 'pandas' nor 'list'")
    if experiment_ids and experiment_names:
        raise InvalidValue("Only experiment_ids or experiment_names can be used, but not both")
    if output_format == "pandas":
        pandas("search_runs() as a DataFrame", hint="or ask for a list: search_runs(output_format='list')")
    client = MlflowClient()
    where = _experiments(client, experiment_ids, experiment_names, search_all_experiments)
    runs: list[Run] = []
    token = None
    while where and len(runs) < max_results:
        page = client.search_runs(
            where, filter_string, run_view_type, min(_PAGE, max_results - len(runs)), order_by, token, columns
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs if output_format == "list" else frame(runs, columns)


def _experiments(
    client: MlflowClient, ids: list[str] | None, names: list[str] | None, everywhere: bool
) -> list[str]:
    if ids:
        return listed(ids, "experiment_ids")
    if names:
        found = []
        for name in names:
            experiment: Experiment | None = client.get_experiment_by_name(name)
            if experiment is None:
                logger.warning("there is no experiment %r; it is left out of the search", name)
            else:
                found.append(experiment.experiment_id)
        return found
    if everywhere:
        return [experiment.experiment_id for experiment in search_experiments(ViewType.ALL)]
    return [experiment_of_new_runs(stores.get_tracking_uri())]


def frame(runs: Sequence[Run], columns: Sequence[str] | None = None) -> DataFrame:
    """Runs as a DataFrame, one row a run; with ``columns``, these and no others, in their order."""
    pd = pandas("a DataFrame of runs")
    data: dict[str, Any] = {}
    for name in frame_columns(columns):
        values = [getattr(run.info, name) for run in runs]
        data[name] = pd.to_datetime(values, unit="ms", utc=True) if name.endswith("_time") else values
    for kind, empty in zip(KINDS, (float("nan"), None, None), strict=True):
        data.update(_spread(runs, kind, empty))
    made = pd.DataFrame(data, index=range(len(runs)))
    if columns is None:
        return made
    wanted: list[str] = []
    for column in columns:
        if column.endswith(".*"):
            wanted += [name for name in data if name.startswith(column[:-1]) and name not in wanted]
        elif column not in wanted:
            wanted.append(column)
    return made.reindex(columns=wanted)


def _spread(runs: Sequence[Run], kind: str, empty: Any) -> dict[str, list[Any]]:
    """A column for each key that occurs, in the order of first occurrence."""
    made: dict[str, list[Any]] = {}
    attribute = {"metrics": "metric_list", "params": "param_list", "tags": "tag_list"}[kind]
    count = len(runs)
    for row, run in enumerate(runs):
        for item in getattr(run.data, attribute):
            column = made.get(item.key)
            if column is None:
                column = made[item.key] = [empty] * count
            column[row] = item.value
    return {f"{kind}.{key}": values for key, values in made.items()}
