"""The codec against what MLflow's clients were recorded to send, and against what no client should."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.entities import Metric, Param, RunTag
from millstream.errors import BadRequest, InvalidValue, MillstreamError, MissingValue
from millstream.operations import (
    OPERATIONS,
    DeleteLoggedModel,
    DeleteLoggedModelTag,
    DeleteRegisteredModelAlias,
    FinalizeLoggedModel,
    GetMetricHistory,
    GetMetricHistoryBulkInterval,
    GetRun,
    LogBatch,
    LogMetric,
    LogParam,
    MetricHistory,
    Operation,
    SearchRuns,
)
from millstream.operations.codec import decode_answer, decode_request, encode_answer, encode_request

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
_number = st.floats() | st.integers(-10, 10).map(float)
_int64 = st.integers(-(2**63), 2**63 - 1)


def sent(body: object) -> bytes:
    return json.dumps(body).encode()


@given(
    st.lists(st.builds(Metric, _text, _number, _int64, _int64), max_size=5),
    st.lists(st.builds(Param, _text, _text), max_size=3),
    st.lists(st.builds(RunTag, _text, _text), max_size=3),
)
def test_a_request_survives_the_wire(metrics: list[Metric], params: list[Param], tags: list[RunTag]) -> None:
    operation = LogBatch("run", metrics, params, tags)
    _, _, body = encode_request(operation)
    assert body is not None
    again = decode_request(LogBatch, body=body)
    assert repr(again) == repr(operation)  # NaN is not equal to itself


@given(st.lists(st.builds(Metric, _text, _number, _int64, _int64), max_size=5))
def test_an_answer_survives_the_wire(metrics: list[Metric]) -> None:
    answer = MetricHistory(metrics, "token")
    text = encode_answer(answer)
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert repr(decode_answer(GetMetricHistory, text)) == repr(answer)


@given(st.binary(max_size=200))
def test_rubbish_is_refused_by_name(body: bytes) -> None:
    for kind in (LogMetric, LogBatch, SearchRuns):
        try:
            decode_request(kind, body=body)
        except MillstreamError as error:
            assert error.get_http_status_code() == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["run_id", "runId", "key", "value", "metrics", "params", "tags", "timestamp", "step", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    for kind in (LogMetric, LogBatch, SearchRuns):
        try:
            assert isinstance(decode_request(kind, body=sent(value)), kind)
        except (BadRequest, InvalidValue):
            pass


def test_what_proto3_json_allows() -> None:
    made = decode_request(
        LogMetric,
        body=sent(
            {
                "runUuid": "old",
                "run_id": "r",
                "key": "k",
                "value": "NaN",
                "timestamp": "12",
                "step": None,
                "unknown": {},
            }
        ),
    )
    assert (made.run_id, made.timestamp, made.step) == ("r", 12, 0)
    assert math.isnan(made.value)
    assert (
        decode_request(LogMetric, body=b'{"run_id":"r","key":"k","value":-Infinity,"timestamp":1}').value == -math.inf
    )
    assert decode_request(SearchRuns, body=sent({"runViewType": 3})).run_view_type == "ALL"
    assert decode_request(GetRun, query=[("run_uuid", "old"), ("run_id", "r")]).run_id == "r"
    assert decode_request(GetRun, query=[("run_uuid", "old")]).run_id == "old"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({}, MissingValue, "Missing value for required parameter 'run_id'"),
        ({"run_id": "", "key": "k", "value": 1, "timestamp": 1}, MissingValue, "'run_id'"),
        ({"run_id": "r", "key": "k", "timestamp": 1}, MissingValue, "'value'"),
        (
            {"run_id": 7, "key": "k", "value": 1, "timestamp": 1},
            InvalidValue,
            "Invalid value 7 for parameter 'run_id' supplied",
        ),
        ({"run_id": "r", "key": "k", "value": "x", "timestamp": 1}, InvalidValue, 'Invalid value "x" for parameter'),
        ({"run_id": "r", "key": "k", "value": 1, "timestamp": 2**63}, InvalidValue, "64 bits"),
        ({"run_id": "r", "key": "k", "value": 1, "timestamp": 1.5}, InvalidValue, "'timestamp'"),
        ({"run_id": "r", "key": "a\x00b", "value": 1, "timestamp": 1}, InvalidValue, "NUL"),
    ],
)
def test_what_is_wrong_is_named(body: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match="(?s).*".join(message.split("…"))):
        decode_request(LogMetric, body=sent(body))


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"nul", b'"text"', b"[" * 100_000])
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises((BadRequest, MissingValue)):
        decode_request(LogMetric, body=body)


def test_fields_deep_inside_are_named_by_their_place() -> None:
    with pytest.raises(InvalidValue, match=r"'metrics\[1\]\.value'"):
        decode_request(
            LogBatch,
            body=sent(
                {
                    "run_id": "r",
                    "metrics": [
                        {"key": "a", "value": 1, "timestamp": 1, "step": 0},
                        {"key": "a", "value": [], "timestamp": 1, "step": 0},
                    ],
                }
            ),
        )
    with pytest.raises(MissingValue, match=r"'params\[0\]\.key'"):
        decode_request(LogBatch, body=sent({"run_id": "r", "params": [{"value": "v"}]}))


def test_requests_that_carry_fields_in_path_and_query() -> None:
    assert encode_request(GetMetricHistoryBulkInterval(["a", "b"], "x", 0, 9)) == (
        "/2.0/mlflow/metrics/get-history-bulk-interval",
        [("run_ids", "a"), ("run_ids", "b"), ("metric_key", "x"), ("start_step", "0"), ("end_step", "9")],
        None,
    )
    assert encode_request(DeleteLoggedModelTag("m-1", "a/b c"))[0] == "/2.0/mlflow/logged-models/m-1/tags/a%2Fb%20c"
    assert encode_request(FinalizeLoggedModel("m-1", "LOGGED_MODEL_READY")) == (
        "/2.0/mlflow/logged-models/m-1",
        [],
        b'{"model_id":"m-1","status":"LOGGED_MODEL_READY"}',
    )


def test_what_is_deleted_is_named_in_the_body() -> None:
    # MLflow's servers do not read the query of a DELETE.
    assert encode_request(DeleteRegisteredModelAlias("loan", "champion")) == (
        "/2.0/mlflow/registered-models/alias",
        [],
        b'{"name":"loan","alias":"champion"}',
    )
    assert encode_request(DeleteLoggedModel("m-1")) == ("/2.0/mlflow/logged-models/m-1", [], None)


def test_a_word_that_says_null_is_not_a_number() -> None:
    operation = LogParam("r", "k", 'null,"value":null')
    _, _, body = encode_request(operation)
    assert body is not None
    assert decode_request(LogParam, body=body) == operation


def test_an_answer_of_something_else_is_a_clear_error() -> None:
    with pytest.raises(BadRequest, match="not what the protocol says"):
        decode_answer(GetRun, b"<html>sign in</html>")


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_the_table_is_sound(kind: type[Operation[Any]]) -> None:
    endpoint = kind.endpoint
    fields = set(kind.__struct_fields__)
    assert set(endpoint.path_fields) <= fields
    assert endpoint.path.startswith(("/2.0/mlflow/", "/v1/"))
    assert endpoint.needs.field is None or endpoint.needs.field in fields
    assert endpoint.summary, "an operation says what it does in its docstring"
    assert endpoint.writes or "DELETE" not in endpoint.methods
    if endpoint.answer is not None:
        assert endpoint.answer.__doc__


def test_no_two_operations_share_a_place() -> None:
    places = [(method, kind.endpoint.path) for kind in OPERATIONS for method in kind.endpoint.methods]
    assert len(places) == len(set(places))


def recorded() -> list[Any]:
    """Exchanges of MLflow's clients with its own server, those that are operations here."""
    corpus = json.loads((Path(__file__).parents[2] / "clients" / "corpus" / "wire.json").read_text())
    found = []
    for exchange in corpus:
        body = exchange["request"]
        readable = body is None or (isinstance(body, dict) and "not JSON" not in body)
        if not readable or exchange["status"] != 200 or "not JSON" in (exchange["response"] or {}):
            continue
        path = exchange["path"].removeprefix("/ajax-api").removeprefix("/api")
        for kind in OPERATIONS:
            fields = match_path(kind.endpoint.path, path)
            if exchange["method"] in kind.endpoint.methods and fields is not None:
                found.append(
                    pytest.param(
                        kind, fields, exchange, id=f"{exchange['client']} {kind.__name__} {exchange['status']}"
                    )
                )
                break
    return found


