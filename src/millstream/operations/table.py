"""The table of operations: everything that a client can ask, each described once.

An operation is a typed request with its typed answer, its HTTP method and path, and the permission it needs. Routes,
validation, the OpenAPI page, the HTTP client, permission checks and the conformance suite are all made from
:data:`OPERATIONS`. An operation cannot be entered without a declared permission.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

A = TypeVar("A")
Kind = TypeVar("Kind", bound="type[Operation[Any]]")


class Permission(enum.IntEnum):
    """What a principal may do with a resource; each level holds those before it."""

    PUBLIC = 0
    SIGNED_IN = 1
    READ = 2
    EDIT = 3
    MANAGE = 4
    ADMIN = 5


class Resource(enum.Enum):
    """What a permission is asked for."""

    SERVER = "server"
    EXPERIMENT = "experiment"
    RUN = "run"
    LOGGED_MODEL = "logged_model"
    REGISTERED_MODEL = "registered_model"
    ENDPOINT = "endpoint"
    COMMENT = "comment"


@dataclass(frozen=True)
class Needs:
    """The permission an operation needs, on which kind of resource, and the field that names it.

    ``field`` may hold one id or a list of ids. Without a field, the permission is asked of the server as a whole, or,
    for searches (``filtered``), the store leaves out what the principal may not read.
    """

    permission: Permission
    on: Resource = Resource.SERVER
    field: str | None = None
    filtered: bool = False


class Operation(msgspec.Struct, Generic[A], frozen=True, omit_defaults=True):
    """A request. Its fields are the wire's fields; its class says everything else.

    A field that the protocol requires has no default. ``answer`` is the struct that answers it, None for an empty one.
    """

    endpoint: ClassVar[Endpoint]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer. Unset fields are left out on the wire."""


@dataclass(frozen=True)
class Endpoint:
    """Where an operation lives and what it needs. ``path`` begins after ``/api``; ``{name}`` stands for a field."""

    name: str
    methods: tuple[str, ...]
    path: str
    needs: Needs
    answer: type[Answer] | None
    writes: bool
    group: str
    summary: str
    max_body: int | None
    ajax_only: bool
    repeatable: bool

    @property
    def method(self) -> str:
        """The method that our own client uses."""
        return self.methods[0]

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


OPERATIONS: list[type[Operation[Any]]] = []


def operation(
    method: str,
    path: str,
    needs: Needs,
    *,
    answer: type[Answer] | None = None,
    writes: bool | None = None,
    max_body: int | None = None,
    ajax_only: bool = False,
    repeatable: bool = True,
) -> Callable[[Kind], Kind]:
    """Enter an operation into the table. ``method`` may name several (``"GET POST"``), the first is what we send.

    ``writes`` says whether it changes the store; unless given, what is only reached by GET does not, all else does.
    ``repeatable`` says that doing it twice leaves what doing it once leaves, so that a client whose answer was lost on
    the way may send it again.
    """

    def enter(cls: Kind) -> Kind:
        methods = tuple(method.split())
        summary = (cls.__doc__ or "").strip().split("\n")[0]
        cls.endpoint = Endpoint(
            name=cls.__name__,
            methods=methods,
            path=path,
            needs=needs,
            answer=answer,
            writes="GET" not in methods if writes is None else writes,
            group=cls.__module__.rsplit(".", 1)[-1],
            summary=summary,
            max_body=max_body,
            ajax_only=ajax_only,
            repeatable=repeatable,
        )
        OPERATIONS.append(cls)
        return cls

    return enter


class Principal(msgspec.Struct, frozen=True):
    """Who asks. Until sign-in exists there is one: the owner of this process or of the loopback server."""

    name: str
    kind: str = "user"


OWNER = Principal("owner", "system")
