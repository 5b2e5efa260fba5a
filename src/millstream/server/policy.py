"""Who asks, and may they: asked before every operation and every route, deny by default.

What is asked for is declared where the thing itself is declared: ``Operation.endpoint.needs`` and ``Route.needs``.
A policy answers by raising or by returning.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from millstream.errors import PermissionDenied
from millstream.operations import OWNER, Needs, Permission, Principal

Headers = Sequence[tuple[bytes, bytes]]

STRANGER = Principal("", "stranger")


class Policy(abc.ABC):
    """Decides who a request comes from, and whether that principal may do what it asks."""

    @abc.abstractmethod
    def identify(self, headers: Headers) -> Principal:
        """The principal that these headers prove, else STRANGER. Raises Unauthenticated for a false proof."""

    @abc.abstractmethod
    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        """Return if ``principal`` has what ``needs`` says on what ``request`` names by its field ``needs.field``.

        ``request`` is the operation, or a mapping of the route's fields. A field that is absent or None asks for the
        permission on everything of its kind. Raises Unauthenticated or PermissionDenied.
        """


class OwnerPolicy(Policy):
    """Everybody who reaches the server is its owner: right on loopback, which is where it is used."""

    def identify(self, headers: Headers) -> Principal:
        return OWNER

    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        if principal is not OWNER and needs.permission is not Permission.PUBLIC:
            raise PermissionDenied("only the owner of this server may do this")
