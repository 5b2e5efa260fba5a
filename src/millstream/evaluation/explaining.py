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


def explain(
    subject: Subject, features: pandas.DataFrame, options: Options, keep: Callable[[str, Any], None]
) -> None:
    """Draw what features weigh; says so in one line when it was asked for and SHAP is not installed."""
    if importlib.util.find_spec("shap") is None:
        level = logging.WARNING if options.log_model_explainability else logging.DEBUG
        logger.log(level, "no explanations of the model: shap is not installed")
        return
