"""Rules by themselves: their arithmetic, which signatures accept which, and races between people."""

from __future__ import annotations

import json
import math
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millstream.entities.approval import ModelRule, RuleVerdict
from millstream.errors import InvalidValue, MillstreamError, TransitionRefused
from millstream.operations import (
    OWNER,
    ApproveTransitionRequest,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateTransitionRequest,
    GetHolders,
    ListRegistryActivities,
    Principal,
    SearchTransitionRequests,
    SetModelRule,
    TransitionModelVersionStage,
    VerifyRegistryActivities,
)
from millstream.stores import open_store
from millstream.stores.sql.registry.judging import judge
from millstream.stores.sql.registry.signatures import inputs_of, narrowed

finite = st.floats(allow_nan=False, allow_infinity=False)
changes = st.none() | st.floats(0, 1e6)
anything = st.none() | st.floats()


def rule(**fields: Any) -> ModelRule:
    return ModelRule("r", "metric", ["Production"], metric="auc", **fields)


def said(verdict: RuleVerdict) -> tuple[bool, float | None]:
    return verdict.met, verdict.required


@given(st.booleans(), st.none() | finite, changes, changes, anything, anything)
@example(True, None, None, None, math.nan, 1.0)
@example(True, None, None, None, 1.0, math.nan)
@example(False, None, None, None, -math.inf, math.inf)
def test_only_finite_numbers_pass(
    upward: bool, threshold: float | None, absolute: float | None, relative: float | None, value: float | None,
    held: float | None,
) -> None:
    asked = rule(
        greater_is_better=upward, threshold=threshold, min_absolute_change=absolute, min_relative_change=relative
    )
    found = judge(asked, value, "1", held)
    comparing = threshold is None or absolute is not None or relative is not None
    if value is None or not math.isfinite(value):
        assert not found.met and found.value is None
    if comparing and (held is None or not math.isfinite(held)):
        assert not found.met and found.holder_value is None
    for number in (found.value, found.required, found.holder_value):
        assert number is None or not math.isnan(number)


@given(st.booleans(), finite, finite, st.floats(0, 1e6), st.floats(0, 10))
def test_the_arithmetic_is_that_of_the_written_numbers(
    upward: bool, value: float, held: float, absolute: float, relative: float
) -> None:
    asked = rule(greater_is_better=upward, min_absolute_change=absolute, min_relative_change=relative)
    one, other = Decimal(repr(value)), Decimal(repr(held))
    gain = max(Decimal(repr(absolute)), abs(other) * Decimal(repr(relative)))
    expected = one >= other + gain if upward else one <= other - gain
    assert judge(asked, value, "1", held).met is expected


@given(st.booleans(), finite)
def test_the_same_number_is_not_worse(upward: bool, value: float) -> None:
    asked = rule(greater_is_better=upward)
    assert judge(asked, value, "1", value).met
    assert judge(asked, value, None, None).met


@given(st.booleans(), finite, finite, finite)
def test_better_never_fails_where_worse_passes(upward: bool, first: float, second: float, held: float) -> None:
    worse, better = sorted((first, second), reverse=not upward)
    asked = rule(greater_is_better=upward, min_absolute_change=0.5)
    if judge(asked, worse, "1", held).met:
        assert judge(asked, better, "1", held).met


def test_decimals_are_compared_as_they_are_written() -> None:
    # 0.85 - 0.8 is less than 0.05 in binary.
    assert said(judge(rule(min_absolute_change=0.05), 0.85, "1", 0.8)) == (True, 0.85)
    assert said(judge(rule(min_relative_change=0.1), 0.33, "1", 0.3)) == (True, 0.33)
    assert said(judge(rule(min_relative_change=0.1, greater_is_better=False), -1.1, "1", -1.0)) == (True, -1.1)
    assert said(judge(rule(threshold=0.9, min_absolute_change=0.0), 0.85, "1", 0.8)) == (False, 0.9)
    assert said(judge(rule(threshold=0.5), 0.85, "1", 0.9)) == (True, 0.5)


def column(kind: str, name: str | None = "a", **more: Any) -> dict[str, Any]:
    return {"type": kind, **({} if name is None else {"name": name}), "required": True, **more}


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}


