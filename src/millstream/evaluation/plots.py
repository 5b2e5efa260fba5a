"""The plots of classifiers, drawn by matplotlib without its global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from millstream.evaluation.classifier import Labels
    from millstream.evaluation.options import Options

_GREY = "0.8"
_POINTS = 1000


def plots(labels: Labels, options: Options) -> dict[str, Callable[[], Figure]]:
    """What draws each plot, by the name of its artifact; probabilities allow more than the confusion matrix."""
    drawn: dict[str, Callable[[], Figure]] = {}
    if labels.probabilities is not None and _curves(labels):
        few = labels.positive is not None or len(labels.every) <= options.max_classes_for_multiclass_roc_pr
        if few:
            drawn["roc_curve_plot"] = lambda: roc_curve(labels)
            drawn["precision_recall_curve_plot"] = lambda: precision_recall_curve(labels)
        if labels.positive is not None:
            drawn["lift_curve_plot"] = lambda: lift_curve(labels)
        drawn["calibration_curve_plot"] = lambda: calibration_curve(labels, options)
    drawn["confusion_matrix"] = lambda: confusion_matrix(labels)
    return drawn


def roc_curve(labels: Labels) -> Figure:
    """True against false positive rate, of the positive label or of each."""
    from sklearn import metrics

    figure, axes = _figure("ROC curve", f"False positive rate{_of(labels)}", f"True positive rate{_of(labels)}")
    for label, name in _curves(labels):
        true, probability = labels.of(label)
        fpr, tpr, _ = metrics.roc_curve(true, probability, sample_weight=labels.weights)
        axes.plot(fpr, tpr, linewidth=1, label=f"{name}AUC={metrics.auc(fpr, tpr):.3f}")
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--")
    return _with_legend(figure, axes)


def precision_recall_curve(labels: Labels) -> Figure:
    """Precision against recall, of the positive label or of each."""
    from sklearn import metrics

    figure, axes = _figure("Precision recall curve", f"Recall{_of(labels)}", f"Precision{_of(labels)}")
    for label, name in _curves(labels):
        true, probability = labels.of(label)
        precision, recall, _ = metrics.precision_recall_curve(
            true, probability, sample_weight=labels.weights, drop_intermediate=True
        )
        mean = metrics.average_precision_score(true, probability, sample_weight=labels.weights)
        axes.plot(recall, precision, linewidth=1, drawstyle="steps-post", label=f"{name}AP={mean:.3f}")
    axes.set_ylim(-0.03, 1.03)
    return _with_legend(figure, axes)


def lift_curve(labels: Labels) -> Figure:
    """How much more often a label is found among the rows that are likeliest to have it than among all rows.

    Source of the method: the cumulative gain chart divided by its diagonal.
    """
    import numpy

    figure, axes = _figure("Lift curve", "Share of the sample", "Lift")
    for label in labels.every.tolist():
        true, probability = labels.of(label)
        order = numpy.argsort(-numpy.asarray(probability), kind="stable")
        found = numpy.cumsum(true[order])
        if not found[-1]:
            continue
        share = numpy.arange(1, len(found) + 1) / len(found)
        lift = found / found[-1] / share
        chosen = numpy.unique(numpy.linspace(0, len(found) - 1, _POINTS).astype(int))
        positive = " (positive)" if label == labels.positive else ""
        axes.plot(share[chosen], lift[chosen], linewidth=2, label=f"Class {label}{positive}")
    axes.plot([0, 1], [1, 1], color="black", linestyle="--", label="Baseline")
    axes.grid(True)
    return _with_legend(figure, axes)


def calibration_curve(labels: Labels, options: Options) -> Figure:
    """How often rows have a label, against how probable it was said to be; of the positive label or of each."""
    from sklearn.calibration import calibration_curve as bins

    of = _of(labels)
    figure, axes = _figure("Calibration", f"Mean predicted probability{of}", f"Fraction of positives{of}")
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", label="Perfectly calibrated")
    for label, _ in _curves(labels):
        true, probability = labels.of(label)
        fraction, mean = bins(true, probability, n_bins=options.calibration_n_bins)
        name = options.calibration_classifier_name if labels.positive is not None else f"Class {label}"
        axes.plot(mean, fraction, marker="s" if labels.positive is not None else ".", label=name)
    return _with_legend(figure, axes)


def confusion_matrix(labels: Labels) -> Figure:
    """What share of the rows of each label were given which label."""
    from sklearn import metrics

    matrix = metrics.confusion_matrix(
        labels.true, labels.predicted, labels=labels.every, normalize="true", sample_weight=labels.weights
    )
    figure, axes = _figure("Normalized confusion matrix", "Predicted label", "True label")
    image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes)
    names, places = [str(label) for label in labels.every], range(len(labels.every))
    axes.set_xticks(places, names, rotation=45 if max(map(len, names)) > 6 else 0)
    axes.set_yticks(places, names)
    size = min(10, 70 / len(names))  # points that fit into a cell
    if len(names) <= 20:
        for row in places:
            for column in places:
                share = matrix[row, column]
                color = "white" if share > 0.5 else "black"
                axes.text(column, row, f"{share:.2g}", ha="center", va="center", color=color, fontsize=size)
    return figure


def _figure(title: str, x: str, y: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.7), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _with_legend(figure: Figure, axes: Any) -> Figure:
    if len(axes.lines) > 6:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    else:
        axes.legend(loc="best", fontsize="small")
    return figure


def _of(labels: Labels) -> str:
    return f" (positive label: {labels.positive})" if labels.positive is not None else ""


def _curves(labels: Labels) -> list[tuple[Any, str]]:
    """The labels that get a curve, those that some rows have and some have not, and what the legend calls each."""
    if labels.positive is not None:
        drawn = [(labels.positive, "")]
    else:
        drawn = [(label, f"label={label}, ") for label in labels.every.tolist()]
    return [
        (label, name) for label, name in drawn
        if (labels.true == label).any() and not (labels.true == label).all()
    ]
