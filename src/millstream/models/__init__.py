"""Models: what they take and give, how they are kept, and what is done with them.

The names below live where their work is done, some in rooms behind this one, and are looked up when they are used.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Model": "models.mlmodel",
    "ModelConfig": "models.config",
    "ModelInfo": "models.info",
    "ModelInputExample": "models.examples",
    "ModelSignature": "models.signature",
    "infer_signature": "models.signature",
    "validate_schema": "models.enforcement",
    "convert_input_example_to_serving_input": "models.examples",
    "infer_pip_requirements": "flavors.changing",
    "add_libraries_to_model": "flavors.wheels",
    "get_model_info": "flavors.changing",
    "set_signature": "flavors.changing",
    "validate_serving_input": "flavors.changing",
    "set_model": "flavors.pyfunc.scripts",
    "predict": "inference.files",
    "build_docker": "deploy.engines",
    "update_model_requirements": "flavors.isolated",
    "EvaluationArtifact": "evaluation",
    "EvaluationMetric": "evaluation",
    "EvaluationResult": "evaluation",
    "MetricThreshold": "evaluation",
    "evaluate": "evaluation",
    "list_evaluators": "evaluation",
    "make_metric": "evaluation",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"millstream.{where}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
