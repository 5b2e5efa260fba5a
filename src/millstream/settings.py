"""One table of settings: each has a name, a type, a default, a help line, and the variables it is read from.

A setting ``TRACKING_URI`` is read from ``MILLSTREAM_TRACKING_URI`` and, where MLflow has the same setting, from its
``MLFLOW_…`` variable; ours wins. Values are read at each use, so a test or a notebook may change the environment at any
time. The reference page of the docs is made from :data:`SETTINGS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from millstream.errors import InvalidValue

T = TypeVar("T")

SETTINGS: dict[str, Setting[Any]] = {}

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


def _boolean(text: str) -> bool:
    folded = text.strip().lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise ValueError("expected true or false")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting. ``get`` reads it, ``set`` and ``unset`` change the environment of this process."""

    name: str
    parse: Callable[[str], T]
    default: T
    help: str
    mlflow: str | None = None
    secret: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables looked at, first one wins."""
        ours = f"MILLSTREAM_{self.name}"
        return (ours, self.mlflow) if self.mlflow else (ours,)

    def raw(self) -> tuple[str, str] | None:
        """``(variable, text)`` as found in the environment, or None."""
        for variable in self.variables:
            text = os.environ.get(variable)
            if text is not None:
                return variable, text
        return None

    def get(self) -> T:
        """The value. Raises InvalidValue when the environment holds something that does not parse."""
        found = self.raw()
        if found is None:
            return self.default
        variable, text = found
        try:
            return self.parse(text)
        except ValueError as error:
            raise InvalidValue(
                f"the environment variable {variable} holds {text!r}: {error}",
                hint=f"{self.help}; unset {variable} for the default ({self.default!r})",
            ) from None

    def is_set(self) -> bool:
        """Whether the environment says anything about it."""
        return self.raw() is not None

    def set(self, value: T) -> None:
        """Put ``value`` into the environment of this process and of the children it starts."""
        os.environ[self.variables[0]] = str(value).lower() if isinstance(value, bool) else str(value)

    def unset(self) -> None:
        """Forget it in this process."""
        for variable in self.variables:
            os.environ.pop(variable, None)


@overload
def _setting(
    name: str, parse: Callable[[str], T], default: None, help: str, mlflow: bool | str = ..., *, secret: bool = ...
) -> Setting[T | None]: ...
@overload
def _setting(
    name: str, parse: Callable[[str], T], default: T, help: str, mlflow: bool | str = ..., *, secret: bool = ...
) -> Setting[T]: ...
def _setting(
    name: str, parse: Callable[[str], Any], default: Any, help: str, mlflow: bool | str = True, *, secret: bool = False
) -> Setting[Any]:
    twin = mlflow if isinstance(mlflow, str) else f"MLFLOW_{name}" if mlflow else None
    made = Setting(name, parse, default, help, twin, secret)
    SETTINGS[name] = made
    return made


OURS = False  # the fifth argument of a setting that MLflow does not have

# Where things are
TRACKING_URI = _setting("TRACKING_URI", str, None, "where runs are kept: a folder, sqlite:///, postgresql:// or http(s)://")
REGISTRY_URI = _setting("REGISTRY_URI", str, None, "where registered models are kept; the tracking URI unless given")
EXPERIMENT_NAME = _setting("EXPERIMENT_NAME", str, None, "the experiment that new runs go to, by name")
EXPERIMENT_ID = _setting("EXPERIMENT_ID", str, None, "the experiment that new runs go to, by id")
RUN_ID = _setting("RUN_ID", str, None, "the run that the first start_run() of this process resumes")
RUN_CONTEXT = _setting("RUN_CONTEXT", str, None, "a JSON object of tags that every new run gets")
ACTIVE_MODEL_ID = _setting("ACTIVE_MODEL_ID", str, None, "the logged model that metrics are attached to")
ARTIFACT_ROOT = _setting("ARTIFACT_ROOT", str, None, "the artifact root of an embedded database store", OURS)

# Talking to a server
TRACKING_USERNAME = _setting("TRACKING_USERNAME", str, None, "user name sent to the tracking server")
TRACKING_PASSWORD = _setting("TRACKING_PASSWORD", str, None, "password sent to the tracking server", secret=True)
TRACKING_TOKEN = _setting("TRACKING_TOKEN", str, None, "bearer token sent to the tracking server", secret=True)
TRACKING_INSECURE_TLS = _setting("TRACKING_INSECURE_TLS", _boolean, False, "accept any certificate of the tracking server")
TRACKING_SERVER_CERT_PATH = _setting("TRACKING_SERVER_CERT_PATH", str, None, "certificates that the tracking server is checked against")
TRACKING_CLIENT_CERT_PATH = _setting("TRACKING_CLIENT_CERT_PATH", str, None, "certificate and key shown to the tracking server")
HTTP_REQUEST_TIMEOUT = _setting("HTTP_REQUEST_TIMEOUT", float, 120.0, "seconds a request to a server may take")
HTTP_REQUEST_MAX_RETRIES = _setting("HTTP_REQUEST_MAX_RETRIES", int, 7, "how often a request to a server is tried again")
HTTP_REQUEST_BACKOFF_FACTOR = _setting("HTTP_REQUEST_BACKOFF_FACTOR", float, 0.5, "seconds before the first new try; doubled each time")
WORKSPACE = _setting("WORKSPACE", str, None, "the workspace that requests name")

# Logging
ENABLE_ASYNC_LOGGING = _setting("ENABLE_ASYNC_LOGGING", _boolean, True, "log through the outbox; false sends each call at once")
OUTBOX_DIR = _setting("OUTBOX_DIR", str, None, "folder of the outbox; the user's state folder unless given", OURS)
EXIT_FLUSH_SECONDS = _setting("EXIT_FLUSH_SECONDS", float, 30.0, "how long the end of a run or a process waits for the outbox to be shipped", OURS)
TRUNCATE_LONG_VALUES = _setting("TRUNCATE_LONG_VALUES", _boolean, True, "cut parameters and tags beyond their limit instead of refusing them")
LEASE_SECONDS = _setting("LEASE_SECONDS", float, 120.0, "a live run beats; after this many silent seconds it counts as died (0: never)", OURS)
ENABLE_SYSTEM_METRICS_LOGGING = _setting("ENABLE_SYSTEM_METRICS_LOGGING", _boolean, False, "log processor, memory, disk, network and GPU figures of each run")
SYSTEM_METRICS_SAMPLING_INTERVAL = _setting("SYSTEM_METRICS_SAMPLING_INTERVAL", float, 10.0, "seconds between two samples of system metrics")
SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING = _setting("SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", int, 1, "samples averaged into one point")
SYSTEM_METRICS_NODE_ID = _setting("SYSTEM_METRICS_NODE_ID", str, None, "name of this machine in the keys of system metrics")
CAPTURE_ENVIRONMENT = _setting("CAPTURE_ENVIRONMENT", _boolean, True, "note Python, packages and hardware of each run", OURS)
CAPTURE_PROGRAM = _setting("CAPTURE_PROGRAM", _boolean, True, "note the file, the arguments and the folder that the program of each run was started with, so that `millstream rerun` can start it again; what is named like a password or a token is left out", OURS)
SUPPRESS_PRINTING_URL_TO_STDOUT = _setting("SUPPRESS_PRINTING_URL_TO_STDOUT", _boolean, False, "do not print the address of a run when it ends")
LOGGING_LEVEL = _setting("LOGGING_LEVEL", str, "INFO", "level of our own log messages")

# Artifacts
S3_ENDPOINT_URL = _setting("S3_ENDPOINT_URL", str, None, "address of an S3-compatible server")
S3_IGNORE_TLS = _setting("S3_IGNORE_TLS", _boolean, False, "accept any certificate of the S3 server")
S3_UPLOAD_EXTRA_ARGS = _setting("S3_UPLOAD_EXTRA_ARGS", str, None, "JSON object of extra attributes for uploads to S3")
ENABLE_ARTIFACTS_PROGRESS_BAR = _setting("ENABLE_ARTIFACTS_PROGRESS_BAR", _boolean, True, "show a bar while big artifacts move, in a terminal")
ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT = _setting("ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT", float, 3600.0, "seconds one artifact transfer may take")
MULTIPART_UPLOAD_MINIMUM_FILE_SIZE = _setting("MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", int, 100 * 1024 * 1024, "bytes from which a file is sent in parts")
MULTIPART_UPLOAD_CHUNK_SIZE = _setting("MULTIPART_UPLOAD_CHUNK_SIZE", int, 16 * 1024 * 1024, "bytes of one part")
ENABLE_PROXY_MULTIPART_UPLOAD = _setting("ENABLE_PROXY_MULTIPART_UPLOAD", _boolean, False, "send parts past the server, straight to the store behind it, where both allow it")
ENABLE_PROXY_MULTIPART_DOWNLOAD = _setting("ENABLE_PROXY_MULTIPART_DOWNLOAD", _boolean, False, "fetch files past the server, straight from the store behind it, where both allow it")
MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE = _setting("MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", int, 64 * 1024 * 1024, "bytes from which a file is fetched in parts")
MULTIPART_DOWNLOAD_CHUNK_SIZE = _setting("MULTIPART_DOWNLOAD_CHUNK_SIZE", int, 16 * 1024 * 1024, "bytes of one fetched part")
TRANSFER_THREADS = _setting("TRANSFER_THREADS", int, 4, "parts and files that move at the same time", OURS)
PRESIGNED_DOWNLOAD_URL_TTL_SECONDS = _setting("PRESIGNED_DOWNLOAD_URL_TTL_SECONDS", int, 300, "how long a presigned address stays valid")

# Models
ALLOW_PICKLE_DESERIALIZATION = _setting("ALLOW_PICKLE_DESERIALIZATION", _boolean, None, "load files of models that run code when they are loaded (pickles): true for any model, false for none; unless set, for those that this user saved and those of trusted stores")
TRUSTED_STORES = _setting("TRUSTED_STORES", str, None, "comma-separated tracking and registry URIs whose models may be unpickled; unless set, those in use", OURS)
SKOPS_TRUSTED_TYPES = _setting("SKOPS_TRUSTED_TYPES", str, None, "comma-separated types that models in the format skops may load from anywhere", OURS)
DEFAULT_PREDICTION_DEVICE = _setting("DEFAULT_PREDICTION_DEVICE", str, None, "the device that PyTorch models predict on: cpu, cuda, cuda:1; unless set, a GPU where there is one")
KEY_FILE = _setting("KEY_FILE", str, None, "the file with this user's key, by which his own models are recognised; made when it is first needed", OURS)

# Calls to addresses that others chose
ALLOW_PRIVATE_ADDRESSES = _setting("ALLOW_PRIVATE_ADDRESSES", _boolean, False, "let URLs of datasets and webhooks lead to loopback and private addresses", OURS)

# Webhooks
WEBHOOK_ALLOWED_SCHEMES = _setting("WEBHOOK_ALLOWED_SCHEMES", str, "https", "comma-separated schemes that the URL of a webhook may have: https, http")
WEBHOOK_ALLOW_PRIVATE_ADDRESSES = _setting("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", _boolean, None, "let webhooks lead to loopback and private addresses; as ALLOW_PRIVATE_ADDRESSES says unless given", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
WEBHOOK_SECRET_ENCRYPTION_KEY = _setting("WEBHOOK_SECRET_ENCRYPTION_KEY", str, None, "Fernet key that the secrets of webhooks are encrypted with; several, separated by commas, all decrypt, the first encrypts", secret=True)
WEBHOOK_REQUEST_TIMEOUT = _setting("WEBHOOK_REQUEST_TIMEOUT", float, 30.0, "seconds a call of a webhook may take")
WEBHOOK_REQUEST_MAX_RETRIES = _setting("WEBHOOK_REQUEST_MAX_RETRIES", int, 20, "how often a call of a webhook is tried again before it is given up")
WEBHOOK_BACKOFF_SECONDS = _setting("WEBHOOK_BACKOFF_SECONDS", float, 1.0, "seconds before the first new try of a webhook; doubled each time", OURS)
WEBHOOK_BACKOFF_MAX_SECONDS = _setting("WEBHOOK_BACKOFF_MAX_SECONDS", float, 3600.0, "seconds between two tries of a webhook at most", OURS)
WEBHOOK_DELIVERY_MAX_WORKERS = _setting("WEBHOOK_DELIVERY_MAX_WORKERS", int, 10, "calls of webhooks that a server process makes at the same time")
WEBHOOK_POLL_SECONDS = _setting("WEBHOOK_POLL_SECONDS", float, 0.5, "seconds between two looks of a server for what webhooks are to be told", OURS)
WEBHOOK_RETENTION_DAYS = _setting("WEBHOOK_RETENTION_DAYS", float, 30.0, "days that the log of webhooks keeps what has arrived or was given up", OURS)

# Environments of models and projects
ENV_ROOT = _setting("ENV_ROOT", str, None, "the folder of the virtual environments that are built for models and projects; millstream/envs in the user's cache folder unless given")
ALLOW_PYTHON_DOWNLOADS = _setting("ALLOW_PYTHON_DOWNLOADS", _boolean, False, "let uv download a Python that this machine does not have", OURS)
CONDA_HOME = _setting("CONDA_HOME", str, None, "the folder of an installation of conda, for environments with packages that only conda has")
CONDA_CREATE_ENV_CMD = _setting("CONDA_CREATE_ENV_CMD", str, None, "the program that makes those: conda, mamba or micromamba; the first that is installed unless given")

# Database
SQLITE_SYNCHRONOUS = _setting("SQLITE_SYNCHRONOUS", str, "FULL", "SQLite's synchronous pragma; FULL means a reply is on the disk", OURS)
DATABASE_POOL_SIZE = _setting("DATABASE_POOL_SIZE", int, 5, "connections kept to PostgreSQL", "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE")
DATABASE_MAX_OVERFLOW = _setting("DATABASE_MAX_OVERFLOW", int, 10, "connections to PostgreSQL beyond the pool", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW")
DATABASE_ECHO = _setting("DATABASE_ECHO", _boolean, False, "log every SQL statement", "MLFLOW_SQLALCHEMYSTORE_ECHO")

# Server
BACKEND_STORE_URI = _setting("BACKEND_STORE_URI", str, None, "the store that the server serves")
DEFAULT_ARTIFACT_ROOT = _setting("DEFAULT_ARTIFACT_ROOT", str, None, "the artifact root of new experiments on the server")
ARTIFACTS_DESTINATION = _setting("ARTIFACTS_DESTINATION", str, None, "where the server keeps artifacts that it proxies")
SERVER_HOST = _setting("SERVER_HOST", str, "127.0.0.1", "the address that the server listens on", "MLFLOW_HOST")
SERVER_PORT = _setting("SERVER_PORT", int, 5000, "the port that the server listens on; 0 lets the system choose", "MLFLOW_PORT")
SERVER_WORKERS = _setting("SERVER_WORKERS", int, 1, "processes of the server", "MLFLOW_WORKERS")
SERVER_STATIC_PREFIX = _setting("SERVER_STATIC_PREFIX", str, "", "what a proxy puts before every path", "MLFLOW_STATIC_PREFIX")
SERVER_USER_HEADER = _setting("SERVER_USER_HEADER", str, None, "the header, such as X-Forwarded-User, in which a proxy that signs users in names the user; the proxy must be the only one who reaches the server", OURS)
SERVER_X_FRAME_OPTIONS = _setting("SERVER_X_FRAME_OPTIONS", str, "SAMEORIGIN", "who may show pages of the server in a frame: SAMEORIGIN, DENY or NONE (anybody)")
SERVER_ALLOWED_HOSTS = _setting("SERVER_ALLOWED_HOSTS", str, None, "comma-separated host names that requests may name, beside loopback")
SERVER_CORS_ALLOWED_ORIGINS = _setting("SERVER_CORS_ALLOWED_ORIGINS", str, None, "comma-separated origins whose pages may call the server")
SERVER_MAX_BODY_BYTES = _setting("SERVER_MAX_BODY_BYTES", int, 32 * 1024 * 1024, "bytes of the largest request body, artifacts apart", OURS)
SERVER_MAX_ARTIFACT_BYTES = _setting("SERVER_MAX_ARTIFACT_BYTES", int, 0, "bytes of the largest artifact upload (0: no limit)", OURS)
SERVER_REQUEST_SECONDS = _setting("SERVER_REQUEST_SECONDS", float, 60.0, "seconds a client may take to send a request body, artifacts apart", OURS)
SERVER_MAX_REQUESTS = _setting("SERVER_MAX_REQUESTS", int, 1024, "requests a server process works on at a time; more are asked to come back", OURS)
SERVER_READ_THREADS = _setting("SERVER_READ_THREADS", int, 8, "threads of a server process that read from the store and move artifacts", OURS)
SERVER_ARTIFACT_SCHEMES = _setting("SERVER_ARTIFACT_SCHEMES", str, "", "comma-separated further URI schemes that an artifact location given by a client may have, such as hdfs or sftp", "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES")
MODELS_WORKERS = _setting("MODELS_WORKERS", int, 1, "processes of a scoring server, each with the model in its memory")
SCORING_SERVER_REQUEST_TIMEOUT = _setting("SCORING_SERVER_REQUEST_TIMEOUT", float, 60.0, "seconds after which a scoring server answers that a prediction was not there in time")
SCORING_SERVER_MAX_BODY_BYTES = _setting("SCORING_SERVER_MAX_BODY_BYTES", int, 64 * 1024 * 1024, "bytes of the largest request to a scoring server", OURS)
SCORING_SERVER_QUEUE = _setting("SCORING_SERVER_QUEUE", int, 512, "requests that wait for the model in a process of a scoring server; more are asked to come back", OURS)
SCORING_SERVER_BATCH_ROWS = _setting("SCORING_SERVER_BATCH_ROWS", int, 256, "rows that a scoring server gathers from waiting requests for one prediction (1: each request is predicted alone)", OURS)
TRAINING_PROFILE = _setting("TRAINING_PROFILE", _boolean, True, "whether models that are logged carry a profile of their training data, with a sample of its values", OURS)
LOG_FORMAT = _setting("LOG_FORMAT", str, "text", "how the server writes its log: text for people, json for programs", OURS)
SWEEP_SECONDS = _setting("SWEEP_SECONDS", float, 15.0, "seconds between two looks of a server for runs whose process has died", OURS)
SERVER_GRAPHQL_MAX_ROOT_FIELDS = _setting("SERVER_GRAPHQL_MAX_ROOT_FIELDS", int, 10, "root fields that one GraphQL request may ask for")
SERVER_GRAPHQL_MAX_ALIASES = _setting("SERVER_GRAPHQL_MAX_ALIASES", int, 10, "aliases that one GraphQL request may hold")
