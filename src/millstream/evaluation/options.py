"""The configuration of the built-in evaluators."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.evaluation.predicting import Array

logger = logging.getLogger("millstream")

# Options of MLflow's explanations that ours have no use for.
_UNUSED = frozenset({"log_explainer", "explainability_kernel_link"})
AVERAGES = ("weighted", "macro", "micro")

@dataclass(frozen=True)
class Options:
    """``evaluator_config`` for the built-in evaluators.

    ``metric_prefix`` comes before the names of metrics and of built-in artifacts. ``sample_weights`` has a number for
    each row. ``pos_label`` is the positive one of two labels, the greater unless given; ``average`` says how the
    metrics of more than two classes are averaged; ``label_list`` are all labels, those that occur unless given. ROC and
    precision-recall curves are drawn for up to ``max_classes_for_multiclass_roc_pr`` classes, calibration curves in
    ``calibration_n_bins`` bins. ``col_mapping`` says what parameters of metric functions are.
    ``log_model_explainability`` asks SHAP to explain ``explainability_nsamples`` predictions by its algorithm
    ``explainability_algorithm`` (permutation unless given), which takes from seconds to minutes.
    """

    metric_prefix: str = ""
    log_metrics_with_dataset_info: bool = True
    sample_weights: Any = None
    pos_label: Any = None
    average: str = "weighted"
    label_list: Any = None
    max_classes_for_multiclass_roc_pr: int = 10
    calibration_classifier_name: str = "Classifier"
    calibration_n_bins: int = 10
    col_mapping: Mapping[str, Any] = field(default_factory=dict)
    log_model_explainability: bool = False
    explainability_algorithm: str | None = None
    explainability_nsamples: int = 200

    @classmethod
    def of(cls, config: Mapping[str, Any], rows: int) -> Options:
        """The options in a configuration; names that are not known are told in the log and left out.

        Raises InvalidValue for weights that are not one for each of the ``rows``, and for an average that is none.
        """
        import difflib

        names = cls.__dataclass_fields__
        for name in config:
            if name not in names and name not in _UNUSED:
                near = difflib.get_close_matches(str(name), names, 1)
                logger.warning(
                    "evaluator_config has no option %r%s", name, f"; did you mean {near[0]!r}?" if near else ""
                )
        made = cls(**{name: value for name, value in config.items() if name in names and value is not None})
        if made.average not in AVERAGES or ("average" in config and config["average"] is None):
            raise InvalidValue.of("average", config["average"], f"expected one of {', '.join(AVERAGES)}")
        if made.sample_weights is not None:
            object.__setattr__(made, "sample_weights", _weights(made.sample_weights, rows))
        return made


def _weights(given: Any, rows: int) -> Array:
    import numpy

    weights = numpy.asarray(given)
    if weights.shape != (rows,):
        raise InvalidValue(f"sample_weights has the shape {weights.shape}, expected a number for each of {rows} rows")
    return weights
