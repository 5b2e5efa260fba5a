"""The signatures of webhooks, for those who send them and those who receive them.

A receiver needs the body as the bytes that came, the headers, and the secret that the webhook was created with::

    millstream.webhooks.verify(request.body, request.headers, secret)

Source: MLflow 3.17 (``X-MLflow-Signature: v1,<base64 of the HMAC-SHA256 of "delivery id.timestamp.body">``) and the
managed registry's public documentation (``X-Databricks-Signature: <hex HMAC-SHA256 of the body>``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from millstream.errors import Unauthenticated

__all__ = [
    "DATABRICKS_SIGNATURE_HEADER",
    "WEBHOOK_DELIVERY_ID_HEADER",
    "WEBHOOK_SIGNATURE_HEADER",
    "WEBHOOK_SIGNATURE_VERSION",
    "WEBHOOK_TIMESTAMP_HEADER",
    "SignatureRefused",
    "sign",
    "sign_body",
    "verify",
]

WEBHOOK_SIGNATURE_HEADER = "X-MLflow-Signature"
WEBHOOK_TIMESTAMP_HEADER = "X-MLflow-Timestamp"
WEBHOOK_DELIVERY_ID_HEADER = "X-MLflow-Delivery-Id"
WEBHOOK_SIGNATURE_VERSION = "v1"
DATABRICKS_SIGNATURE_HEADER = "X-Databricks-Signature"


class SignatureRefused(Unauthenticated):
    """What came was not sent by somebody who knows the secret, was changed on the way, or is too old."""


def sign(secret: str, delivery_id: str, timestamp: str, payload: bytes) -> str:
    """The value of ``X-MLflow-Signature`` for a body. ``timestamp`` is in seconds since the epoch, as text."""
    text = f"{delivery_id}.{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return f"{WEBHOOK_SIGNATURE_VERSION},{base64.b64encode(digest).decode()}"


def sign_body(secret: str, payload: bytes) -> str:
    """The value of ``X-Databricks-Signature`` for a body."""
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def verify(
    payload: bytes | str, headers: Mapping[str, str], secret: str, tolerance: float | None = 300.0
) -> str | None:
    """Check that a call was made by who knows ``secret``; returns the id of the delivery, the same at each try of one.

    ``payload`` is the body as it came, ``headers`` may be in any case. Calls in MLflow's form that are more than
    ``tolerance`` seconds old, or that far ahead, are refused (None: never); those of the managed registry's form say no
    time. Raises SignatureRefused.
    """
    found = {name.lower(): value for name, value in headers.items()}
    body = payload.encode() if isinstance(payload, str) else payload
    delivery_id = found.get(WEBHOOK_DELIVERY_ID_HEADER.lower())
    signature = found.get(WEBHOOK_SIGNATURE_HEADER.lower())
    if signature is None:
        other = found.get(DATABRICKS_SIGNATURE_HEADER.lower())
        if other is None:
            raise SignatureRefused("the call is not signed", hint="create the webhook with secret=…")
        if not hmac.compare_digest(sign_body(secret, body).encode(), other.encode()):
            raise _forged()
        return delivery_id
    timestamp = found.get(WEBHOOK_TIMESTAMP_HEADER.lower(), "")
    if delivery_id is None or not (timestamp.isascii() and timestamp.isdigit()):
        raise SignatureRefused(
            f"the call lacks {WEBHOOK_DELIVERY_ID_HEADER} or {WEBHOOK_TIMESTAMP_HEADER}, which are signed with it",
            hint="let the proxy in front pass all headers on",
        )
    if not hmac.compare_digest(sign(secret, delivery_id, timestamp, body).encode(), signature.encode()):
        raise _forged()
    age = time.time() - int(timestamp)
    if tolerance is not None and abs(age) > tolerance:
        raise SignatureRefused(
            f"the call was signed {age:.0f} seconds ago, at most {tolerance:.0f} are allowed",
            hint="somebody may have recorded it and sent it again; if not, compare the clocks",
        )
    return delivery_id


def _forged() -> SignatureRefused:
    return SignatureRefused(
        "the signature does not fit the body",
        hint="pass the body as the bytes that came, and the secret that the webhook has now",
    )
