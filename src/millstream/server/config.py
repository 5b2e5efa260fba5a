"""What a server is told when it starts, checked before anything is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from millstream import settings
from millstream.errors import InvalidValue
from millstream.web.gate import is_loopback

PROXIED_ROOT = "mlflow-artifacts:/"
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# What every client sends, or what decides where a request goes: none of them can name a user.
_TAKEN_HEADERS = frozenset(
    {"host", "origin", "cookie", "authorization", "content-type", "content-length", "user-agent"}
)
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")


@dataclass(frozen=True)
class Limits:
    """What a stranger can make the server hold or do at most."""

    body_bytes: int = field(default_factory=settings.SERVER_MAX_BODY_BYTES.get)
    artifact_bytes: int = field(default_factory=settings.SERVER_MAX_ARTIFACT_BYTES.get)
    request_seconds: float = field(default_factory=settings.SERVER_REQUEST_SECONDS.get)
    concurrent_requests: int = field(default_factory=settings.SERVER_MAX_REQUESTS.get)
    read_threads: int = field(default_factory=settings.SERVER_READ_THREADS.get)
    url_bytes: int = 32 * 1024
    head_bytes: int = 64 * 1024


@dataclass(frozen=True)
class ServerConfig:
    """One server: what it serves, where it listens, whom it answers.

    ``port`` 0 picks a free one. ``artifacts_destination`` and ``default_artifact_root`` are URIs or paths;
    ``None`` means MLflow's defaults: ``./mlartifacts``, and ``mlflow-artifacts:/`` when artifacts are served, else
    ``./mlruns``. ``user_header`` is the header in which a proxy with sign-in in front names the user. Raises
    InvalidValue with a hint for what can never work.
    """

    backend_store_uri: str
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    serve_artifacts: bool = True
    artifacts_only: bool = False
    artifacts_destination: str | None = None
    default_artifact_root: str | None = None
    static_prefix: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    x_frame_options: str = "SAMEORIGIN"
    no_sign_in: bool = False
    user_header: str | None = None
    expose_metrics: bool = True
    access_log: bool = False
    debug: bool = False
    limits: Limits = field(default_factory=Limits)
    # Where the web UI's bundle lies, if not in the package.
    ui_folder: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidValue.of("port", self.port, "expected a number from 0 to 65535")
        if self.workers < 1:
            raise InvalidValue.of("workers", self.workers, "expected at least 1")
        if self.static_prefix and not _PREFIX.fullmatch(self.static_prefix):
            raise InvalidValue.of("static_prefix", self.static_prefix, "it must start with '/' and not end with one",
                                  hint="write it like /mlflow")
        if self.x_frame_options.upper() not in ("SAMEORIGIN", "DENY", "NONE"):
            raise InvalidValue.of("x_frame_options", self.x_frame_options, "expected SAMEORIGIN, DENY or NONE")
        if self.artifacts_only and not self.serve_artifacts:
            raise InvalidValue("--artifacts-only and --no-serve-artifacts leave nothing to serve",
                               hint="drop one of the two")
        for origin in self.allowed_origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise InvalidValue.of("cors_allowed_origins", origin, "an origin is a scheme, a host and maybe a port",
                                      hint="write it like https://notebooks.example.com, without a path")
        if self.user_header is not None and (
            not _HEADER.fullmatch(self.user_header) or self.user_header.lower() in _TAKEN_HEADERS
        ):
            raise InvalidValue.of("user_header", self.user_header, "it is no header that a proxy names users by",
                                  hint="write it like X-Forwarded-User")
        self._check_places()
        if not self.on_loopback and not self.no_sign_in:
            raise InvalidValue(
                f"listening on {self.host} would give everybody who reaches this machine full access: "
                "this server does not ask who they are",
                hint="listen on 127.0.0.1 and let a proxy with sign-in stand in front, or accept it with --no-sign-in",
            )

    @property
    def store_places(self) -> tuple[Path, ...]:
        """The file of the store and its folder, where it is one of this machine."""
        if urlsplit(self.backend_store_uri).scheme.partition("+")[0] == "sqlite":
            path = self.backend_store_uri.partition("://")[2].partition("?")[0].removeprefix("/")
            file = Path(path).absolute() if path and path != ":memory:" else None
        else:
            folder = local_folder(self.backend_store_uri)
            file = folder / "millstream.db" if folder else None
        return (file, file.parent) if file is not None else ()

    def _check_places(self) -> None:
        """Raise InvalidValue when the store lies where clients write and read files."""
        kept = local_folder(self.destination) if self.serve_artifacts else None
        if kept is not None and any(kept.resolve() in place.resolve().parents for place in self.store_places[:1]):
            raise InvalidValue(
                f"the store {self.backend_store_uri} lies among the artifacts, where clients could read and replace it",
                hint="give --artifacts-destination a folder of its own",
            )

    @property
    def on_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.host)

    @property
    def destination(self) -> str:
        """Where the artifacts lie that this server proxies."""
        return self.artifacts_destination or "./mlartifacts"

    @property
    def artifact_root(self) -> str:
        """The artifact root of new experiments."""
        if self.default_artifact_root:
            return self.default_artifact_root
        return PROXIED_ROOT if self.serve_artifacts else "./mlruns"

    @property
    def local_roots(self) -> tuple[Path, ...]:
        """The folders of this machine below which artifacts may be kept."""
        named = (self.destination, self.artifact_root, self.backend_store_uri)
        return tuple(dict.fromkeys(path for uri in named if (path := local_folder(uri)) is not None))


def local_folder(uri: str) -> Path | None:
    """The absolute folder that a path or ``file:`` URI names; None for every other URI."""
    split = urlsplit(uri)
    if len(split.scheme) > 1 and split.scheme != "file":
        return None
    path = unquote(split.path) if split.scheme == "file" else uri
    return Path(path).absolute()
