"""Autologging of scikit-learn."""

from __future__ import annotations

from collections.abc import Generator
from types import ModuleType
from typing import Any

from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Patches
from millstream.autolog.training import Training


@autologging("sklearn")
def autolog(
    log_input_examples: bool = False, log_model_signatures: bool = True, log_models: bool = True,
    log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, max_tuning_runs: int | None = 5,
    log_post_training_metrics: bool = True, serialization_format: str = "cloudpickle",
    registered_model_name: str | None = None, pos_label: str | int | None = None,
    extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every ``fit`` of scikit-learn's estimators: parameters, the model and the data."""


def install(patches: Patches) -> None:
    """Patch the estimators of every module of scikit-learn, those that are imported later too."""

    def patch(module: ModuleType) -> None:
        from sklearn.base import BaseEstimator

        for found in list(vars(module).values()):
            if isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module.__name__:
                for name in ("fit", "fit_transform", "fit_predict"):
                    if name in vars(found):
                        patches.train(found, name, _fit)

    patches.when_imported_below("sklearn", patch)


def _fit(training: Training) -> Generator[None, Any, None]:
    estimator = training.instance
    kind = type(estimator)
    training.log_params(estimator.get_params(deep=True))
    training.set_tags({"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__name__}"})
    X, y = training.argument("X"), training.argument("y")
    training.log_dataset(X, y)
    yield
    training.log_model("sklearn", estimator, examples=X, predict=getattr(estimator, "predict", None))
