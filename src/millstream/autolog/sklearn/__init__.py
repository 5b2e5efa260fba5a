"""Autologging of scikit-learn.

Every estimator of scikit-learn is patched when its module is imported, but for those that only prepare data (see
``PREPARING``). What the library calls itself, such as the fits of a cross-validation, is not logged: only what the
program calls is.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

from millstream.autolog.libraries import autologging
from millstream.autolog.sklearn import afterwards
from millstream.autolog.sklearn.fitting import fit

if TYPE_CHECKING:
    from millstream.autolog.patching import Patches

__all__ = ["autolog", "install"]

# Estimators that prepare data for others: a fit of them alone is no training. MLflow leaves out the same.
PREPARING = (
    "sklearn.preprocessing", "sklearn.impute", "sklearn.feature_extraction", "sklearn.feature_selection",
    "sklearn.compose._column_transformer",
)
FITS = ("fit", "fit_transform", "fit_predict")
PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "transform")


@autologging("sklearn")
def autolog(
    log_input_examples: bool = False, log_model_signatures: bool = True, log_models: bool = True,
    log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, max_tuning_runs: int | None = 5,
    log_post_training_metrics: bool = True, serialization_format: str = "cloudpickle",
    registered_model_name: str | None = None, pos_label: Any = None, extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every training with scikit-learn: an estimator, a pipeline, a meta-estimator or a search.

    - Parameters: ``get_params(deep=True)``; of a search its own, and the best ones as ``best_<name>``.
    - Metrics on the training data, weighted as the training was: precision, recall, f1, accuracy, log loss and ROC AUC
      of classifiers (averages over the classes weighted by their size, or of ``pos_label`` alone), squared and absolute
      errors and R² of regressors, and the estimator's own score, each as ``training_<name>``.
    - Metrics after it (``log_post_training_metrics``): what functions of ``sklearn.metrics`` say about predictions of
      the estimator, and its ``score``, each as ``<name>[-n]_<variable of the data>``; ``metric_info.json`` says how
      they were called.
    - Tags ``estimator_name`` and ``estimator_class``; ``estimator.html``; plots of the confusion matrix, and for two
      classes of the ROC and precision-recall curves, where matplotlib is installed.
    - The model (``log_models``, in the format ``serialization_format``), the best estimator of a search as a model of
      its own, and the training data as a dataset (``log_datasets``).
    - Of a search, ``cv_results.csv`` and the best ``max_tuning_runs`` candidates as child runs with their parameters
      and metrics (None: all of them).

    The other arguments are those of :func:`millstream.autolog`. Raises InvalidValue for a negative ``max_tuning_runs``.
    """
    from millstream.errors import InvalidValue

    if max_tuning_runs is not None and max_tuning_runs < 0:
        raise InvalidValue.of("max_tuning_runs", max_tuning_runs, "it is a number of child runs",
                              hint="0 for none, None for all")


def install(patches: Patches) -> None:
    """Patch the estimators of every module of scikit-learn, those that are imported later too."""

    def patch(module: ModuleType) -> None:
        name = module.__name__
        if name == "sklearn.metrics":
            _patch_metrics(patches, module)
        if name == "sklearn" or any(name == one or name.startswith(f"{one}.") for one in PREPARING):
            return
        from sklearn.base import BaseEstimator

        for found in list(vars(module).values()):
            if isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == name:
                patch_estimator(patches, found)

    patches.when_imported_below("sklearn", patch)


def patch_estimator(patches: Patches, estimator: type, flavor: str = "sklearn") -> None:
    """Log what the program does with estimators of this class; their models are saved with ``flavor``.

    Libraries whose estimators follow scikit-learn's conventions call this in their own ``install``.
    """
    if hasattr(estimator, "fit"):
        for name in FITS:
            patches.train(estimator, name, fit(flavor), own_calls=False)
    for name in PREDICTIONS:
        patches.watch(estimator, name, afterwards.prediction, own_calls=False)
    patches.watch(estimator, "score", afterwards.score, own_calls=False)


def _patch_metrics(patches: Patches, module: ModuleType) -> None:
    for name in module.__all__:
        if inspect.isfunction(getattr(module, name, None)) and not name.startswith(("pairwise_", "get_", "make_")):
            patches.watch(module, name, afterwards.metric, own_calls=False)