def match_path(pattern: str, path: str) -> dict[str, str] | None:
    """The fields of ``path`` when it is of the form ``pattern``."""
    expected, given = pattern.split("/"), path.split("/")
    if len(expected) != len(given):
        return None
    fields = {}
    for part, text in zip(expected, given, strict=True):
        if part.startswith("{"):
            fields[part[1:-1]] = unquote(text)
        elif part != text:
            return None
    return fields


@pytest.mark.parametrize(("kind", "fields", "exchange"), recorded())
def test_what_mlflows_clients_send_and_hear(
    kind: type[Operation[Any]], fields: dict[str, str], exchange: dict[str, Any]
) -> None:
    body = exchange["request"]
    if body and any(body.get(name) == value and type(body.get(name)) is type(value) for name, value in STRICTER):
        with pytest.raises(InvalidValue):
            decode_request(kind, body=sent(body), path=fields)
        return
    query = parse_qsl(exchange["query"] or "", keep_blank_values=True)
    operation = decode_request(kind, query=query, body=sent(body) if body is not None else b"", path=fields)
    assert isinstance(operation, kind)
    if exchange["status"] == 200:
        answer = decode_answer(kind, sent(exchange["response"]))
        encoded = json.loads(encode_answer(answer))
        assert_within(exchange["response"], encoded, kind.__name__)


# What MLflow's server takes for something else than was sent, and ours refuses by name.
STRICTER = [("step", 1.5), ("step", True), ("step", 2**63), ("value", True), ("experiment_ids", [1])]

# What MLflow's server says and ours leaves out: fields that only language-model traces and jobs have.
LEFT_OUT = {"workspace", "run_uuid", "creator_id"}


def assert_within(theirs: Any, ours: Any, where: str) -> None:
    """Everything that MLflow's server said stands in what we would say, empty things apart."""
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            if name in LEFT_OUT or value in ({}, []):
                continue
            assert name in ours, f"{where}.{name} is lost"
            assert_within(value, ours[name], f"{where}.{name}")
    elif isinstance(theirs, list):
        assert len(theirs) == len(ours), where
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            assert_within(one, other, f"{where}[{index}]")
    elif isinstance(theirs, str) and isinstance(ours, int | float):
        assert float(theirs) == ours, where
    else:
        assert theirs == ours, where
