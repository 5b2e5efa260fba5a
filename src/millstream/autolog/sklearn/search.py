"""What is logged of a hyper-parameter search: its best parameters, its candidates as child runs, its best estimator."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.autolog.children import Child
from millstream.autolog.training import Training

if TYPE_CHECKING:
    from millstream.data import Dataset

# Of the results of a candidate, these are its metrics; the others are its parameters and the scores of single folds.
_METRICS = ("mean_", "std_", "rank_")


def is_search(estimator: Any) -> bool:
    """Whether an estimator tries candidates: GridSearchCV, RandomizedSearchCV, the halving ones, and their kin."""
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(estimator, BaseSearchCV)


def log_best(training: Training, search: Any) -> None:
    """Log the parameters of the best candidate, as ``best_<name>``."""
    best = getattr(search, "best_params_", None)
    if best is not None:
        training.log_params({f"best_{name}": value for name, value in best.items()})


def log_search(
    training: Training, search: Any, dataset: Dataset | None, flavor: str, example: Any, **options: Any
) -> None:
    """Log the score of the best candidate, the best estimator, the table of results, and the candidates."""
    if hasattr(search, "best_score_"):
        training.log_metrics({"best_cv_score": search.best_score_}, dataset=dataset)
    best = getattr(search, "best_estimator_", None)
    if best is not None:
        _log_best_estimator(training, best, flavor, example, options)
    results = getattr(search, "cv_results_", None)
    if results is None:
        return
    with training.safely("cv_results.csv"):
        training.log_text(_table(results), "cv_results.csv")
    with training.safely("the candidates as child runs"):
        _log_candidates(training, search, results, dataset)


def _log_best_estimator(
    training: Training, best: Any, flavor: str, example: Any, options: dict[str, Any]
) -> None:
    # The search itself is the training's model, and what is registered.
    model_id = training.model_id
    training.log_model(
        flavor, best, "best_estimator", examples=example, predict=getattr(best, "predict", None),
        params=best.get_params(deep=True), registered_model_name=None, **options,
    )
    training.model_id = model_id


def _table(results: Mapping[str, Any]) -> str:
    """The results as CSV, a line for each candidate."""
    import csv

    columns = list(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(results[column] for column in columns), strict=True):
        writer.writerow(["" if str(value) in ("--", "nan") else value for value in row])
    return text.getvalue()


def _log_candidates(training: Training, search: Any, results: Mapping[str, Any], dataset: Dataset | None) -> None:
    """Log the best candidates, as many as ``max_tuning_runs``, each as a run of its own below the search's."""
    from sklearn.base import clone

    from millstream.autolog.sklearn.fitting import tags_of

    count = len(results["params"])
    most = training.settings.max_tuning_runs
    chosen = list(range(count))
    if most is not None and most < count:
        rank = next((name for name in (_rank_of(search), *results) if name in results and name.startswith("rank_")),
                    None)
        if rank is not None:
            chosen.sort(key=lambda index: int(results[rank][index]))
        chosen = sorted(chosen[:most])
        training.tell(f"{most} of the search's {count} candidates are logged as child runs; "
                      "sklearn.autolog(max_tuning_runs=None) logs all")
    tags = tags_of(search.estimator)
    begun = int(time.time() * 1000) - _milliseconds_of(results)
    children = []
    for index in chosen:
        candidate = clone(search.estimator).set_params(**clone(results["params"][index], safe=False))
        metrics = {
            name: results[name][index] for name in results
            if name.startswith(_METRICS) and _is_number(results[name][index])
        }
        children.append(Child(candidate.get_params(deep=True), metrics, tags, start_time=begun))
    if children:
        training.log_children(children, dataset=dataset)


def _rank_of(search: Any) -> str:
    """The column that ranks the candidates by what the search refits on."""
    return f"rank_test_{search.refit}" if isinstance(search.refit, str) else "rank_test_score"


def _milliseconds_of(results: Mapping[str, Any]) -> int:
    """How long the candidates took, in milliseconds, so that children begin before they end."""
    times = itertools.chain(results.get("mean_fit_time", ()), results.get("mean_score_time", ()))
    return int(1000 * sum(value for value in times if value == value))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
