"""The contract of a data set."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from millstream.data.dataset_source import DatasetSource
from millstream.entities import Dataset as DatasetEntity
from millstream.errors import InvalidValue
from millstream.operations.limits import DATASET_PROFILE_LENGTH, DATASET_SCHEMA_LENGTH


class Dataset(ABC):
    """Data that a run reads: a source, a name, a digest of the content, and what a subclass knows of its shape.

    A subclass sets what :meth:`_compute_digest` looks at before it calls ``super().__init__``. The digest is taken when
    the object is made, of the data as it is then.
    """

    def __init__(self, source: DatasetSource, name: str | None = None, digest: str | None = None) -> None:
        self._name = name
        self._source = source
        self._digest = digest or self._compute_digest()

    @abstractmethod
    def _compute_digest(self) -> str:
        """A short text that changes with the content: at most 36 characters."""

    @property
    def name(self) -> str:
        """The name, ``dataset`` for one that was given none."""
        return self._name if self._name is not None else "dataset"

    @property
    def digest(self) -> str:
        """A short text that changes with the content."""
        return self._digest

    @property
    def source(self) -> DatasetSource:
        """Where the data came from."""
        return self._source

    @property
    @abstractmethod
    def profile(self) -> Any:
        """JSON-ready statistics of the data, such as its number of rows; None when there are none."""

    @property
    @abstractmethod
    def schema(self) -> Any:
        """The schema, an object with ``to_dict``; None when the data has none."""

    def _get_source_type(self) -> str:
        return self.source._get_source_type()

    def to_dict(self) -> dict[str, Any]:
        """What is recorded, each value a text: name, digest, source, source_type, schema and profile."""
        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": self._get_source_type(),
            "schema": _json(_schema_dict(self.schema)),
            "profile": _json(self.profile),
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    def to_entity(self) -> DatasetEntity:
        """The entity that a run's inputs hold. A schema or profile beyond the limit of stores is left out."""
        fields = self.to_dict()
        schema, profile = fields.get("schema"), fields.get("profile")
        return DatasetEntity(
            name=fields["name"],
            digest=fields["digest"],
            source_type=fields["source_type"],
            source=fields["source"],
            schema=schema if schema and len(schema) <= DATASET_SCHEMA_LENGTH else None,
            profile=profile if profile and len(profile) <= DATASET_PROFILE_LENGTH else None,
        )

    _to_mlflow_entity = to_entity  # the name in code written for MlflowClient.log_inputs


def check_column(columns: Sequence[Any], column: Any, role: str) -> None:
    """Raises InvalidValue when ``column`` is given and no column of the data; ``role`` is targets or predictions."""
    if column is not None and column not in columns:
        shown = ", ".join(map(repr, list(columns)[:20])) + (", …" if len(columns) > 20 else "")
        raise InvalidValue(f"the data has no {role} column {column!r}", hint=f"its columns are {shown}")


def _schema_dict(schema: Any) -> Any:
    if schema is None:
        return None
    fields = schema.to_dict()
    # A schema of columns is a list; those of tensors and of other libraries say themselves what they are.
    return {"mlflow_colspec": fields} if isinstance(fields, list) else fields


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
