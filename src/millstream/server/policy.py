"""Who asks, and may they: asked before every operation and every route, deny by default.

What is asked for is declared where the thing itself is declared: ``Operation.endpoint.needs`` and ``Route.needs``.
A policy answers by raising or by returning.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence

from millstream.errors import PermissionDenied, Unauthenticated
from millstream.operations import OWNER, Needs, Permission, Principal

Headers = Sequence[tuple[bytes, bytes]]

STRANGER = Principal("", "stranger")
# As sign-in systems name people: anna, anna@example.com, EXAMPLE+anna, auth0|5f7c8ec7, system:serviceaccount:ns:job.
# Plain letters only: two names that look the same are not two users.
_USER = re.compile(r"[A-Za-z0-9_.@+\-|:]{1,128}")


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


class HeaderPolicy(Policy):
    """A proxy in front signs users in and names each in the header ``header``; all of them may do everything.

    The proxy must be the only one who reaches the server, and must remove the header from what others send: whoever can
    send it is whoever he says.
    """

    def __init__(self, header: str) -> None:
        self._shown = header
        self._header = header.lower().encode()

    def identify(self, headers: Headers) -> Principal:
        found = [value for name, value in headers if name.lower() == self._header]
        if not found:
            return STRANGER
        if len(found) > 1:
            raise Unauthenticated(f"the request has the header {self._shown} {len(found)} times",
                                  hint="let the proxy replace the header, not add to it")
        try:
            user = found[0].decode("ascii")
        except UnicodeDecodeError:
            user = ""
        if not _USER.fullmatch(user):
            raise Unauthenticated(f"the header {self._shown} names no user",
                                  hint="a name has 1 to 128 letters (a to z), digits, and . _ - @ + | :")
        return Principal(user)

    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        if principal is STRANGER and needs.permission is not Permission.PUBLIC:
            raise Unauthenticated("the server does not know who is asking",
                                  hint=f"sign in at the proxy in front of it, which names users by {self._shown}")


def policy_of(user_header: str | None) -> Policy:
    """The policy of a server whose configuration names this header, or none."""
    return OwnerPolicy() if user_header is None else HeaderPolicy(user_header)
