"""What versions of registered models hold on to: the files they point at are not thrown away."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_, select

from millstream.operations import ArtifactPin, FindArtifactPin
from millstream.stores.sql.registry.sources import place_below
from millstream.stores.sql.registry.tables import model_versions
from millstream.stores.sql.schema import HEAD, head
from millstream.stores.sql.transaction import Transaction, executes

_LAST = "\U0010ffff"


def pinned(transaction: Transaction, made_by: ColumnElement[bool], root: str) -> str | None:
    """Why something must stay: a version that was ``made_by`` it, or whose files lie below ``root``; None if none."""
    location = model_versions.c.location
    below = root.rstrip("/") + "/"
    # The index holds the beginnings of places; the whole place decides.
    near = head(location).between(below[:HEAD], below[:HEAD] + _LAST)
    inside = (near & (func.substr(location, 1, len(below)) == below)) | (
        (head(location) == root[:HEAD]) & (location == root)
    )
    found = transaction.connection.execute(
        select(model_versions.c.name, model_versions.c.version).where(or_(made_by, inside)).limit(1)
    ).one_or_none()
    return f"version {found.version} of the registered model {found.name} comes from it" if found else None


@executes(FindArtifactPin)
def find(transaction: Transaction, operation: FindArtifactPin) -> ArtifactPin:
    names = [name for name in (operation.path or "").split("/") if name]
    around = [place_below(operation.uri, names[:count]) for count in range(len(names) + 1)]
    location = model_versions.c.location
    inside_a_version = head(location).in_([place[:HEAD] for place in around]) & location.in_(around)
    return ArtifactPin(pinned(transaction, inside_a_version, around[-1]))
