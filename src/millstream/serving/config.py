"""What a scoring server is told when it starts, checked before the model is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream import settings
from millstream.errors import InvalidValue
from millstream.web.gate import is_loopback


@dataclass(frozen=True)
class Limits:
    """What strangers can make the server hold or do at most.

    ``seconds`` is the time from a request's head to its answer, ``queue`` the number of requests that wait for the
    model, ``batch_rows`` the rows of one prediction that is made for several of them (1: none is).
    """

    seconds: float = field(default_factory=settings.SCORING_SERVER_REQUEST_TIMEOUT.get)
    body_bytes: int = field(default_factory=settings.SCORING_SERVER_MAX_BODY_BYTES.get)
    queue: int = field(default_factory=settings.SCORING_SERVER_QUEUE.get)
    batch_rows: int = field(default_factory=settings.SCORING_SERVER_BATCH_ROWS.get)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InvalidValue.of("timeout", self.seconds, "expected a number of seconds above 0")
        for name in ("body_bytes", "queue", "batch_rows"):
            if getattr(self, name) < 1:
                raise InvalidValue.of(name, getattr(self, name), "expected at least 1")

    @property
    def held_bytes(self) -> int:
        """The bytes of all bodies that are read or wait at one time."""
        return 4 * self.body_bytes


@dataclass(frozen=True)
class ServingConfig:
    """One scoring server: the model in ``folder``, known as ``name``, and where it listens (``port`` 0: any free one).

    ``trusted`` says that whoever starts it knows who made the model. Raises InvalidValue with a hint for what can
    never work.
    """

    folder: str
    name: str = "model"
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    trusted: bool = False
    allowed_hosts: tuple[str, ...] = ()
    no_sign_in: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidValue.of("port", self.port, "expected a number from 0 to 65535")
        if self.workers < 1:
            raise InvalidValue.of("workers", self.workers, "expected at least 1")
        if not is_loopback(self.host) and not self.no_sign_in:
            raise InvalidValue(
                f"listening on {self.host} would let everybody who reaches this machine use the model: "
                "this server does not ask who they are",
                hint="listen on 127.0.0.1 and let a proxy with sign-in stand in front, or accept it with --no-sign-in",
            )
