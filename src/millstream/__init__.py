"""Millstream: machine-learning work from the first experiment to a monitored model.

The names below are those that MLflow's users know, so ``import millstream as mlflow`` is all that a program changes.
Each is imported when it is first used.
"""

from __future__ import annotations

import importlib

from millstream._aliases import ALIASES, install
from millstream._version import VERSION as __version__

_NAMES = {
    # Where things are kept
    "tracking.stores": "get_registry_uri get_tracking_uri is_tracking_uri_set set_registry_uri set_tracking_uri",
    # Experiments
    "tracking.experiments": """
        create_experiment delete_experiment delete_experiment_tag get_experiment get_experiment_by_name
        restore_experiment search_experiments set_experiment set_experiment_tag set_experiment_tags
    """,
    # Runs, and what they log
    "tracking.active": "ActiveRun",
    "tracking.runs": """
        active_run delete_run end_run get_parent_run get_run last_active_run move_runs restore_run start_run
    """,
    "tracking.logging": """
        delete_metric delete_tag flush_async_logging log_input log_inputs log_metric log_metrics log_outputs log_param
        log_params set_tag set_tags
    """,
    "tracking.artifacts": """
        delete_artifact flush_artifact_async_logging get_artifact_uri load_table log_artifact log_artifacts log_dict
        log_figure log_image log_stream log_table log_text
    """,
    "tracking.media": "Image",
    "tracking.pending": "RunOperations",
    "tracking.search": "search_runs",
    # Logged models
    "tracking.models": """
        ActiveModel clear_active_model create_external_model delete_logged_model_tag finalize_logged_model
        get_active_model_id get_logged_model import_checkpoints initialize_logged_model last_logged_model
        log_model_params restore_logged_model search_logged_models set_active_model set_logged_model_tags
    """,
    # Models
    "evaluation": "evaluate validate_evaluation_results",
    # Registered models
    "registry": "register_model search_model_versions search_registered_models set_model_version_tag",
    # Projects
    "projects.running": "run",
    # The client, and everything else
    "tracking.client": "MlflowClient",
    "tracking.doctor": "doctor login",
    "config": """
        disable_system_metrics_logging enable_system_metrics_logging set_system_metrics_node_id
        set_system_metrics_samples_before_logging set_system_metrics_sampling_interval
    """,
    "errors": "MillstreamError",
    "exceptions": "MlflowException",
}
_WHERE = {name: f"millstream.{module}" for module, names in _NAMES.items() for name in names.split()}
_MODULES = frozenset({
    "artifacts", "autolog", "config", "data", "entities", "environment_variables", "exceptions", "models", "projects",
    "settings", "tracking", "tuning", "webhooks",
    "monitoring",
    # The doors to the flavors
    "catboost", "keras", "lightgbm", "onnx", "prophet", "pyfunc", "pyspark", "pytorch", "sklearn", "spark",
    "statsmodels", "tensorflow", "xgboost",
    *(name for name in ALIASES if "." not in name),
})

__all__ = ["__version__", "autolog", *_WHERE]  # pyright and mypy read __init__.pyi

install()


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is not None:
        found = globals()[name] = getattr(importlib.import_module(where), name)
        return found
    if name in _MODULES:
        return importlib.import_module(f"millstream.{name}")
    raise AttributeError(f"module 'millstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
