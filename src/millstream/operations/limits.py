"""What a name or a value may be: the limits of MLflow's protocol, in one place for clients and stores.

Each ``check_…`` raises InvalidValue (or LimitExceeded) that names the field, or returns what is to be stored.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Any

from millstream.errors import InvalidValue, LimitExceeded
from millstream.settings import TRUNCATE_LONG_VALUES

KEY_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
EXPERIMENT_TAG_LENGTH = 20_000
EXPERIMENT_NAME_LENGTH = 500
ARTIFACT_LOCATION_LENGTH = 2_048
RUN_NAME_LENGTH = 250
DATASET_NAME_LENGTH = 500
DATASET_DIGEST_LENGTH = 36
DATASET_SCHEMA_LENGTH = 1_048_575
DATASET_SOURCE_LENGTH = 65_535
DATASET_PROFILE_LENGTH = 16_777_215
BATCH_METRICS = 1_000
BATCH_PARAMS = 100
BATCH_TAGS = 100
BATCH_ENTITIES = 1_000
SEARCH_RUNS_PAGE = 50_000
SEARCH_EXPERIMENTS_PAGE = 50_000
SEARCH_MODELS_PAGE = 50_000
HISTORY_PAGE = 25_000
BULK_RUNS = 100
SERIES_RUNS = 200
INPUTS = 1_000

_KEY = re.compile(r"[/\w.\- :]+\Z")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}\Z")


def check_key(key: Any, field: str = "key") -> str:
    """A key of a metric, parameter or tag: up to 250 letters, digits, ``_ - . : /`` and spaces, a relative path."""
    if not isinstance(key, str):
        raise InvalidValue.of(field, key, "a key is text", hint=f"pass str({key!r})")
    if not key:
        raise InvalidValue.of(field, key, "a key may not be empty")
    if not _KEY.match(key):
        raise InvalidValue.of(
            field,
            key,
            "names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colons (:) "
            "and slashes (/)",
            hint="replace the other characters, for example with an underscore",
        )
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        raise InvalidValue.of(
            field,
            key,
            f"a name with slashes must be a relative path in its shortest form, such as "
            f"{posixpath.normpath(key).lstrip('/.') or 'loss'!r}",
        )
    if len(key) > KEY_LENGTH:
        raise LimitExceeded.of(field, key, f"it has {len(key)} characters, at most {KEY_LENGTH} are kept")
    return key


def check_text(value: Any, limit: int, field: str, *, cut: bool = False) -> str:
    """A text of at most ``limit`` characters; with ``cut``, a longer one is cut where the settings allow it."""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit:
        return text
    if cut and TRUNCATE_LONG_VALUES.get():
        return text[:limit]
    raise LimitExceeded.of(
        field,
        text[:20] + "…",
        f"it has {len(text)} characters, which exceeds the maximum length of {limit}",
        hint="log long texts as an artifact: log_text(…) or log_dict(…)",
    )


def check_timestamp(timestamp: Any, field: str = "timestamp") -> int:
    """A time in whole milliseconds since the epoch, not before it."""
    if not isinstance(timestamp, int) or timestamp < 0:
        raise InvalidValue.of(
            field,
            timestamp,
            "a timestamp is a whole number of milliseconds since the epoch",
            hint="int(time.time() * 1000)",
        )
    return timestamp


def check_run_id(run_id: str) -> str:
    """A run id: a letter or digit, then up to 255 letters, digits, underscores and dashes."""
    if not _RUN_ID.match(run_id):
        raise InvalidValue.of("run_id", run_id, "it is not the form of a run id")
    return run_id


def check_page(asked: int, most: int, least: int = 1) -> int:
    """The size of a page. Raises InvalidValue beyond ``least`` … ``most``."""
    if not least <= asked <= most:
        raise InvalidValue.of("max_results", asked, f"it must be at least {least} and at most {most}")
    return asked


def check_batch(metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]) -> None:
    """The sizes of a batch. Raises LimitExceeded, naming the part that is too large."""
    for field, items, most in (
        ("metrics", metrics, BATCH_METRICS),
        ("params", params, BATCH_PARAMS),
        ("tags", tags, BATCH_TAGS),
    ):
        if len(items) > most:
            raise LimitExceeded(
                f"A batch logging request can contain at most {most} {field}; this one has {len(items)}.",
                hint=f"send {field} in several batches",
            )
    total = len(metrics) + len(params) + len(tags)
    if total > BATCH_ENTITIES:
        raise LimitExceeded(
            f"A batch logging request can contain at most {BATCH_ENTITIES} metrics, params and tags; this one has "
            f"{total}.",
            hint="send them in several batches",
        )
