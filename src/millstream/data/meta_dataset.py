"""A data set of which nothing but the description is here."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from millstream.data.dataset import Dataset
from millstream.data.dataset_source import DatasetSource


class MetaDataset(Dataset):
    """A source, and a schema where one is known: for data too big to read, or that only another machine reaches.

    The digest is one of the description, not of the content.
    """

    def __init__(
        self, source: DatasetSource, name: str | None = None, digest: str | None = None, schema: Any = None
    ) -> None:
        self._name = name
        self._source = source
        self._schema = schema
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        described = {
            "name": self.name,
            "source": self.source.to_json(),
            "source_type": self._get_source_type(),
            "schema": "" if self._schema is None else self._schema.to_dict(),
        }
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:8]

    @property
    def profile(self) -> Any:
        """None: nobody has looked at the data."""
        return None

    @property
    def schema(self) -> Any:
        """The schema, as given."""
        return self._schema

    def to_dict(self) -> dict[str, Any]:
        """What is recorded, without the fields that there are none of."""
        return {name: value for name, value in super().to_dict().items() if value is not None}
