"""The tree of errors, on both sides of the wire."""

from __future__ import annotations

import json
import sys
import traceback

import pytest

from millstream import errors
from millstream.errors import HTTP_STATUS, InvalidValue, MillstreamError, NotFound, from_wire


def classes() -> list[type[MillstreamError]]:
    return sorted(
        (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MillstreamError)),
        key=lambda kind: kind.__name__,
    )


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_class_crosses_the_wire_as_itself(kind: type[MillstreamError]) -> None:
    sent = kind("what is wrong", hint="what to do")
    received = from_wire(json.loads(json.dumps(sent.to_wire())))
    assert type(received) is kind
    assert (received.message, received.hint, received.error_code) == ("what is wrong", "what to do", sent.error_code)
    assert received.get_http_status_code() == sent.get_http_status_code()


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_code_is_in_the_vocabulary_and_every_class_is_drawn(kind: type[MillstreamError]) -> None:
    assert kind.error_code in HTTP_STATUS
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize("code", sorted(HTTP_STATUS))
def test_a_bare_code_becomes_a_class_with_its_status(code: str) -> None:
    received = from_wire({"error_code": code, "message": "m"})
    assert received.error_code == code
    assert received.get_http_status_code() == HTTP_STATUS[code]


def test_unknown_codes_and_classes_are_plain_errors() -> None:
    assert type(from_wire({"error_code": "NEVER_SEEN", "message": "m"})) is MillstreamError
    assert type(from_wire({"error_code": "RESOURCE_DOES_NOT_EXIST", "error_class": "Popen"})) is NotFound


def test_errors_are_caught_as_what_python_would_raise() -> None:
    with pytest.raises(ValueError, match="depth"):
        raise InvalidValue.of("depth", "x" * 1000, "expected a number")
    with pytest.raises(LookupError):
        raise NotFound("nothing there")


def test_the_names_that_mlflows_users_know() -> None:
    error = MillstreamError.invalid_parameter_value("wrong")
    assert json.loads(error.serialize_as_json()) == {"error_code": "INVALID_PARAMETER_VALUE", "message": "wrong"}
    assert error.get_http_status_code() == 400


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 prints no notes")
def test_a_traceback_ends_with_the_hint() -> None:
    told = traceback.format_exception(InvalidValue("what is wrong", hint="what to do"))
    assert "".join(told).splitlines()[-3:] == ["millstream.errors.InvalidValue: what is wrong", "", "hint: what to do"]
