"""Small things that programs import from MLflow's inner modules, under the names that they have there."""

from __future__ import annotations

import time
from typing import Any

from millstream.operations.limits import (
    BATCH_ENTITIES,
    BATCH_METRICS,
    BATCH_PARAMS,
    DATASET_DIGEST_LENGTH,
    DATASET_NAME_LENGTH,
    DATASET_PROFILE_LENGTH,
    DATASET_SCHEMA_LENGTH,
    DATASET_SOURCE_LENGTH,
    EXPERIMENT_NAME_LENGTH,
    EXPERIMENT_TAG_LENGTH,
    HISTORY_PAGE,
    INPUTS,
    KEY_LENGTH,
    PARAM_LENGTH,
    SEARCH_EXPERIMENTS_PAGE,
    SEARCH_RUNS_PAGE,
    TAG_LENGTH,
)
from millstream.operations.runs import BATCH_BYTES

# mlflow.utils.validation
MAX_ENTITY_KEY_LENGTH = KEY_LENGTH
MAX_PARAM_VAL_LENGTH = PARAM_LENGTH
MAX_TAG_VAL_LENGTH = TAG_LENGTH
MAX_EXPERIMENT_NAME_LENGTH = EXPERIMENT_NAME_LENGTH
MAX_EXPERIMENT_TAG_KEY_LENGTH = KEY_LENGTH
MAX_EXPERIMENT_TAG_VAL_LENGTH = EXPERIMENT_TAG_LENGTH
MAX_EXPERIMENTS_LISTED_PER_PAGE = SEARCH_EXPERIMENTS_PAGE
MAX_METRICS_PER_BATCH = BATCH_METRICS
MAX_PARAMS_TAGS_PER_BATCH = BATCH_PARAMS
MAX_ENTITIES_PER_BATCH = BATCH_ENTITIES
MAX_BATCH_LOG_REQUEST_SIZE = BATCH_BYTES
MAX_DATASETS_PER_BATCH = INPUTS
MAX_DATASET_NAME_SIZE = DATASET_NAME_LENGTH
MAX_DATASET_DIGEST_SIZE = DATASET_DIGEST_LENGTH
MAX_DATASET_SCHEMA_SIZE = DATASET_SCHEMA_LENGTH
MAX_DATASET_SOURCE_SIZE = DATASET_SOURCE_LENGTH
MAX_DATASET_PROFILE_SIZE = DATASET_PROFILE_LENGTH

# mlflow.store.tracking
SEARCH_MAX_RESULTS_DEFAULT = 1_000
SEARCH_MAX_RESULTS_THRESHOLD = SEARCH_RUNS_PAGE
GET_METRIC_HISTORY_MAX_RESULTS = HISTORY_PAGE
DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH = "./mlruns"
DEFAULT_ARTIFACTS_URI = "mlflow-artifacts:/"


# mlflow.utils.time
def get_current_time_millis() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


# mlflow.tracking.context.registry
def resolve_tags(tags: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a run started now is tagged with by itself, and ``tags``, which win."""
    from millstream.tracking.context import collect_tags

    return {**collect_tags(), **(tags or {})}
