"""What is logged of one fit."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from millstream.autolog.patching import Body
from millstream.autolog.sklearn import afterwards, measures, plots, search
from millstream.autolog.training import Training, first_rows, random_states_kept

if TYPE_CHECKING:
    from millstream.data import Dataset


def fit(flavor: str) -> Body:
    """The log of a fit whose model is saved with ``flavor``."""

    def body(training: Training) -> Generator[None, Any, None]:
        estimator = training.instance
        X, y, weights = data_of(training)
        describe(training, estimator)
        dataset = training.log_dataset(X, y)
        example = first_rows(X)  # a fit may overwrite the data
        yield
        with random_states_kept():
            if search.is_search(estimator):
                search.log_best(training, estimator)
            predict = getattr(estimator, "predict", None)
            training.log_model(
                flavor, estimator, examples=example, predict=predict, data=X, **_format(training)
            )
            log_measures(training, estimator, X, y, weights, dataset)
            if search.is_search(estimator):
                search.log_search(training, estimator, dataset, flavor, example, data=X, **_format(training))
            afterwards.remember(training, estimator)

    return body


def describe(training: Training, estimator: Any) -> None:
    """Log the parameters of an estimator and what it is."""
    training.log_params(estimator.get_params(deep=not search.is_search(estimator)))
    training.set_tags(tags_of(estimator))


def tags_of(estimator: Any) -> dict[str, str]:
    """What says which estimator was trained."""
    kind = type(estimator)
    return {"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__name__}"}


def data_of(training: Training) -> tuple[Any, Any, Any]:
    """The data of a fit: features, targets and sample weights, None where there are none."""
    given = [(name, value) for name, value in training.arguments.items() if name != "self"]
    X = given[0][1] if given else None
    y = given[1][1] if len(given) > 1 and given[1][0] in ("y", "Y") else None
    if y is None:
        y = training.argument("y")
    weights = training.argument("sample_weight")
    if weights is None:
        weights = training.kwargs.get("sample_weight")
    return X, y, weights


def log_measures(
    training: Training, estimator: Any, X: Any, y: Any, weights: Any, dataset: Dataset | None
) -> None:
    """Log how the estimator does on its training data, the picture of it, and the plots."""
    if y is not None and (not search.is_search(estimator) or hasattr(estimator, "best_estimator_")):
        with training.safely("the metrics of the training data"):
            seen = measures.Seen(estimator, X, y, weights, training.settings.pos_label)
            training.log_metrics(seen.metrics(training), dataset=dataset)
            plots.log(training, seen)
    with training.safely("estimator.html"):
        from sklearn.utils import estimator_html_repr

        training.log_text(estimator_html_repr(estimator), "estimator.html")


def _format(training: Training) -> dict[str, Any]:
    chosen = getattr(training.settings, "serialization_format", None)
    return {"serialization_format": chosen} if chosen else {}
