"""The closed vocabularies, with the names and numbers of MLflow's protocol."""

from __future__ import annotations

from typing import ClassVar


class LifecycleStage:
    """Whether something is there or in the trash."""

    ACTIVE = "active"
    DELETED = "deleted"

    @classmethod
    def is_valid(cls, stage: str) -> bool:
        """Whether ``stage`` is one of the two."""
        return stage in (cls.ACTIVE, cls.DELETED)


class ViewType:
    """Which lifecycle stages a search shows."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3

    _names: ClassVar[dict[int, str]] = {1: "ACTIVE_ONLY", 2: "DELETED_ONLY", 3: "ALL"}

    @classmethod
    def to_string(cls, view_type: int) -> str:
        """The name on the wire. Raises KeyError for a number that is none."""
        return cls._names[view_type]

    @classmethod
    def from_string(cls, name: str) -> int:
        """The number of a name, in any letter case. Raises KeyError for a name that is none."""
        return {text: number for number, text in cls._names.items()}[name.upper()]


class _Named:
    """Numbers with names, convertible both ways."""

    _names: ClassVar[dict[int, str]] = {}

    @classmethod
    def to_string(cls, number: int) -> str:
        """The name of a number. Raises KeyError for a number that is none."""
        return cls._names[number]

    @classmethod
    def from_string(cls, name: str) -> int:
        """The number of a name. Raises KeyError for a name that is none."""
        return {text: number for number, text in cls._names.items()}[name]

    @classmethod
    def all_status(cls) -> list[int]:
        """Every number, in order."""
        return list(cls._names)


class RunStatus(_Named):
    """Where a run stands."""

    RUNNING = 1
    SCHEDULED = 2
    FINISHED = 3
    FAILED = 4
    KILLED = 5

    _names: ClassVar[dict[int, str]] = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}

    @classmethod
    def is_terminated(cls, status: int) -> bool:
        """Whether a run with this status is over."""
        return status in (cls.FINISHED, cls.FAILED, cls.KILLED)


class SourceType(_Named):
    """What kind of program started a run."""

    NOTEBOOK = 1
    JOB = 2
    PROJECT = 3
    LOCAL = 4
    UNKNOWN = 5

    _names: ClassVar[dict[int, str]] = {1: "NOTEBOOK", 2: "JOB", 3: "PROJECT", 4: "LOCAL", 5: "UNKNOWN"}


class LoggedModelStatus(str):
    """Where a logged model stands; a str with the words of MLflow's Python API (its wire has another set)."""

    UNSPECIFIED: ClassVar[LoggedModelStatus]
    PENDING: ClassVar[LoggedModelStatus]
    READY: ClassVar[LoggedModelStatus]
    FAILED: ClassVar[LoggedModelStatus]

    __slots__ = ()

    @property
    def value(self) -> str:
        """The word."""
        return str(self)

    @property
    def name(self) -> str:
        """The word, as an enumeration's member would give it."""
        return str(self)

    @property
    def wire(self) -> str:
        """The word on the wire."""
        return _STATUS_ON_WIRE[str(self)]

    @classmethod
    def from_wire(cls, text: str) -> LoggedModelStatus:
        """The status of a word on the wire, or of its number there. Raises KeyError for a word that is none."""
        return cls(_STATUS_FROM_WIRE[text])

    @staticmethod
    def is_finalized(status: str) -> bool:
        """Whether a model with this status can no longer change its files."""
        return str(status) in ("READY", "FAILED")


for _word in ("UNSPECIFIED", "PENDING", "READY", "FAILED"):
    setattr(LoggedModelStatus, _word, LoggedModelStatus(_word))

_STATUS_ON_WIRE = {
    "UNSPECIFIED": "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "PENDING": "LOGGED_MODEL_PENDING",
    "READY": "LOGGED_MODEL_READY",
    "FAILED": "LOGGED_MODEL_UPLOAD_FAILED",
}
_STATUS_FROM_WIRE = {
    **{wire: word for word, wire in _STATUS_ON_WIRE.items()},
    **{str(number): word for number, word in enumerate(_STATUS_ON_WIRE)},
    **{word: word for word in _STATUS_ON_WIRE},
}
