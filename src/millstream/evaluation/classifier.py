"""The metrics of classifiers, as scikit-learn computes them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import pandas

    from millstream.evaluation.options import Options
    from millstream.evaluation.predicting import Array, Predicted

logger = logging.getLogger("millstream")


@dataclass(frozen=True)
class Labels:
    """True and predicted labels of all rows, and every label there is, in order.

    ``probabilities`` has a column for each label; None when the model gives none. ``positive`` is the positive label of
    two, None for more.
    """

    true: Array
    predicted: Array
    every: Array
    positive: Any
    probabilities: Array | None
    weights: Array | None

    def of(self, label: Any) -> tuple[Array, Array | None]:
        """Whether each row has ``label``, and the probability that it has."""
        column = None if self.probabilities is None else self.probabilities[:, list(self.every).index(label)]
        return self.true == label, column


def labels_of(true: Array, predicted: Predicted, options: Options) -> Labels:
    """The labels. Raises InvalidValue for data with fewer than two, for numbers that are no classes, for probabilities
    without a column for each label, and for a ``pos_label`` that is none of two."""
    import numpy
    from sklearn.utils.multiclass import type_of_target

    values = predicted.values
    for role, array in (("targets", true), ("predictions", values)):
        if type_of_target(array).startswith("continuous"):
            raise InvalidValue(
                f"the {role} are numbers with fractions, such as {array.ravel().tolist()[0]!r}: expected classes",
                hint='model_type="regressor" is for numbers; a classifier predicts labels',
            )
    probabilities, classes = predicted.probabilities, predicted.classes
    known = [] if classes is None else [numpy.asarray(classes)]
    given = [] if options.label_list is None else [numpy.asarray(options.label_list)]
    if probabilities is not None and classes is None:
        # Columns without names are the labels in their order.
        every = numpy.unique(numpy.concatenate([true, *given]))
        if len(every) != probabilities.shape[1] and true.dtype.kind in "iu":
            every = numpy.arange(probabilities.shape[1])
        if len(every) != probabilities.shape[1]:
            raise InvalidValue(
                f"the model gives {probabilities.shape[1]} probabilities for {len(every)} labels",
                hint="evaluator_config={'label_list': […]} says which labels there are",
            )
        values = every[probabilities.argmax(axis=1)]
    else:
        every = _union([true, values, *known, *given])
    if len(every) < 2:
        raise InvalidValue(
            f"the data has the one label {every.tolist()[0]!r}, and a classifier tells at least two apart",
            hint="evaluator_config={'label_list': […]} says which labels there are",
        )
    if probabilities is not None and classes is not None:
        probabilities = _columns_for(every, probabilities, classes)
    positive = None
    if len(every) == 2:
        positive = every.tolist()[1] if options.pos_label is None else options.pos_label
        if positive not in every:
            raise InvalidValue.of("pos_label", positive, f"the labels are {', '.join(map(repr, every.tolist()))}")
    return Labels(true, values, every, positive, probabilities, options.sample_weights)


def classifier_metrics(labels: Labels, options: Options) -> dict[str, Any]:
    """Numbers by name: those of two classes for the positive label, of more averaged as the options say."""
    measured = (
        binary_metrics(labels, labels.positive) if labels.positive is not None else _averaged(labels, options.average)
    )
    if labels.probabilities is None:
        return measured
    from sklearn import metrics

    measured["log_loss"] = metrics.log_loss(
        labels.true, labels.probabilities, labels=labels.every, sample_weight=labels.weights
    )
    if labels.positive is not None:
        measured |= areas(labels, labels.positive)
    elif _all_occur(labels):
        measured["roc_auc"] = metrics.roc_auc_score(
            labels.true, labels.probabilities, multi_class="ovr", average=options.average, labels=labels.every,
            sample_weight=labels.weights,
        )
    return measured


def binary_metrics(labels: Labels, positive: Any) -> dict[str, Any]:
    """The metrics of one label against the rest. The counts are of rows, everything else is weighted."""
    from sklearn import metrics

    true, predicted = labels.true == positive, labels.predicted == positive
    negatives, false_positives, false_negatives, positives = metrics.confusion_matrix(
        true, predicted, labels=[False, True]
    ).ravel()
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        true, predicted, average="binary", sample_weight=labels.weights, zero_division=0
    )
    return {
        "true_negatives": int(negatives),
        "false_positives": int(false_positives),
        "false_negatives": int(false_negatives),
        "true_positives": int(positives),
        "example_count": len(true),
        "accuracy_score": metrics.accuracy_score(true, predicted, sample_weight=labels.weights),
        "recall_score": recall,
        "precision_score": precision,
        "f1_score": f1,
    }


def areas(labels: Labels, positive: Any) -> dict[str, float]:
    """The areas below the curves of one label; nothing when no row, or every row, has it."""
    from sklearn import metrics

    true, probability = labels.of(positive)
    if true.all() or not true.any():
        logger.warning("no ROC for the label %r: all rows are on one side", positive)
        return {}
    return {
        "roc_auc": metrics.roc_auc_score(true, probability, sample_weight=labels.weights),
        "precision_recall_auc": metrics.average_precision_score(true, probability, sample_weight=labels.weights),
    }


def per_class(labels: Labels, *, with_areas: bool) -> pandas.DataFrame:
    """A row for each label with its metrics against the rest."""
    import pandas

    rows = []
    for label in labels.every.tolist():
        row = {"positive_class": label, **binary_metrics(labels, label)}
        if with_areas and labels.probabilities is not None:
            row |= areas(labels, label)
        rows.append(row)
    return pandas.DataFrame(rows)


def _averaged(labels: Labels, average: str) -> dict[str, Any]:
    from sklearn import metrics

    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels.true, labels.predicted, average=average, sample_weight=labels.weights, zero_division=0
    )
    return {
        "example_count": len(labels.true),
        "accuracy_score": metrics.accuracy_score(labels.true, labels.predicted, sample_weight=labels.weights),
        "recall_score": recall,
        "precision_score": precision,
        "f1_score": f1,
    }


def _union(arrays: list[Array]) -> Array:
    import numpy

    try:
        return numpy.unique(numpy.concatenate(arrays))
    except TypeError:
        kinds = ", ".join(sorted({type(one).__name__ for array in arrays for one in array.tolist()}))
        raise InvalidValue(f"targets and predictions are of types that have no common order: {kinds}") from None


def _columns_for(every: Array, probabilities: Array, classes: Array) -> Array:
    """The columns in the order of the labels; a label that the model has never seen has the probability 0."""
    import numpy

    known = list(classes)
    columns = [
        probabilities[:, known.index(label)] if label in known else numpy.zeros(len(probabilities)) for label in every
    ]
    return numpy.column_stack(columns)


def _all_occur(labels: Labels) -> bool:
    import numpy

    missing = numpy.setdiff1d(labels.every, labels.true)
    if len(missing):
        shown = ", ".join(map(repr, missing.tolist()))
        logger.warning("no ROC over all classes: the data has no row with the label %s", shown)
    return not len(missing)
