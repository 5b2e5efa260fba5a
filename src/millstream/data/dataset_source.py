"""The contract of a source: where a data set came from."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from typing_extensions import Self


class DatasetSource(ABC):
    """Where data came from, in a form that can be recorded, read back, and loaded again.

    A subclass says its type, recognises what users write for it, and turns itself into a JSON-ready dict and back. The
    methods with an underscore are those that classes written for MLflow have, some as static methods, which is as well;
    they are part of the contract.
    """

    @classmethod
    @abstractmethod
    def _get_source_type(cls) -> str:
        """The name of this kind of source, recorded as ``source_type``."""

    @classmethod
    @abstractmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        """Whether ``raw_source`` (mostly a text that a user wrote) names a source of this kind. Raises nothing."""

    @classmethod
    @abstractmethod
    def _resolve(cls, raw_source: Any) -> Self:
        """The source that ``raw_source`` names, asked only when :meth:`_can_resolve` said yes."""

    @abstractmethod
    def load(self) -> Any:
        """The data: a local path, a frame, or what else this kind of source gives."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The JSON-ready form."""

    @classmethod
    @abstractmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this form."""

    def to_json(self) -> str:
        """The recorded text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, source_json: str) -> Self:
        """The source with this recorded text. Raises InvalidValue when it is none."""
        try:
            fields = json.loads(source_json)
            return cls.from_dict(fields)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidValue):
                raise
            kind = cls._get_source_type()
            raise InvalidValue.of("source", source_json, f"it is no source of type {kind!r}") from None