ANY_COLUMN = column("any")
LIST, MAP = column("array", items={"type": "integer"}), column("map", values={"type": "float"})
PERSON = column("object", properties={"age": {"type": "integer", "required": True}})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([column("integer")], [column("long")]),
        ([column("integer")], [column("double")]),
        ([column("float")], [column("double")]),
        ([column("string")], [ANY_COLUMN]),
        ([column("string")], [column("string", required=False)]),
        ([column("string"), column("long", "b")], [column("long", "b")]),
        ([column("string")], [column("long", "b", required=False)]),
        ([column("string"), column("long", "b")], [column("long", "b"), column("string")]),
        ([column("float", None), column("string", None)], [column("double", None), column("string", None)]),
        ([LIST], [column("array", items={"type": "long"})]),
        ([MAP], [column("map", values={"type": "double"})]),
        ([PERSON], [column("object", properties={
            "age": {"type": "long", "required": False}, "job": {"type": "string", "required": False}})]),
        ([tensor("float32", 3, 4)], [tensor("float32", -1, 4)]),
        ([{"type": "string", "name": "a", "optional": True}], [column("string", required=False)]),
    ],
)
def test_what_takes_at_least_as_much(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    assert narrowed(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ([column("long")], [column("integer")], "takes integer, it took long"),
        ([column("long")], [column("double")], "takes double, it took long"),  # beyond 2^53 a double is not exact
        ([column("integer")], [column("float")], "takes float, it took integer"),
        ([ANY_COLUMN], [column("string")], "takes string, it took any"),
        ([column("string", required=False)], [column("string")], "is required now"),
        ([column("string")], [column("string"), column("string", "b")], "'b' is new and required"),
        ([column("long", None)], [column("long")], "names in one"),
        ([column("long", None)], [column("long", None), column("long", None)], "2 columns are needed, 1 are sent"),
        ([LIST], [column("array", items={"type": "string"})], "items of the column 'a' takes string"),
        ([PERSON], [column("object", properties={})], "has no property 'age' any more"),
        ([PERSON], [column("object", properties={
            "age": {"type": "integer", "required": True}, "job": {"type": "string", "required": True}})],
         "the property 'job' of the column 'a' is required now"),
        ([tensor("float32", -1, 4)], [tensor("float32", 3, 4)], "takes the shape [3, 4], it took [-1, 4]"),
        ([tensor("float32", -1)], [tensor("float64", -1)], "takes float64, it took float32"),
        ([tensor("float32", -1)], [tensor("float32", -1, 2)], "shape"),
        ([column("double", None)], [tensor("float64", -1)], "column 0 is tensor, it was double"),
    ],
)
def test_what_takes_less(old: list[dict[str, Any]], new: list[dict[str, Any]], reason: str) -> None:
    (found,) = narrowed(old, new)
    assert reason in found


def test_inputs_are_read_in_both_forms() -> None:
    columns = [column("long")]
    assert inputs_of(json.dumps({"inputs": json.dumps(columns)})) == columns
    assert inputs_of(json.dumps({"inputs": columns})) == columns
    assert inputs_of(json.dumps({"inputs": None, "outputs": "[]"})) is None
    for wrong in ("[", '"x"', '{"inputs": 3}', '{"inputs": [3]}', '{"inputs": "[[]]"}', "[" * 100_000):
        with pytest.raises(InvalidValue, match="signature"):
            inputs_of(wrong)


def test_with_one_user_the_refusal_says_what_to_set(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", "s3://bucket/1"))
        store.execute(SetModelRule("loan", ModelRule("four eyes", "approvals", ["Production"])))
        store.execute(CreateTransitionRequest("loan", "1", "Production"))
        for operation in (
            ApproveTransitionRequest("loan", "1", "Production"), TransitionModelVersionStage("loan", "1", "Production")
        ):
            with pytest.raises(TransitionRefused, match="four eyes: 0 of 1") as caught:
                store.execute(operation)
            assert "everybody is the same user here" in str(caught.value.hint)
            assert "--user-header" in str(caught.value.hint)
        with pytest.raises(TransitionRefused) as caught:
            store.execute(TransitionModelVersionStage("loan", "1", "Production"), Principal("anna"))
        assert "let somebody else approve it" in str(caught.value.hint)


def test_of_approvals_at_once_one_carries_it_out(tmp_path: Path, postgres_uri: str) -> None:
    names = ["ben", "carl", "dora", "emil"]
    with open_store(postgres_uri, str(tmp_path)) as first, open_store(postgres_uri, str(tmp_path)) as second:
        first.execute(CreateRegisteredModel("loan"))
        first.execute(CreateModelVersion("loan", "s3://bucket/1"))
        first.execute(SetModelRule("loan", ModelRule("r", "approvals", ["Production"], approvals=2)))
        first.execute(CreateTransitionRequest("loan", "1", "Production"), Principal("anna"))
        refused: list[MillstreamError] = []
        gate = threading.Barrier(len(names))

        def approve(index: int) -> None:
            gate.wait(30)
            try:
                (first, second)[index % 2].execute(
                    ApproveTransitionRequest("loan", "1", "Production"), Principal(names[index])
                )
            except MillstreamError as error:
                refused.append(error)

        threads = [threading.Thread(target=approve, args=(index,)) for index in range(len(names))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [type(error).__name__ for error in refused] == ["TransitionRequestNotFound"] * 2
        kinds = [one.kind for one in first.execute(ListRegistryActivities("loan")).activities]
        assert kinds[:3] == [
            "model_version.transitioned", "transition_request.approved", "transition_request.endorsed"
        ]
        assert len(first.execute(SearchTransitionRequests("loan")).requests[0].approved_by) == 2
        assert first.execute(GetHolders("loan", "Production")).versions == ["1"]
        assert first.execute(VerifyRegistryActivities("loan"), OWNER).intact
