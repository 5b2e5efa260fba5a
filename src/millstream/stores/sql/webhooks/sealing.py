"""Secrets of webhooks at rest: encrypted with Fernet where the settings give a key, else as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream import settings
from millstream.errors import InvalidState, InvalidValue, NotSupported

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_SEALED, _PLAIN = "fernet:", "plain:"
_KEY = settings.WEBHOOK_SECRET_ENCRYPTION_KEY


def seal(secret: str | None) -> str | None:
    """What is kept of a secret. Raises InvalidValue for a key that is none, NotSupported without the library."""
    if not secret:
        return None
    keys = _keys()
    return _PLAIN + secret if keys is None else _SEALED + keys.encrypt(secret.encode()).decode()


def unseal(kept: str | None) -> str | None:
    """The secret. Raises InvalidState when the key that it was encrypted with is not there."""
    if kept is None:
        return None
    if kept.startswith(_PLAIN):
        return kept.removeprefix(_PLAIN)
    keys = _keys()
    if keys is not None:
        from cryptography.fernet import InvalidToken

        try:
            return keys.decrypt(kept.removeprefix(_SEALED)).decode()
        except InvalidToken:
            pass
    raise InvalidState(
        "the secret of this webhook was encrypted with another key",
        hint=f"add that key to {_KEY.variables[0]}, or give the webhook its secret again",
    )


def _keys() -> MultiFernet | None:
    given = _KEY.get()
    if not given:
        return None
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ModuleNotFoundError:
        raise NotSupported(
            f"{_KEY.variables[0]} is set, and encrypting needs the package cryptography",
            hint="pip install 'millstream[webhooks]'",
        ) from None
    try:
        return MultiFernet([Fernet(key.strip()) for key in given.split(",")])
    except ValueError:  # what it says holds nothing of the key
        raise InvalidValue(
            f"{_KEY.variables[0]} holds no Fernet key",
            hint="make one: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'",
        ) from None
