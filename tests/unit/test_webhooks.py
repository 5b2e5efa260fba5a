"""Signatures: who checks one finds out what was sent, when, and by whom."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from millstream import webhooks
from millstream.webhooks import SignatureRefused, sign, sign_body, verify

BODY, SECRET = '{"entity": "model_version", "data": {"name": "loän"}}'.encode(), "s3cr3t"


def signed(age: int = 0, changed: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    timestamp = str(int(time.time()) - age)
    headers = {
        "x-mlflow-delivery-id": "d-1", "X-MLflow-Timestamp": timestamp,
        "X-MLFLOW-SIGNATURE": sign(SECRET, "d-1", timestamp, BODY),
    }
    return {**headers, **changed}


def test_the_signature_is_the_one_of_mlflow() -> None:
    # What MLflow 3.17.2 makes of the same.
    made = sign("s3cr3t", "d-1", "1700000000", b'{"a": 1}')
    assert made == "v1,YLiF/mt4EW3rXgrVC0OyPc7r/DFYV2DleqhMPBoUf/k="


def test_a_call_of_ours_is_accepted_whatever_the_case_of_its_headers() -> None:
    assert verify(BODY, signed(), SECRET) == "d-1"
    assert verify(BODY.decode(), signed(), SECRET) == "d-1"


@pytest.mark.parametrize(("changed", "body", "secret", "match"), [
    ({}, BODY + b" ", SECRET, "does not fit"),
    ({}, BODY, "another", "does not fit"),
    ({"x-mlflow-delivery-id": "d-2"}, BODY, SECRET, "does not fit"),
    ({"X-MLflow-Timestamp": "1700000000"}, BODY, SECRET, "does not fit"),
    ({"X-MLflow-Timestamp": "soon"}, BODY, SECRET, "lacks"),
    ({"X-MLflow-Timestamp": "²"}, BODY, SECRET, "lacks"),
    ({"X-MLFLOW-SIGNATURE": "v1,ünsigned"}, BODY, SECRET, "does not fit"),
])
def test_what_was_changed_is_refused(changed: dict[str, str], body: bytes, secret: str, match: str) -> None:
    with pytest.raises(SignatureRefused, match=match):
        verify(body, signed(changed=changed), secret)


@pytest.mark.parametrize("age", [301, -302])
def test_what_is_too_old_or_from_the_future_is_refused(age: int) -> None:
    with pytest.raises(SignatureRefused, match="seconds ago"):
        verify(BODY, signed(age), SECRET)
    assert verify(BODY, signed(age), SECRET, tolerance=None) == "d-1"
    assert verify(BODY, signed(age), SECRET, tolerance=1_000) == "d-1"


def test_what_is_not_signed_is_refused() -> None:
    headers = signed()
    del headers["X-MLFLOW-SIGNATURE"]
    with pytest.raises(SignatureRefused, match="not signed"):
        verify(BODY, headers, SECRET)


def test_the_managed_registrys_signature() -> None:
    headers = {"X-Databricks-Signature": sign_body(SECRET, BODY)}
    assert verify(BODY, headers, SECRET) is None
    assert verify(BODY, {**headers, webhooks.WEBHOOK_DELIVERY_ID_HEADER: "d-3"}, SECRET) == "d-3"
    for body, secret in ((BODY + b" ", SECRET), (BODY, "another")):
        with pytest.raises(SignatureRefused, match="does not fit"):
            verify(body, headers, secret)
