"""Every function on the active run and experiment, in the one module where MLflow's users look for them."""

from __future__ import annotations

from millstream.tracking import stores
from millstream.tracking.active import ActiveRun
from millstream.tracking.artifacts import (
    get_artifact_uri,
    load_table,
    log_artifact,
    log_artifacts,
    log_dict,
    log_figure,
    log_image,
    log_stream,
    log_table,
    log_text,
)
from millstream.tracking.experiments import (
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    experiment_of_new_runs,
    get_experiment,
    get_experiment_by_name,
    restore_experiment,
    search_experiments,
    set_experiment,
    set_experiment_tag,
    set_experiment_tags,
)
from millstream.tracking.logging import (
    delete_tag,
    flush_async_logging,
    log_input,
    log_inputs,
    log_metric,
    log_metrics,
    log_outputs,
    log_param,
    log_params,
    set_tag,
    set_tags,
)
from millstream.tracking.models import (
    ActiveModel,
    clear_active_model,
    create_external_model,
    delete_logged_model_tag,
    finalize_logged_model,
    get_active_model_id,
    get_logged_model,
    initialize_logged_model,
    last_logged_model,
    log_model_params,
    search_logged_models,
    set_active_model,
    set_logged_model_tags,
)
from millstream.tracking.runs import (
    active_run,
    delete_run,
    end_run,
    get_parent_run,
    get_run,
    last_active_run,
    restore_run,
    start_run,
)
from millstream.tracking.search import search_runs

__all__ = [
    "ActiveModel", "ActiveRun", "active_run", "clear_active_model", "create_experiment", "create_external_model",
    "delete_experiment", "delete_experiment_tag", "delete_logged_model_tag", "delete_run", "delete_tag", "end_run",
    "finalize_logged_model", "flush_async_logging", "get_active_model_id", "get_artifact_uri", "get_experiment",
    "get_experiment_by_name", "get_logged_model", "get_parent_run", "get_run", "initialize_logged_model",
    "last_active_run", "last_logged_model", "load_table", "log_artifact", "log_artifacts", "log_dict", "log_figure",
    "log_image", "log_input", "log_inputs", "log_metric", "log_metrics", "log_model_params", "log_outputs", "log_param",
    "log_params", "log_stream", "log_table", "log_text", "restore_experiment", "restore_run", "search_experiments",
    "search_logged_models", "search_runs", "set_active_model", "set_experiment", "set_experiment_tag",
    "set_experiment_tags", "set_logged_model_tags", "set_tag", "set_tags", "start_run",
]


def _get_experiment_id() -> str:
    """The experiment that new runs go to; without the underscore it has no name in MLflow, and programs use it."""
    return experiment_of_new_runs(stores.get_tracking_uri())
