"""A batch job: its file, its times, its executions as runs, and what happens when it was not there in time."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import millstream
import millstream.sklearn
from millstream.cli import main
from millstream.errors import Conflict, InvalidValue, NotFound, SchemaMismatch
from millstream.inference import delta
from millstream.inference.batch import BatchJob, Execution, Schedule, execute, read_job
from millstream.inference.batch.execution import _alone
from millstream.inference.batch.following import catch_up, due_now, follow
from tests.isolation import isolated

ROWS = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, 4.0], "y": [3.0, 1.0, 2.0]})
DAY = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        ROWS.to_parquet(tmp_path / "rows.parquet")
        yield tmp_path


@pytest.fixture
def registered(place: Path) -> str:
    """A registered model with an alias, and a second version that has none."""
    for factor in (1.0, 2.0):
        fitted = LinearRegression().fit(ROWS[["x", "y"]], ROWS["x"] * factor)
        millstream.sklearn.log_model(fitted, name="model", input_example=ROWS[["x", "y"]],
                                     registered_model_name="scores")
    millstream.MlflowClient().set_registered_model_alias("scores", "champion", "1")
    return "models:/scores@champion"


def job(model: str, output: str, **others: Any) -> BatchJob:
    return BatchJob(**{"name": "nightly", "model": model, "input": ("rows.parquet",), "output": output,
                       "schedule": "0 12 * * *", **others})


def test_an_execution_is_a_run_that_says_what_it_read_and_wrote(registered: str, place: Path) -> None:
    done = execute(job(registered, "delta:scores", keep=("id",)), DAY)
    assert (done.model_uri, done.rows, done.output, done.output_version) == ("models:/scores/1", 3, "scores", 0)
    written = delta.read_table("scores").to_pandas()
    assert written["id"].tolist() == ["a", "b", "c"] and written["prediction"].tolist() == pytest.approx([1, 2, 4])
    run = millstream.get_run(done.run_id)
    assert run.info.status == "FINISHED" and run.data.metrics["rows"] == 3
    tags = run.data.tags
    assert tags["millstream.batch.model_version"] == "scores/1"
    assert tags["millstream.batch.due"] == "2026-01-05T12:00:00Z"
    assert tags["millstream.output.version"] == "0" and tags["millstream.output.rows"] == "3"
    contexts = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert contexts["inference"].digest == millstream.data.from_file("rows.parquet").digest
    assert json.loads(contexts["output"].source)["delta_table_version"] == 0
    assert [one.model_id for one in run.inputs.model_inputs] == [
        millstream.MlflowClient().get_model_version("scores", "1").model_id]

    millstream.MlflowClient().set_registered_model_alias("scores", "champion", "2")
    assert execute(job(registered, "delta:scores", keep=("id",)), DAY).output_version == 0  # was written already
    later = execute(job(registered, "delta:scores", keep=("id",)), DAY + timedelta(days=1))
    assert (later.model_uri, later.output_version) == ("models:/scores/2", 1)


def test_a_version_of_a_delta_table_is_the_input(registered: str, place: Path) -> None:
    for _ in range(2):
        delta.write_table(ROWS, "customers", partition_by=["id"])
    done = execute(job(registered, "out/", input=("delta:customers",), keep=("id",)), DAY)
    assert done.rows == 6 and done.output_version is None
    assert Path(done.output) == Path("out/2026-01-05T120000Z.parquet")
    assert sorted(pd.read_parquet(done.output)["id"]) == ["a", "a", "b", "b", "c", "c"]
    run = millstream.get_run(done.run_id)
    assert run.data.tags["millstream.batch.input_version"] == "1"
    sources = {one.tags[0].value: json.loads(one.dataset.source) for one in run.inputs.dataset_inputs}
    assert sources["inference"]["delta_table_version"] == 1


def test_an_execution_that_fails_is_a_failed_run_and_leaves_no_output(registered: str, place: Path) -> None:
    ROWS.assign(x="text").to_parquet(place / "rows.parquet")
    with pytest.raises(SchemaMismatch):
        execute(job(registered, "out.parquet"), DAY)
    assert not (place / "out.parquet").exists()
    (run,) = millstream.MlflowClient().search_runs(["0"], "tags.`millstream.batch.job` = 'nightly'")
    assert run.info.status == "FAILED"


def test_no_two_at_once(registered: str) -> None:
    one = job(registered, "out.parquet")
    with _alone(one), pytest.raises(Conflict, match="already"):
        execute(one, DAY)
    assert execute(one, DAY).rows == 3


def test_what_is_due() -> None:
    schedule = Schedule("0 12 * * *")
    times = [DAY + timedelta(days=day) for day in range(4)]
    assert due_now(schedule, None, DAY + timedelta(hours=1)).times == (DAY,)
    assert due_now(schedule, DAY, DAY + timedelta(hours=1)).times == ()
    due = due_now(schedule, DAY, times[3])
    assert (due.times, due.missed) == ((times[3],), 2)
    due = due_now(schedule, DAY, times[3] + timedelta(hours=1), everything=True)
    assert (due.times, due.missed) == (tuple(times[1:]), 0)
    assert schedule.latest(DAY) == DAY and schedule.latest(DAY - timedelta(seconds=1)) == DAY - timedelta(days=1)


def test_times_are_those_of_a_zone_when_clocks_change() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Berlin")
    begin = datetime(2026, 3, 27, 12, tzinfo=timezone.utc)
    found = schedule.between(begin, begin + timedelta(days=3))
    assert [f"{time:%d %H:%M}" for time in found] == ["28 01:30", "29 01:00", "30 00:30"]
    minutes = Schedule("* * * * *").between(DAY, DAY + timedelta(days=30))
    assert len(minutes) == 10_000 and minutes[-1] == DAY + timedelta(days=30)


@pytest.mark.parametrize(("expression", "zone"), [
    ("61 * * * *", "UTC"), ("often", "UTC"), ("* * * * *", "Nowhere/City"),
])
def test_what_is_no_schedule(expression: str, zone: str) -> None:
    with pytest.raises(InvalidValue):
        Schedule(expression, zone)


def test_runs_are_the_memory_of_a_schedule(
    registered: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = job(registered, "delta:scores")
    assert [done.due for done in catch_up(one, DAY + timedelta(hours=1))] == [DAY]
    assert catch_up(one, DAY + timedelta(hours=2)) == []
    (place / "rows.parquet").rename(place / "away.parquet")
    with pytest.raises(NotFound):
        catch_up(one, DAY + timedelta(days=1))
    (place / "away.parquet").rename(place / "rows.parquet")
    (done,) = catch_up(one, DAY + timedelta(days=3))  # the failed one among what was missed
    assert done.due == DAY + timedelta(days=3) and "missed 2 of its times" in caplog.text
    assert millstream.get_run(done.run_id).data.tags["millstream.batch.missed"] == "2"
    assert len(catch_up(one, DAY + timedelta(days=5), everything=True)) == 2


def test_a_job_is_followed_and_a_failure_is_no_end(
    registered: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, done = [DAY - timedelta(seconds=1)], list[Execution]()

    def now() -> datetime:
        clock[0] += timedelta(hours=7)
        if len(done) == 2:
            stop.set()
        if clock[0] > DAY + timedelta(days=2):
            shutil.copy(place / "away.parquet", place / "rows.parquet")
        return clock[0]

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None and timeout <= 60
            return super().wait(0)

    stop = Stop()
    (place / "rows.parquet").rename(place / "away.parquet")
    follow(job(registered, "out/"), told=done.append, now=now, stop=stop)
    assert len(done) == 2 and "The batch job nightly failed" in caplog.text
    statuses = [run.info.status for run in millstream.MlflowClient().search_runs(["0"], order_by=["start_time ASC"])
                if "millstream.batch.due" in run.data.tags]
    assert statuses.count("FINISHED") == 2 and "FAILED" in statuses


def test_a_job_in_a_file(registered: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "jobs").mkdir()
    file = place / "jobs" / "nightly.yaml"
    file.write_text('model: models:/scores@champion\ninput: ../*.parquet\noutput: "delta:../scores"\nkeep: id\n'
                    'schedule: "15 2 * * *"\ntimezone: Europe/Berlin\n')
    told = read_job(file, env_manager=None, mode="overwrite")
    assert told == BatchJob(
        name="nightly", model="models:/scores@champion", input=(f"{place}/jobs/../*.parquet",),
        output=f"delta:{place}/jobs/../scores", mode="overwrite", keep=("id",), schedule="15 2 * * *",
        timezone="Europe/Berlin")
    assert main(["batch", "run", str(file), "--json", "--due", "2026-01-05T12:00:00Z"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["rows"], shown["output_version"], shown["due"]) == (3, 0, "2026-01-05T12:00:00Z")
    assert main(["batch", "schedule", str(file), "--once"]) == 0
    assert "models:/scores/1" in capsys.readouterr().out
    assert main(["batch", "schedule", str(file), "--once"]) == 0
    assert "nothing is due" in capsys.readouterr().err
    for text, said in (("input: x", "names no model"), ("model: m\nwhat: x", "'what'"), ("- a", "no mapping"),
                       ("model: 3", "expected text"), ("model: m\nparams: x", "params")):
        file.write_text(text)
        with pytest.raises(InvalidValue, match=said):
            read_job(file)
    with pytest.raises(NotFound):
        read_job(place / "none.yaml")


def test_a_job_of_options(registered: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "run", "--name", "n", "-m", registered, "-i", "rows.parquet", "-o", "out.csv"]) == 0
    assert len(pd.read_csv("out.csv")) == 3
    for _ in range(2):
        assert main(["batch", "run", "--name", "n", "-m", registered, "-i", "*.parquet", "-o", "out.csv",
                     "--experiment-name", "scores"]) == 0
    experiment = millstream.get_experiment_by_name("scores")
    assert experiment is not None and len(millstream.MlflowClient().search_runs([experiment.experiment_id])) == 2
    assert main(["batch", "run", "--name", "n", "-m", registered]) == 1
    assert "the job has no input" in capsys.readouterr().err
    words = ["--name", "n", "-m", registered, "-i", "rows.parquet", "-o", "o.csv"]
    assert main(["batch", "schedule", *words, "--once"]) == 1
    assert "has no schedule" in capsys.readouterr().err
    assert main(["batch", "run", "--name", "n", "-m", "m", "-i", "i", "-o", "o", "--params", "[1]"]) == 2
    assert main(["batch", "run", "--name", "n", "-m", registered, "-i", "rows.parquet", "-o", "s3://bucket/x/"]) == 1
    for others in ({"mode": "merge"}, {"input": ()}, {"input": ("delta:a", "delta:b")}):
        with pytest.raises(InvalidValue):
            job(registered, "o", **others)
