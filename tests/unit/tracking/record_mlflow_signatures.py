"""Writes mlflow_signatures.json: run it with the Python of an environment that has the official mlflow, for example

    .envs/mlflow317/bin/python tests/unit/tracking/record_mlflow_signatures.py

Each function becomes the list of its parameters: ``[name, kind, default]``, the default as its repr, null without one.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pathlib
import sys
from typing import Any

FLUENT = """
    set_experiment create_experiment get_experiment get_experiment_by_name search_experiments delete_experiment
    restore_experiment set_experiment_tag set_experiment_tags delete_experiment_tag
    start_run end_run active_run last_active_run get_run get_parent_run delete_run restore_run
    log_param log_params log_metric log_metrics set_tag set_tags delete_tag log_input log_inputs log_outputs
    log_artifact log_artifacts log_text log_dict log_stream log_figure log_image log_table load_table get_artifact_uri
    search_runs Image
    initialize_logged_model create_external_model finalize_logged_model get_logged_model last_logged_model
    search_logged_models log_model_params set_logged_model_tags delete_logged_model_tag set_active_model
    get_active_model_id clear_active_model
    set_tracking_uri get_tracking_uri is_tracking_uri_set set_registry_uri get_registry_uri login doctor
    flush_async_logging flush_artifact_async_logging enable_system_metrics_logging disable_system_metrics_logging
    set_system_metrics_sampling_interval set_system_metrics_samples_before_logging set_system_metrics_node_id
    register_model search_model_versions search_registered_models set_model_version_tag
"""
CLIENT = """
    __init__ create_run get_run get_parent_run update_run set_terminated delete_run restore_run search_runs
    get_metric_history log_metric log_param set_tag delete_tag log_batch log_inputs log_outputs
    log_artifact log_artifacts log_text log_dict log_stream log_figure log_image log_table load_table list_artifacts
    list_logged_model_artifacts download_artifacts
    create_experiment get_experiment get_experiment_by_name search_experiments rename_experiment delete_experiment
    restore_experiment set_experiment_tag delete_experiment_tag
    create_logged_model finalize_logged_model get_logged_model delete_logged_model search_logged_models log_model_params
    set_logged_model_tags delete_logged_model_tag log_model_artifact log_model_artifacts
    create_registered_model rename_registered_model update_registered_model delete_registered_model
    search_registered_models get_registered_model get_latest_versions set_registered_model_tag
    delete_registered_model_tag set_registered_model_alias delete_registered_model_alias get_model_version_by_alias
    create_model_version copy_model_version update_model_version transition_model_version_stage delete_model_version
    get_model_version search_model_versions get_model_version_download_uri get_model_version_stages
    set_model_version_tag delete_model_version_tag
    create_webhook get_webhook list_webhooks update_webhook delete_webhook test_webhook
"""
NAMES = {
    "": FLUENT,
    "tracking": "set_tracking_uri get_tracking_uri is_tracking_uri_set set_registry_uri get_registry_uri",
    "artifacts": "download_artifacts list_artifacts load_text load_dict load_image",
    "config": """
        enable_async_logging enable_system_metrics_logging disable_system_metrics_logging
        set_system_metrics_sampling_interval set_system_metrics_samples_before_logging set_system_metrics_node_id
        set_tracking_uri get_tracking_uri is_tracking_uri_set set_registry_uri get_registry_uri
    """,
    "system_metrics": """
        enable_system_metrics_logging disable_system_metrics_logging set_system_metrics_sampling_interval
        set_system_metrics_samples_before_logging set_system_metrics_node_id
    """,
    "tracking.MlflowClient": CLIENT,
}


def signatures(package: str) -> dict[str, list[list[str | None]]]:
    """Dotted name below the package → parameters, for the surface above."""
    made = {}
    for owner, names in NAMES.items():
        is_client = owner.endswith("MlflowClient")
        module = "tracking" if is_client else owner
        found: Any = importlib.import_module(".".join(filter(None, (package, module))))
        if is_client:
            found = found.MlflowClient
        for name in names.split():
            made[".".join(filter(None, (owner, name)))] = parameters(getattr(found, name))
    return made


def parameters(function: Any) -> list[list[str | None]]:
    """``[name, kind, default]`` of each parameter."""
    return [
        [one.name, one.kind.name, None if one.default is inspect.Parameter.empty else repr(one.default)]
        for one in inspect.signature(function).parameters.values()
    ]


if __name__ == "__main__":
    import mlflow

    recorded = {"version": mlflow.__version__, "signatures": signatures("mlflow")}
    target = pathlib.Path(__file__).with_name("mlflow_signatures.json")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(made)}" for name, made in recorded["signatures"].items())
    target.write_text(f'{{"version": "{recorded["version"]}", "signatures": {{\n{lines}\n}}}}\n')
    sys.stdout.write(f"{len(recorded['signatures'])} signatures of mlflow {mlflow.__version__}\n")
