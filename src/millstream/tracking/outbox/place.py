"""Where outboxes lie, and how tracking URIs stand in them and are shown."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

from millstream.settings import OUTBOX_DIR
from millstream.stores.opening import folder_of, scheme_of


def outbox_directory() -> str:
    """The folder of the outbox: OUTBOX_DIR, else ``millstream/outbox`` in the user's state folder."""
    named = OUTBOX_DIR.get()
    if named:
        return os.path.abspath(os.path.expanduser(named))
    state = os.environ.get("XDG_STATE_HOME") or ""
    if not os.path.isabs(state):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.abspath(os.path.join(state, "millstream", "outbox"))


def absolute(uri: str) -> str:
    """A tracking URI that means the same from any working folder."""
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////") and ":memory:" not in uri:
        path, mark, query = uri.removeprefix("sqlite:///").partition("?")
        return "sqlite:///" + os.path.abspath(path) + mark + query
    return str(folder_of(uri)) if scheme_of(uri) in ("", "file") else uri


def shown(uri: str) -> str:
    """A tracking URI without its password, for messages."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
