"""Plots of a classifier on its training data. They are drawn without pyplot: neither its state nor the backend that the
program chose is touched."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.autolog.sklearn.measures import Seen
    from millstream.autolog.training import Training

# With more classes than this the cells have no numbers, and with more than that nothing can be read at all.
_NUMBERED = 20
_MOST = 200


def log(training: Training, seen: Seen) -> None:
    """Log the confusion matrix of a classifier, and the ROC and precision-recall curves of one with two classes."""
    if not seen.is_classifier or importlib.util.find_spec("matplotlib") is None:
        return
    with training.safely("training_confusion_matrix.png"):
        figure = confusion_matrix(seen)
        if figure is not None:
            training.log_figure(figure, "training_confusion_matrix.png", **_FAST)
    if seen.classes is None or len(seen.classes) != 2 or getattr(seen.probabilities, "ndim", None) != 2:
        return
    with training.safely("training_roc_curve.png"):
        training.log_figure(roc_curve(seen), "training_roc_curve.png", **_FAST)
    with training.safely("training_precision_recall_curve.png"):
        training.log_figure(precision_recall_curve(seen), "training_precision_recall_curve.png", **_FAST)


_FAST: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}}


def confusion_matrix(seen: Seen) -> Any:
    """The share of each class that was predicted as each class; None for several targets, or very many classes."""
    from sklearn import metrics
    from sklearn.utils.multiclass import unique_labels

    if getattr(seen.predicted, "ndim", 1) != 1:
        return None
    labels = unique_labels(seen.y, seen.predicted)
    if len(labels) > _MOST:
        return None
    shares = metrics.confusion_matrix(
        seen.y, seen.predicted, labels=labels, sample_weight=seen.weights, normalize="true"
    )
    figure, axes = _empty("Normalized confusion matrix", "Predicted label", "True label")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(labels) <= _NUMBERED:
        places, names = range(len(labels)), [str(label) for label in labels]
        axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 4 else 0)
        axes.set_yticks(places, names)
        for row in places:
            for column in places:
                share = shares[row, column]
                axes.text(column, row, f"{share:.2g}", ha="center", va="center",
                          color="white" if share > 0.5 else "black")
    if len(labels) > 2:
        figure.colorbar(axes.images[0], ax=axes, fraction=0.046)
    return figure


def roc_curve(seen: Seen) -> Any:
    """The share of the second class that is found, over the share of the first that is taken for it."""
    from sklearn import metrics

    positive = seen.classes[1] if seen.pos_label is None else seen.pos_label
    false, true, _ = metrics.roc_curve(
        seen.y, _scores(seen, positive), pos_label=positive, sample_weight=seen.weights
    )
    area = metrics.auc(false, true)
    figure, axes = _curve("ROC curve", f"False positive rate (positive label: {positive})",
                          f"True positive rate (positive label: {positive})")
    axes.plot(false, true)
    axes.text(0.98, 0.04, f"{type(seen.estimator).__name__} (AUC = {area:.2f})", ha="right")
    return figure


def precision_recall_curve(seen: Seen) -> Any:
    """The precision that each share of the second class found costs."""
    from sklearn import metrics

    positive = seen.classes[1] if seen.pos_label is None else seen.pos_label
    scores = _scores(seen, positive)
    precision, recall, _ = metrics.precision_recall_curve(
        seen.y, scores, pos_label=positive, sample_weight=seen.weights
    )
    average = metrics.average_precision_score(seen.y, scores, pos_label=positive, sample_weight=seen.weights)
    figure, axes = _curve("Precision-recall curve", f"Recall (positive label: {positive})",
                          f"Precision (positive label: {positive})")
    axes.plot(recall, precision, drawstyle="steps-post")
    axes.text(0.02, 0.04, f"{type(seen.estimator).__name__} (AP = {average:.2f})")
    return figure


def _scores(seen: Seen, positive: Any) -> Any:
    return seen.probabilities[:, list(seen.classes).index(positive)]


def _empty(title: str, across: str, up: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.8), layout=None)
    axes = figure.add_axes((0.16, 0.16, 0.78, 0.76))
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


def _curve(title: str, across: str, up: str) -> tuple[Any, Any]:
    figure, axes = _empty(title, across, up)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ticks = [0, 0.25, 0.5, 0.75, 1]  # of one's own: finding good ones costs as much as the rest of the drawing
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    return figure, axes
