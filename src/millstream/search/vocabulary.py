"""The words each searched entity knows: prefixes, attributes with their types and aliases, and order keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from millstream.search.tree import Kind

Type = Literal["text", "number", "identity"]

# What may be said of a value of each type. MLflow has no `<` for text, so neither has this language: a filter that is
# accepted here and means something else there would be worse than an error. Text has BETWEEN.
OPERATORS: dict[Type, frozenset[str]] = {
    "text": frozenset({"=", "!=", "LIKE", "ILIKE", "IN", "BETWEEN", "MATCHES", "NULL"}),
    "number": frozenset({"=", "!=", "<", "<=", ">", ">=", "IN", "BETWEEN", "NULL"}),
    "identity": frozenset({"=", "!=", "IN", "NULL"}),
}

DATASET_KEYS = ("name", "digest", "context")


@dataclass(frozen=True)
class Vocabulary:
    """What a filter and an order of one entity may name.

    ``attributes`` maps each accepted spelling to the canonical name, ``types`` the canonical name to its type;
    ``orders`` is the spelling table of the order clauses. ``quoted_numbers`` are numeric attributes that may also be
    written as strings; ``bare_values`` allows text without quotes; ``repeats`` says that an order may name a key twice.
    """

    entity: str
    prefixes: Mapping[str, Kind]
    attributes: Mapping[str, str]
    types: Mapping[str, Type]
    orders: Mapping[str, str]
    order_kinds: frozenset[Kind] = frozenset({"attribute"})
    quoted_numbers: frozenset[str] = frozenset()
    bare_values: bool = False
    repeats: bool = False
    # How MLflow begins these messages, which differs by entity.
    bad_operator: str = "Invalid comparator"
    bad_order_key: str = "Invalid attribute key"


def _spellings(*names: str, **aliases: str) -> Mapping[str, str]:
    return MappingProxyType({**{name: name for name in names}, **aliases})


_METRIC: dict[str, Kind] = {"metrics": "metric", "metric": "metric"}
_PARAM: dict[str, Kind] = {"params": "param", "param": "param", "parameters": "param", "parameter": "param"}
_TAG: dict[str, Kind] = {"tags": "tag", "tag": "tag"}
_DATASET: dict[str, Kind] = {"datasets": "dataset", "dataset": "dataset"}
_ATTRIBUTE: dict[str, Kind] = {"attributes": "attribute", "attribute": "attribute", "attr": "attribute"}

_RUN_TEXT = ("run_id", "run_name", "status", "user_id", "artifact_uri")
_RUN_TIME = ("start_time", "end_time")

RUNS = Vocabulary(
    entity="runs",
    prefixes=MappingProxyType({**_METRIC, **_PARAM, **_TAG, **_ATTRIBUTE, "run": "attribute", **_DATASET}),
    attributes=MappingProxyType(
        {
            **_spellings(*_RUN_TEXT, *_RUN_TIME, created="start_time", Created="start_time"),
            "run name": "run_name",
            "Run name": "run_name",
            "Run Name": "run_name",
        }
    ),
    types=MappingProxyType({**dict.fromkeys(_RUN_TEXT, "text"), **dict.fromkeys(_RUN_TIME, "number")}),
    orders=_spellings(*_RUN_TEXT, *_RUN_TIME, created="start_time", Created="start_time"),
    order_kinds=frozenset({"attribute", "metric", "param", "tag"}),
)

EXPERIMENTS = Vocabulary(
    entity="experiments",
    prefixes=MappingProxyType({"attribute": "attribute", **_TAG}),
    attributes=_spellings("name", "experiment_id", "creation_time", "last_update_time"),
    types=MappingProxyType(
        {
            "name": "text",
            "experiment_id": "identity",
            "creation_time": "number",
            "last_update_time": "number",
        }
    ),
    orders=_spellings("name", "experiment_id", "creation_time", "last_update_time"),
    repeats=True,
)

_MODEL_TEXT = ("name", "model_id", "model_type", "status", "source_run_id")
_MODEL_TIME = ("creation_timestamp", "last_updated_timestamp")

LOGGED_MODELS = Vocabulary(
    entity="logged models",
    prefixes=MappingProxyType({**_METRIC, **_PARAM, **_TAG, **_ATTRIBUTE}),
    attributes=_spellings(
        *_MODEL_TEXT,
        *_MODEL_TIME,
        creation_time="creation_timestamp",
        last_updated_time="last_updated_timestamp",
    ),
    types=MappingProxyType({**dict.fromkeys(_MODEL_TEXT, "text"), **dict.fromkeys(_MODEL_TIME, "number")}),
    orders=_spellings(
        *_MODEL_TEXT,
        *_MODEL_TIME,
        creation_time="creation_timestamp",
        last_updated_time="last_updated_timestamp",
    ),
    order_kinds=frozenset({"attribute", "metric"}),
    bare_values=True,
    repeats=True,
    bad_operator="Invalid comparison operator",
)

REGISTERED_MODELS = Vocabulary(
    entity="registered models",
    prefixes=MappingProxyType({"attribute": "attribute", **_TAG}),
    attributes=_spellings("name"),
    types=MappingProxyType({"name": "text"}),
    orders=_spellings("name", "creation_timestamp", "last_updated_timestamp", timestamp="last_updated_timestamp"),
    bad_order_key="Invalid order by key",
)

MODEL_VERSIONS = Vocabulary(
    entity="model versions",
    prefixes=MappingProxyType({"attribute": "attribute", **_TAG}),
    attributes=_spellings("name", "version_number", "run_id", "source_path"),
    types=MappingProxyType({"name": "text", "version_number": "number", "run_id": "text", "source_path": "text"}),
    orders=_spellings("name", "version_number", "creation_timestamp", "last_updated_timestamp"),
    quoted_numbers=frozenset({"version_number"}),
)
