"""Explanations of a model's predictions by SHAP, when it is installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

    from millstream.evaluation.options import Options
    from millstream.evaluation.predicting import Subject

logger = logging.getLogger("millstream")

# Rows that stand for the data where a feature is left out, and features that a plot shows.
BACKGROUND = 20
SHOWN = 10


def explain(subject: Subject, features: pandas.DataFrame, options: Options, keep: Callable[[str, Any], None]) -> None:
    """Draw what the features weigh in up to ``explainability_nsamples`` predictions: three plots for ``keep``.

    Source of the method: Lundberg and Lee, A Unified Approach to Interpreting Model Predictions, 2017. What cannot be
    explained is one line in the log: features or predictions that are no numbers, or a model that SHAP does not take.
    """
    if importlib.util.find_spec("shap") is None:
        logger.warning("no explanations of the model: shap is not installed")
        return
    if not all(kind.kind in "biuf" for kind in features.dtypes):
        logger.warning("no explanations of the model: not all features are numbers")
        return
    try:
        explained = _explanation(subject, features, options)
    except Exception as error:  # a library's opinion of somebody's model must not cost the evaluation
        logger.warning("no explanations of the model: %s: %s", type(error).__name__, error)
        return
    keep("shap_beeswarm_plot", _beeswarm(explained))
    keep("shap_summary_plot", _summary(explained))
    keep("shap_feature_importance_plot", _importance(explained))


def _explanation(subject: Subject, features: pandas.DataFrame, options: Options) -> Any:
    import numpy
    import shap

    sample = features.sample(min(len(features), options.explainability_nsamples), random_state=0)
    background = features.sample(min(len(features), BACKGROUND), random_state=0)
    columns, kinds = list(features.columns), features.dtypes.to_dict()

    def predict(rows: Any) -> Any:
        import pandas

        return numpy.asarray(subject.predict(pandas.DataFrame(rows, columns=columns).astype(kinds)), float).ravel()

    explainer = shap.Explainer(
        predict, background.to_numpy(), algorithm=options.explainability_algorithm or "permutation",
        feature_names=[str(name) for name in columns], seed=0,
    )
    return explainer(sample.to_numpy(), silent=True)


def _beeswarm(explained: Any) -> Any:
    import shap

    figure, axes = _figure()
    shap.plots.beeswarm(explained, max_display=SHOWN, ax=axes, plot_size=None, show=False)
    return figure


def _summary(explained: Any) -> Any:
    """The spread of each feature's contributions, the weightiest feature on top."""
    import numpy

    figure, axes = _figure()
    weight = numpy.abs(explained.values).mean(axis=0)
    order = numpy.argsort(weight)[-SHOWN:]
    axes.boxplot(
        [explained.values[:, place] for place in order], orientation="horizontal",
        tick_labels=[explained.feature_names[place] for place in order],
    )
    axes.set(title="SHAP values by feature", xlabel="contribution to the prediction")
    return figure


def _importance(explained: Any) -> Any:
    import shap

    figure, axes = _figure()
    shap.plots.bar(explained, max_display=SHOWN, ax=axes, show=False)
    return figure


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), dpi=120, layout="constrained")
    return figure, figure.add_subplot()
