"""What a webhook may be: its address, its events, what it keeps secret. Each raises InvalidValue."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row

from millstream import settings
from millstream.entities.webhook import WebhookStatus, check_event
from millstream.errors import InvalidValue
from millstream.operations import EventName
from millstream.operations.limits import check_text
from millstream.outgoing import is_public
from millstream.stores.sql.webhooks.sealing import seal

FORMATS = ("MLFLOW", "DATABRICKS")

_NAME, _URL, _DESCRIPTION, _SECRET = 256, 2_048, 5_000, 4_096


def allows_private() -> bool:
    """Whether webhooks may lead to addresses that are not of the public internet."""
    own = settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES.get()
    return settings.ALLOW_PRIVATE_ADDRESSES.get() if own is None else own


def check_url(url: str, field: str = "url") -> str:
    """A URL that webhooks may have. What its name leads to is checked at each call. Raises InvalidValue."""
    check_text(url, _URL, field)
    if not url.isprintable() or " " in url or "\\" in url:
        raise InvalidValue.of(field, url, "a URL has no spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for one that is no number)
    except ValueError as error:
        raise InvalidValue.of(field, url, str(error)) from None
    if "@" in parts.netloc:
        raise InvalidValue(f"the {field} names a user, which everybody who sees the webhook could read",
                           hint="give it as authorization='Basic …', which is not shown")
    allowed = [scheme.strip().lower() for scheme in settings.WEBHOOK_ALLOWED_SCHEMES.get().split(",")]
    if parts.scheme not in allowed or parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidValue.of(
            field, url, f"expected {' or '.join(f'{scheme}://' for scheme in allowed)} and a host",
            hint=f"for calls that anybody on the way can read, set {settings.WEBHOOK_ALLOWED_SCHEMES.variables[0]}="
            "https,http where the server runs",
        )
    if not allows_private() and _is_private(parts.hostname):
        raise InvalidValue.of(
            field, url, "it leads to an address that is not one of the public internet",
            hint=f"set {settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES.variables[0]}=true to call your own network",
        )
    return url


def _is_private(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)


def check_events(given: Sequence[EventName | str]) -> list[str]:
    """The names of events, each once. Raises InvalidValue for one that there is not, and where there is none."""
    names: list[str] = []
    for event in given:
        if isinstance(event, EventName):
            entity, action = event.entity.lower(), event.action.lower()
            name = entity if entity == "*" else f"{entity}.{action}" + (f":{event.stage}" if event.stage else "")
        else:
            name = event
        names.append(check_event(name))
    if not names:
        raise InvalidValue.of("events", [], "a webhook is told of one event at least", hint="use * for all of them")
    return list(dict.fromkeys(names))


def check_status(given: str | None) -> str | None:
    if given is None:
        return None
    known = [status.value for status in WebhookStatus]
    if given.upper() not in known:
        raise InvalidValue.of("status", given, f"it is none of {', '.join(known)}")
    return given.upper()


def check_format(given: str | None) -> str | None:
    if given is not None and given.upper() not in FORMATS:
        raise InvalidValue.of("payload_format", given, f"it is none of {', '.join(FORMATS)}")
    return None if given is None else given.upper()


def seal_all(secret: str | None, authorization: str | None) -> dict[str, str | None]:
    """The columns of what is given; an empty text removes what there was."""
    made = {}
    for field, text in (("secret", secret), ("authorization", authorization)):
        if text is not None:
            if len(text) > _SECRET:
                raise InvalidValue(f"the {field} has {len(text)} characters, at most {_SECRET} are kept")
            if not text.isprintable():
                raise InvalidValue(f"the {field} holds a line break or another character that is not printable")
            made[field] = seal(text)
    if authorization and not authorization.isascii():
        raise InvalidValue("the authorization holds characters that a header cannot have",
                           hint="write it as 'Bearer <token>' or 'Basic <base64>'")
    return made


def check_name(given: str) -> str:
    """A name that people know the webhook by."""
    text = check_text(given, _NAME, "name")
    if not text.strip():
        raise InvalidValue.of("name", given, "it may not be empty")
    return text


def check_description(given: str | None) -> str | None:
    """A description; an empty one is none."""
    return check_text(given or "", _DESCRIPTION, "description") or None


def check_move(row: Row[Any], url: str, authorization: str | None) -> None:
    """Raise InvalidValue when what one host was trusted with would be shown to another."""
    if row.authorization is None or authorization is not None:
        return
    old, new = urlsplit(row.url), urlsplit(url)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise InvalidValue(
            f"the authorization of this webhook was given for {old.netloc}",
            hint="give the authorization for the new address with it, or an empty one",
        )
