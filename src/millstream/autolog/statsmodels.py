"""Autologging of statsmodels: ``fit`` of every model."""

from __future__ import annotations

from collections.abc import Generator
from types import ModuleType
from typing import Any

from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Patches
from millstream.autolog.training import Training

# The numbers of results that are logged, those of them that the results have.
METRICS = (
    "aic", "bic", "centered_tss", "condition_number", "df_model", "df_resid", "ess", "f_pvalue", "fvalue", "llf",
    "mse_model", "mse_resid", "mse_total", "rsquared", "rsquared_adj", "scale", "ssr", "uncentered_tss",
)


@autologging("statsmodels")
def autolog(
    log_models: bool = True, log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every ``fit`` of a model of statsmodels, whether it was made from arrays, from frames or by a formula.

    - Parameters: the arguments of ``fit``.
    - Metrics: those of the results' numbers that there are, such as ``aic``, ``llf``, ``rsquared`` and ``fvalue``.
    - ``model_summary.txt``, the results' own summary.
    - The results as a model (``log_models``), and the data as a dataset (``log_datasets``).

    The other arguments are those of :func:`millstream.autolog`.
    """


def install(patches: Patches) -> None:
    """Patch the models of every module of statsmodels, those that are imported later too."""

    def patch(module: ModuleType) -> None:
        from statsmodels.base.model import Model

        for found in list(vars(module).values()):
            if isinstance(found, type) and issubclass(found, Model) and found.__module__ == module.__name__:
                if "fit" in vars(found):
                    patches.train(found, "fit", _fit, own_calls=False)

    patches.when_imported_below("statsmodels", patch)


def _fit(training: Training) -> Generator[None, Any, None]:
    params = {name: value for name, value in training.arguments.items() if name not in ("self", "kwargs", "kwds")}
    training.log_params(params)
    with training.safely("the dataset"):
        data, targets = _data_of(training.instance)
        training.log_dataset(data, targets)
    results = yield
    numbers: dict[str, float] = {}
    for name in METRICS:
        with training.safely(f"the metric {name}"):
            value = _number(results, name)
            if value is not None:
                numbers[name] = value
    training.log_metrics(numbers)
    with training.safely("model_summary.txt"):
        summary = results.summary()
        training.log_text(summary.as_text() if hasattr(summary, "as_text") else str(summary), "model_summary.txt")
    training.log_model("statsmodels", results)


def _data_of(model: Any) -> tuple[Any, Any]:
    """What a model was made of: the frame of its formula, or its regressors and what they explain; the series alone of
    a model that has no regressors."""
    data = model.data
    if getattr(data, "frame", None) is not None:
        return data.frame, None
    if getattr(data, "orig_exog", None) is not None:
        return data.orig_exog, data.orig_endog
    return data.orig_endog, None


def _number(results: Any, name: str) -> float | None:
    """A number of the results; None where they have none of that name, or it is not one number."""
    try:
        value: Any = getattr(results, name, None)
    except (NotImplementedError, ValueError):  # some classes name numbers that they do not have
        return None
    if getattr(value, "ndim", 0) == 0 and hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
