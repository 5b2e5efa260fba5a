"""Evaluators: the contract, those that are built in, and those that other distributions offer."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue, MissingValue, NotSupported
from millstream.plugins import load_all, plugins

if TYPE_CHECKING:
    from millstream.evaluation.inputs import EvaluationDataset
    from millstream.evaluation.metrics import EvaluationMetric
    from millstream.evaluation.results import EvaluationResult

logger = logging.getLogger("millstream")

GROUPS = ("millstream.model_evaluator", "mlflow.model_evaluator")
REGRESSOR, CLASSIFIER = "regressor", "classifier"
# The built-in evaluators by their names in MLflow: one does the work, so that a model is asked for predictions once.
DEFAULT, SHAP = "default", "shap"
BUILT_IN = (DEFAULT, CLASSIFIER, REGRESSOR, SHAP)
# Distributions that offer evaluators of their own system under a group of the same name.
_NOT_OURS = frozenset({"mlflow", "mlflow-skinny"})


class ModelEvaluator(ABC):
    """What a distribution offers under the entry point group ``mlflow.model_evaluator``."""

    @classmethod
    @abstractmethod
    def can_evaluate(cls, *, model_type: str | None, evaluator_config: dict[str, Any], **kwargs: Any) -> bool:
        """Whether models of this type are its business."""

    @abstractmethod
    def evaluate(
        self, *, model_type: str | None, dataset: EvaluationDataset, run_id: str, evaluator_config: dict[str, Any],
        model: Any = None, extra_metrics: list[EvaluationMetric] | None = None,
        custom_artifacts: list[Callable[..., Any]] | None = None, predictions: Any = None, **kwargs: Any,
    ) -> EvaluationResult:
        """What it measures; it logs to the run ``run_id`` itself. ``model`` is None for predictions of the data."""


def list_evaluators() -> list[str]:
    """The names of evaluators, built in and installed."""
    return [*BUILT_IN, *(plugin.name for plugin in plugins(*GROUPS) if plugin.distribution not in _NOT_OURS)]


def chosen(
    evaluators: Any, evaluator_config: Mapping[str, Any] | None, model_type: str | None
) -> tuple[dict[str, Any] | None, list[tuple[ModelEvaluator, dict[str, Any]]]]:
    """The configuration of the built-in evaluator (None: it is not wanted), and the others, each with its own.

    ``evaluators`` is a name, a list of names or a dict of names and configurations; without it, all that can evaluate
    ``model_type``. Raises InvalidValue for a name that there is not, and NotSupported when nothing can evaluate it.
    """
    if isinstance(evaluators, dict):
        evaluator_config = {name: config or {} for name, config in evaluators.items()}
    names = [evaluators] if isinstance(evaluators, str) else None if evaluators is None else list(evaluators)
    given = dict(evaluator_config or {})
    known = list_evaluators()
    nested = bool(given) and all(name in known and isinstance(config, dict) for name, config in given.items())
    for name in names or ():
        if name not in known:
            raise InvalidValue(f"there is no evaluator {name!r}", hint=f"there are {', '.join(known)}")

    def config_of(name: str) -> dict[str, Any]:
        return dict(given.get(name) or {}) if nested else dict(given)

    others = [
        (made, config_of(name)) for name, made in _installed(names)
        if made.can_evaluate(model_type=model_type, evaluator_config=config_of(name))
    ]
    fitting = {DEFAULT, SHAP} | ({model_type} if model_type in (REGRESSOR, CLASSIFIER) else set())
    wanted = model_type in (None, REGRESSOR, CLASSIFIER) and (names is None or not fitting.isdisjoint(names))
    if not wanted and not others:
        raise NotSupported(
            f"no evaluator{f' among {names}' if names else ''} can evaluate models of the type {model_type!r}",
            hint='model_type is "regressor" or "classifier"; without it, only extra_metrics and custom_artifacts',
        )
    ours: dict[str, Any] = {}
    for name in BUILT_IN if wanted else ():
        if not nested or name in given:
            ours |= config_of(name)
    return ours if wanted else None, others


def check_task(model_type: str | None, has_targets: bool, extra: Sequence[Any], artifacts: Sequence[Any]) -> None:
    """Raises MissingValue when the built-in evaluator has nothing to compare, or nothing to do."""
    if model_type is None and not extra and not artifacts:
        raise MissingValue(
            "without a model_type there is nothing to measure",
            hint='give model_type "regressor" or "classifier", or extra_metrics',
        )
    if model_type is not None and not has_targets:
        raise MissingValue(f"a {model_type} is compared with targets", hint="targets='…' names their column")


def _installed(names: list[str] | None) -> Iterator[tuple[str, Any]]:
    if not any(plugin.distribution not in _NOT_OURS for plugin in plugins(*GROUPS)):
        return
    for plugin, kind in load_all(*GROUPS):
        if plugin.distribution not in _NOT_OURS and (names is None or plugin.name in names):
            yield plugin.name, kind()
