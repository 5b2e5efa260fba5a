"""Which steps a pipeline has, in which order, and what is said of one that makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import BadPipeline
from millstream.projects.files import EntryPoint, parse
from millstream.projects.pipelines.graph import placed, steps_of

FILE = """
entry_points:
  load:
    command: "python load.py"
    makes: {raw: data/raw.csv, names: ./data/names.txt}
  prepare:
    needs: [load.raw]
    command: "python prepare.py {load.raw} {prepare.clean}"
    makes: {clean: clean}
  report:
    needs: [load]
    command: "python report.py {load.names} '{x.y}' {depth}"
  train:
    needs: [prepare, report]
    parameters: {data: {type: path, default: "{prepare.clean}"}}
    command: "python train.py {data}"
  other:
    command: "python other.py"
"""


def entry_points(text: str = FILE) -> dict[str, EntryPoint]:
    return dict(parse(text).entry_points)


def test_steps_stand_behind_what_they_need() -> None:
    steps = {step.name: step for step in steps_of(entry_points(), "train")}
    assert list(steps) == ["load", "prepare", "report", "train"]
    assert steps["train"].behind == ("prepare", "report")
    assert steps["prepare"].inputs == {("load", "raw"): "data/raw.csv"}
    assert steps["report"].inputs == {("load", "raw"): "data/raw.csv", ("load", "names"): "data/names.txt"}
    assert steps["prepare"].makes == {"clean": "clean"}
    assert [str(need) for need in steps["prepare"].needs] == ["load.raw"]


def test_only_what_the_target_needs_is_looked_at() -> None:
    broken = FILE + "  broken: {command: x, needs: [nobody]}\n"
    assert [step.name for step in steps_of(entry_points(broken), "prepare")] == ["load", "prepare"]


def test_references_become_paths_and_other_braces_stay() -> None:
    steps = {step.name: step for step in steps_of(entry_points(), "train")}
    assert placed(steps["prepare"].entry_point.command, steps["prepare"]) == "python prepare.py data/raw.csv clean"
    assert placed(steps["report"].entry_point.command, steps["report"]) == (
        "python report.py data/names.txt '{x.y}' {depth}")
    assert placed("{prepare.clean}", steps["train"]) == "clean"


@pytest.mark.parametrize(
    ("needs", "command", "makes", "said"),
    [
        ("[nobody]", "x", "{}", "'nobody', and there is no such entry point"),
        ("[load.nothing]", "x", "{}", "output 'nothing' of 'load', which does not make it"),
        ("[train]", "x", "{}", "in a circle: train → train"),
        ("[]", "x {load.raw}", "{}", "does not say that it needs it"),
        ("[load]", "x {load.nothing}", "{}", "output 'nothing' of 'load'"),
        ("[]", "x", "{out: /etc/passwd}", "no place below"),
        ("[]", "x", "{out: a/../../b}", "no place below"),
        ("[]", "x", "{out: .}", "no place below"),
        ("[]", "x", "{'a/b': out}", "no sound name"),
        ("[]", "x", "{one: out, two: out/x}", "in each other's place"),
        ("[load]", "x", "{one: data}", "in each other's place"),
    ],
)
def test_what_makes_no_pipeline(needs: str, command: str, makes: str, said: str) -> None:
    text = f"""
entry_points:
  load: {{command: "x", makes: {{raw: data/raw.csv}}}}
  train: {{command: "{command}", needs: {needs}, makes: {makes}}}
"""
    with pytest.raises(BadPipeline) as caught:
        steps_of(entry_points(text), "train")
    assert said in caught.value.message
    assert caught.value.hint


def test_a_longer_circle_is_shown_whole() -> None:
    text = "entry_points:\n" + "".join(
        f"  {name}: {{command: x, needs: [{needed}]}}\n" for name, needed in (("a", "b"), ("b", "c"), ("c", "b")))
    with pytest.raises(BadPipeline, match="b → c → b"):
        steps_of(entry_points(text), "a")


@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=12))
def test_any_graph_without_a_circle_is_ordered(needs: list[set[int]]) -> None:
    points = {
        f"s{number}": EntryPoint(f"s{number}", "x", needs=tuple(f"s{other}" for other in others if other < number))
        for number, others in enumerate(needs)
    }
    target = f"s{len(needs) - 1}"
    steps = steps_of(points, target)
    seen: set[str] = set()
    for step in steps:
        assert set(step.behind) <= seen
        seen.add(step.name)
    assert steps[-1].name == target


def test_a_very_long_chain_is_no_matter_of_recursion() -> None:
    points = {f"s{n}": EntryPoint(f"s{n}", "x", needs=(f"s{n - 1}",) if n else ()) for n in range(3_000)}
    assert len(steps_of(points, "s2999")) == 3_000
