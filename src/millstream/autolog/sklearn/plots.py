"""Plots of a classifier on its training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.autolog import drawing

if TYPE_CHECKING:
    from millstream.autolog.sklearn.measures import Seen
    from millstream.autolog.training import Training

# A confusion matrix of more classes shows nothing.
_MOST_CLASSES = 200
# So many points of a curve are drawn; more are closer to each other than its line is wide.
_POINTS = 2_000


def log(training: Training, seen: Seen) -> None:
    """Log the confusion matrix of a classifier, and the ROC and precision-recall curves of one with two classes."""
    if not seen.is_classifier or not drawing.is_available():
        return
    with training.safely("training_confusion_matrix.png"):
        drawn = confusion_matrix(seen)
        if drawn is not None:
            training.log_bytes(drawn, "training_confusion_matrix.png")
    if getattr(seen.predicted, "ndim", 1) != 1 or seen.classes is None or len(seen.classes) != 2:
        return
    if seen.certainties is None:
        return
    with training.safely("training_roc_curve.png"):
        training.log_bytes(roc_curve(seen), "training_roc_curve.png")
    with training.safely("training_precision_recall_curve.png"):
        training.log_bytes(precision_recall_curve(seen), "training_precision_recall_curve.png")


def confusion_matrix(seen: Seen) -> bytes | None:
    """The share of each class that was predicted as each class; None for several targets, or very many classes."""
    from sklearn import metrics
    from sklearn.utils.multiclass import unique_labels

    if getattr(seen.predicted, "ndim", 1) != 1:
        return None
    labels = unique_labels(seen.y, seen.predicted)
    if len(labels) > _MOST_CLASSES:
        return None
    cells = metrics.confusion_matrix(
        seen.y, seen.predicted, labels=labels, sample_weight=seen.weights, normalize="true"
    )
    return drawing.shares(cells, [str(label) for label in labels], title="Normalized confusion matrix",
                          across="Predicted label", up="True label")


def roc_curve(seen: Seen) -> bytes:
    """The share of the positive class that is found, over the share of the other that is taken for it."""
    from sklearn import metrics

    positive, scores = _scores(seen)
    false, true, _ = metrics.roc_curve(seen.y, scores, pos_label=positive, sample_weight=seen.weights)
    name = type(seen.estimator).__name__
    return drawing.curve(
        *_thinned(false, true), title="ROC curve", across=f"False positive rate (positive label: {positive})",
        up=f"True positive rate (positive label: {positive})", legend=f"{name} (AUC = {metrics.auc(false, true):.2f})",
    )


def precision_recall_curve(seen: Seen) -> bytes:
    """The precision at each share of the positive class that is found, as steps."""
    import numpy
    from sklearn import metrics

    positive, scores = _scores(seen)
    precision, recall, _ = metrics.precision_recall_curve(
        seen.y, scores, pos_label=positive, sample_weight=seen.weights
    )
    average = metrics.average_precision_score(seen.y, scores, pos_label=positive, sample_weight=seen.weights)
    recall, precision = _thinned(recall, precision)
    name = type(seen.estimator).__name__
    return drawing.curve(
        numpy.repeat(recall, 2)[1:], numpy.repeat(precision, 2)[:-1], title="Precision-recall curve",
        across=f"Recall (positive label: {positive})", up=f"Precision (positive label: {positive})",
        legend=f"{name} (AP = {average:.2f})",
    )


def _scores(seen: Seen) -> tuple[Any, Any]:
    """The positive class, and how sure the estimator is of it."""
    if seen.pos_label is None or seen.pos_label == seen.classes[1]:
        return seen.classes[1], seen.certainties
    return seen.classes[0], -seen.certainties


def _thinned(xs: Any, ys: Any) -> tuple[Any, Any]:
    """At most so many points of a curve as can be told apart, first and last among them."""
    import numpy

    if len(xs) <= _POINTS:
        return xs, ys
    kept = numpy.linspace(0, len(xs) - 1, _POINTS).astype(int)
    return xs[kept], ys[kept]
