from __future__ import annotations

from millstream.entities import Experiment, ExperimentTag, Metric, Param, Run, RunData, RunInfo, RunTag
from millstream.entities.shown import duration, moment

RUN = Run(
    RunInfo(
        "758bf61f", "0", "ada", "FINISHED", 1_795_246_010_000, 1_795_246_014_200, "active", "s3://bucket/0",
        "fast-ox-1",
    ),
    RunData(
        [Metric("loss", 0.123456789, 1, 3), Metric("accuracy", 1.0, 1, 3)], [Param("depth", "3")],
        [RunTag("mlflow.note.content", "first try"), RunTag("mlflow.user", "ada"), RunTag("color", "red")],
    ),
)


def test_a_run_is_a_line_in_a_list_and_a_page_by_itself() -> None:
    assert str([RUN]) == "[<Run fast-ox-1: FINISHED, 2 metrics, 1 param, id 758bf61f>]"
    assert str(RUN) == (
        "Run fast-ox-1\n"
        "  id          758bf61f\n"
        "  experiment  0\n"
        "  status      FINISHED\n"
        "  started     2026-11-21 07:26:50 UTC, took 4.2 s\n"
        "  user        ada\n"
        "  note        first try\n"
        "  metrics     loss 0.123457, accuracy 1\n"
        "  params      depth 3\n"
        "  tags        color red\n"
        "  artifacts   s3://bucket/0"
    )


def test_an_experiment_too() -> None:
    experiment = Experiment("1", "wine", "/data/1", "deleted", [ExperimentTag("team", "a\nb " + "x" * 100)], 0, None)
    assert repr(experiment) == "<Experiment 'wine': id 1, deleted>"
    assert str(experiment) == (
        "Experiment wine\n"
        "  id         1\n"
        "  stage      deleted\n"
        "  created    1970-01-01 00:00:00 UTC\n"
        "  changed    unknown\n"
        f"  tags       team a b {'x' * 55}…\n"
        "  artifacts  /data/1"
    )


def test_long_lists_are_cut() -> None:
    run = Run(RunInfo("a", "0"), RunData(param_list=[Param(f"p{number}", "1") for number in range(20)]))
    assert "p11 1 and 8 more" in str(run)


def test_spans_and_times() -> None:
    assert [duration(value) for value in (0, 1_500, 119_900, 125_000, 3_725_000)] == [
        "0.0 s", "1.5 s", "119.9 s", "2 min 5 s", "1 h 2 min"
    ]
    assert moment(10**18).endswith("ms")
