"""The schema of data sets that hold tensors: features, and targets beside them."""

from __future__ import annotations

import json
from typing import Any

from millstream.errors import InvalidValue
from millstream.models.schema import Schema


class TensorDatasetSchema:
    """Two schemas of tensors. Raises InvalidValue for a schema of columns."""

    def __init__(self, features: Schema, targets: Schema | None = None) -> None:
        for part in (features, targets):
            if part is not None and not part.is_tensor_spec():
                raise InvalidValue.of("schema", part, "expected a schema of tensors")
        self.features = features
        self.targets = targets

    def to_dict(self) -> dict[str, Any]:
        """``{"mlflow_tensorspec": {"features": …, "targets": …}}``, each the JSON text of a schema or None."""
        targets = None if self.targets is None else self.targets.to_json()
        return {"mlflow_tensorspec": {"features": self.features.to_json(), "targets": targets}}

    @classmethod
    def from_dict(cls, schema_dict: dict[str, Any]) -> TensorDatasetSchema:
        """The schema with this form. Raises InvalidValue."""
        try:
            fields = schema_dict["mlflow_tensorspec"]
            features, targets = fields["features"], fields.get("targets")
        except (KeyError, TypeError, AttributeError):
            raise InvalidValue.of("schema", schema_dict, "expected mlflow_tensorspec with features") from None
        return cls(Schema.from_json(features), None if targets is None else Schema.from_json(targets))

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorDatasetSchema) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"features:\n{self.features!r}\ntargets:\n{self.targets!r}"
