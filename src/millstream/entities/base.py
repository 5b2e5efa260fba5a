"""What every entity has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

# Whole numbers on the wire are 64 bits wide; a decoder refuses what no store could keep.
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frozen snapshot of something in a store.

    Iterating gives ``(name, value)`` pairs, so ``dict(run.info)`` works as MLflow's users expect. On the wire a field
    that is unset (None or empty) is left out, as proto3 JSON does.
    """

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in self.__struct_fields__:
            yield name, getattr(self, name)

    @classmethod
    def from_dictionary(cls: type[T], values: dict[str, Any]) -> T:
        """The entity with these fields; names that it does not have are left out."""
        known = {field.name for field in msgspec.structs.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in values.items() if name in known})


class PagedList(list[T]):
    """One page of a search: a list, plus ``token``, which asks for the next page (None on the last)."""

    def __init__(self, items: Any = (), token: str | None = None) -> None:
        super().__init__(items)
        self.token = token

    def to_list(self) -> list[T]:
        """A plain list of this page."""
        return list(self)
