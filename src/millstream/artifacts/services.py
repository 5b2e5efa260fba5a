"""Opening the object stores of Google and Azure, and what all of them have in common."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from millstream import settings
from millstream.artifacts.objects import ObjectStore
from millstream.errors import InvalidValue


def client_options(endpoint: str, *, bundle: str | None = None, insecure: bool = False) -> Any:
    """The HTTP options of ``obstore`` for a service at this address."""
    options: dict[str, Any] = {
        # Its timeout is for a whole transfer, body included; silence is what the other one is for.
        "timeout": timedelta(seconds=settings.ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT.get()),
        "read_timeout": timedelta(seconds=settings.HTTP_REQUEST_TIMEOUT.get()),
        "allow_http": endpoint.startswith("http://"),
        "allow_invalid_certificates": insecure,
    }
    if bundle:
        options["root_certificate"] = Path(bundle).read_bytes()
    return options


def retry_options() -> Any:
    """How often ``obstore`` tries a request again."""
    factor = settings.HTTP_REQUEST_BACKOFF_FACTOR.get()
    return {
        "max_retries": max(0, settings.HTTP_REQUEST_MAX_RETRIES.get()),
        "retry_timeout": timedelta(minutes=3),
        "backoff": {"init_backoff": timedelta(seconds=factor), "max_backoff": timedelta(seconds=15), "base": 2},
    }


def google_store(uri: str) -> ObjectStore:
    """The store at a ``gs://bucket/prefix`` address, with the credentials of GOOGLE_APPLICATION_CREDENTIALS, the
    user's application default, or the machine."""
    from obstore.store import GCSStore

    parts = urlsplit(uri)
    if not parts.netloc:
        raise InvalidValue(f"{uri!r} names no bucket", hint="write gs://bucket/prefix")
    return ObjectStore(uri, GCSStore(
        parts.netloc, prefix=parts.path.strip("/") or None, client_options=client_options("https://"),
        retry_config=retry_options(),
    ))
