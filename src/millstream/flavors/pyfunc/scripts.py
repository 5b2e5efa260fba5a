"""Models from code: a script that makes the model, run when the model is loaded.

The script names its model by :func:`set_model`, and reads what it is configured with from ``ModelConfig``. Nothing is
pickled; the script is what is saved.
"""

from __future__ import annotations

import importlib.util
import threading
import uuid
from pathlib import Path
from typing import Any

from millstream._aliases import stand_in_for_mlflow
from millstream.errors import BadModel
from millstream.models import config, pickles


class _Set(threading.local):
    model: Any = None


_set = _Set()


def set_model(model: Any) -> None:
    """Say that ``model``, a PythonModel or a function, is the model of this script."""
    if not callable(model) and not callable(getattr(model, "predict", None)):
        raise BadModel(f"a {type(model).__name__} is no model", hint="give set_model() a PythonModel or a function")
    _set.model = model


def run(script: Path, model_config: dict[str, Any] | None) -> Any:
    """Run a script and return the model that it set. Raises BadModel when it sets none, and what it raises."""
    _set.model = None
    if not script.is_file():
        raise BadModel(f"there is no script {script}",
                       hint="python_model is a model, a function, or the path of a script")
    spec = importlib.util.spec_from_file_location(f"millstream_model_code_{uuid.uuid4().hex}", script)
    if spec is None or spec.loader is None:
        raise BadModel(f"{script} is no Python file", hint="a model from code is a file whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    module.__dict__[config.OF_SCRIPT] = model_config
    with config.given(model_config):
        spec.loader.exec_module(module)
    model, _set.model = _set.model, None
    if model is None:
        raise BadModel(f"the script {script} sets no model", hint="end it with millstream.models.set_model(model)")
    return model


def run_saved(script: Path, model_config: dict[str, Any] | None) -> Any:
    """The same for the script of a saved model: it is code like a pickle is. Raises UntrustedModel."""
    pickles.allow(script)
    stand_in_for_mlflow()
    return run(script, model_config)
