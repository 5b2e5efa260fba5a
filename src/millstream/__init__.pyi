"""The public names for editors and type checkers; at run time a table in ``__init__.py`` says the same."""

from typing import Any

from millstream.autolog import autolog as autolog
from millstream.config import (
    disable_system_metrics_logging as disable_system_metrics_logging,
)
from millstream.config import (
    enable_system_metrics_logging as enable_system_metrics_logging,
)
from millstream.config import (
    set_system_metrics_node_id as set_system_metrics_node_id,
)
from millstream.config import (
    set_system_metrics_samples_before_logging as set_system_metrics_samples_before_logging,
)
from millstream.config import (
    set_system_metrics_sampling_interval as set_system_metrics_sampling_interval,
)
from millstream.errors import MillstreamError as MillstreamError
from millstream.evaluation import (
    evaluate as evaluate,
)
from millstream.evaluation import (
    validate_evaluation_results as validate_evaluation_results,
)
from millstream.exceptions import MlflowException as MlflowException
from millstream.projects.running import run as run
from millstream.registry import (
    register_model as register_model,
)
from millstream.registry import (
    search_model_versions as search_model_versions,
)
from millstream.registry import (
    search_registered_models as search_registered_models,
)
from millstream.registry import (
    set_model_version_tag as set_model_version_tag,
)
from millstream.tracking.active import ActiveRun as ActiveRun
from millstream.tracking.artifacts import (
    delete_artifact as delete_artifact,
)
from millstream.tracking.artifacts import (
    flush_artifact_async_logging as flush_artifact_async_logging,
)
from millstream.tracking.artifacts import (
    get_artifact_uri as get_artifact_uri,
)
from millstream.tracking.artifacts import (
    load_table as load_table,
)
from millstream.tracking.artifacts import (
    log_artifact as log_artifact,
)
from millstream.tracking.artifacts import (
    log_artifacts as log_artifacts,
)
from millstream.tracking.artifacts import (
    log_dict as log_dict,
)
from millstream.tracking.artifacts import (
    log_figure as log_figure,
)
from millstream.tracking.artifacts import (
    log_image as log_image,
)
from millstream.tracking.artifacts import (
    log_stream as log_stream,
)
from millstream.tracking.artifacts import (
    log_table as log_table,
)
from millstream.tracking.artifacts import (
    log_text as log_text,
)
from millstream.tracking.client import MlflowClient as MlflowClient
from millstream.tracking.doctor import (
    doctor as doctor,
)
from millstream.tracking.doctor import (
    login as login,
)
from millstream.tracking.experiments import (
    create_experiment as create_experiment,
)
from millstream.tracking.experiments import (
    delete_experiment as delete_experiment,
)
from millstream.tracking.experiments import (
    delete_experiment_tag as delete_experiment_tag,
)
from millstream.tracking.experiments import (
    get_experiment as get_experiment,
)
from millstream.tracking.experiments import (
    get_experiment_by_name as get_experiment_by_name,
)
from millstream.tracking.experiments import (
    restore_experiment as restore_experiment,
)
from millstream.tracking.experiments import (
    search_experiments as search_experiments,
)
from millstream.tracking.experiments import (
    set_experiment as set_experiment,
)
from millstream.tracking.experiments import (
    set_experiment_tag as set_experiment_tag,
)
from millstream.tracking.experiments import (
    set_experiment_tags as set_experiment_tags,
)
from millstream.tracking.logging import (
    delete_metric as delete_metric,
)
from millstream.tracking.logging import (
    delete_tag as delete_tag,
)
from millstream.tracking.logging import (
    flush_async_logging as flush_async_logging,
)
from millstream.tracking.logging import (
    log_input as log_input,
)
from millstream.tracking.logging import (
    log_inputs as log_inputs,
)
from millstream.tracking.logging import (
    log_metric as log_metric,
)
from millstream.tracking.logging import (
    log_metrics as log_metrics,
)
from millstream.tracking.logging import (
    log_outputs as log_outputs,
)
from millstream.tracking.logging import (
    log_param as log_param,
)
from millstream.tracking.logging import (
    log_params as log_params,
)
from millstream.tracking.logging import (
    set_tag as set_tag,
)
from millstream.tracking.logging import (
    set_tags as set_tags,
)
from millstream.tracking.media import Image as Image
from millstream.tracking.models import (
    ActiveModel as ActiveModel,
)
from millstream.tracking.models import (
    clear_active_model as clear_active_model,
)
from millstream.tracking.models import (
    create_external_model as create_external_model,
)
from millstream.tracking.models import (
    delete_logged_model_tag as delete_logged_model_tag,
)
from millstream.tracking.models import (
    finalize_logged_model as finalize_logged_model,
)
from millstream.tracking.models import (
    get_active_model_id as get_active_model_id,
)
from millstream.tracking.models import (
    get_logged_model as get_logged_model,
)
from millstream.tracking.models import (
    import_checkpoints as import_checkpoints,
)
from millstream.tracking.models import (
    initialize_logged_model as initialize_logged_model,
)
from millstream.tracking.models import (
    last_logged_model as last_logged_model,
)
from millstream.tracking.models import (
    log_model_params as log_model_params,
)
from millstream.tracking.models import (
    restore_logged_model as restore_logged_model,
)
from millstream.tracking.models import (
    search_logged_models as search_logged_models,
)
from millstream.tracking.models import (
    set_active_model as set_active_model,
)
from millstream.tracking.models import (
    set_logged_model_tags as set_logged_model_tags,
)
from millstream.tracking.pending import RunOperations as RunOperations
from millstream.tracking.runs import (
    active_run as active_run,
)
from millstream.tracking.runs import (
    delete_run as delete_run,
)
from millstream.tracking.runs import (
    end_run as end_run,
)
from millstream.tracking.runs import (
    get_parent_run as get_parent_run,
)
from millstream.tracking.runs import (
    get_run as get_run,
)
from millstream.tracking.runs import (
    last_active_run as last_active_run,
)
from millstream.tracking.runs import (
    move_runs as move_runs,
)
from millstream.tracking.runs import (
    restore_run as restore_run,
)
from millstream.tracking.runs import (
    start_run as start_run,
)
from millstream.tracking.search import search_runs as search_runs
from millstream.tracking.stores import (
    get_registry_uri as get_registry_uri,
)
from millstream.tracking.stores import (
    get_tracking_uri as get_tracking_uri,
)
from millstream.tracking.stores import (
    is_tracking_uri_set as is_tracking_uri_set,
)
from millstream.tracking.stores import (
    set_registry_uri as set_registry_uri,
)
from millstream.tracking.stores import (
    set_tracking_uri as set_tracking_uri,
)

def __getattr__(name: str) -> Any: ...  # modules below this package, and those that have a name of MLflow's here

__version__: str
__all__: list[str]
_WHERE: dict[str, str]
