"""The commands, as people and scripts type them: data on stdout, words on stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from millstream.entities import Metric, Param, RunTag
from millstream.operations import (
    CreateExperiment,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRun,
    LogBatch,
    UpdateRun,
)
from millstream.stores import open_store

T0 = 1_600_000_000_000


class Shell:
    """A folder in which commands run; their store is ./mlruns unless they say otherwise."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.status: int | None = None
        self.said: list[str] = []

    def run(self, *words: str, status: int = 0, **environment: str) -> str:
        """The stdout of a command; ``said`` has the lines of its stderr."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "millstream", *words], cwd=self.place,
            env={**clean, "MILLSTREAM_OUTBOX_DIR": str(self.place / "outbox"), **environment}, capture_output=True,
            text=True, check=False,
        )
        self.said = done.stderr.splitlines()
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout

    def lines(self, *words: str) -> list[list[str]]:
        """The cells of a printed table, split at white space."""
        return [line.split() for line in self.run(*words).splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def runs(shell: Shell) -> list[str]:
    """Two ended runs of experiment 1, "first": what they share and where they differ."""
    ids = []
    with open_store(str(shell.place / "mlruns")) as store:
        experiment = store.execute(CreateExperiment("first")).experiment_id
        for number in range(2):
            info = store.execute(CreateRun(experiment, "zoë", f"run-{number}", T0 + number)).run.info
            store.execute(LogBatch(
                info.run_id, [Metric("loss", 0.25 + number, T0, 1), Metric("same", 1.0, T0, 1)],
                [Param("depth", str(number)), Param("seed", "7")], [RunTag("team", "red, \"blue\"")],
            ))
            store.execute(UpdateRun(info.run_id, "FINISHED", T0 + 1_000))
            ids.append(info.run_id)
    return ids


def test_experiments(shell: Shell) -> None:
    assert shell.run("experiments", "create", "-n", "first") == "Created experiment 'first' with id 1\n"
    made = json.loads(shell.run("experiments", "create", "-n", "second ä", "-l", "s3://bucket/x", "--json"))
    assert made == {"experiment_id": "2", "name": "second ä"}
    assert shell.lines("experiments", "search") == [
        ["Experiment", "Id", "Name", "Artifact", "Location"],
        ["0", "Default", f"{shell.place}/mlruns/0"],
        ["1", "first", f"{shell.place}/mlruns/1"],
        ["2", "second", "ä", "s3://bucket/x"],
    ]
    shell.run("experiments", "rename", "-x", "1", "--new-name", "renamed")
    assert shell.said == ["experiment 1 is called 'renamed' now"]
    shell.run("experiments", "delete", "-x", "2")
    assert shell.said == ["experiment 2 is in the trash"]
    assert [row[0] for row in shell.lines("experiments", "search")[1:]] == ["0", "1"]
    assert [row[0] for row in shell.lines("experiments", "search", "-v", "deleted_only")[1:]] == ["2"]
    found = json.loads(shell.run("experiments", "search", "--view", "all", "--filter", "name LIKE 're%'", "--json"))
    assert [(one["name"], one["lifecycle_stage"], one["tags"]) for one in found] == [("renamed", "active", {})]
    assert len(shell.lines("experiments", "search", "-v", "ALL", "--max-results", "2")) == 3
    shell.run("experiments", "restore", "-x", "2")
    found = json.loads(shell.run("experiments", "get", "-n", "second ä", "--output", "json"))
    assert found["lifecycle_stage"] == "active"
    shown = shell.run("experiments", "get", "-x", "1").splitlines()
    assert shown[:4] == [
        "Experiment ID      : 1", "Name               : renamed", f"Artifact Location  : {shell.place}/mlruns/1",
        "Lifecycle Stage    : active",
    ]


def test_csv(shell: Shell, runs: list[str]) -> None:
    place = f"{shell.place}/mlruns/1"
    expected = [
        "run_id,experiment_id,status,artifact_uri,start_time,end_time,metrics.loss,metrics.same,params.depth,"
        "params.seed,tags.mlflow.runName,tags.team",
        f"{runs[1]},1,FINISHED,{place}/{runs[1]}/artifacts,2020-09-13 12:26:40.001+00:00,2020-09-13 12:26:41+00:00,"
        '1.25,1.0,1,7,run-1,"red, ""blue"""',
        f"{runs[0]},1,FINISHED,{place}/{runs[0]}/artifacts,2020-09-13 12:26:40.000+00:00,2020-09-13 12:26:41+00:00,"
        '0.25,1.0,0,7,run-0,"red, ""blue"""',
    ]
    assert shell.run("experiments", "csv", "-x", "1").splitlines() == expected
    assert shell.run("experiments", "csv", "-x", "1", "-o", "runs.csv") == ""
    assert shell.said == ["2 runs of experiment 1 are in runs.csv"]
    assert (shell.place / "runs.csv").read_text().splitlines() == expected
    shell.run("experiments", "csv", "-x", "1", "-o", "no/where.csv", status=1)
    assert shell.said == [
        "error: cannot write no/where.csv: No such file or directory", "", "hint: name a file in a folder that is there"
    ]


def test_runs(shell: Shell, runs: list[str]) -> None:
    assert shell.lines("runs", "list", "--experiment-id", "1") == [
        ["Date", "Name", "ID", "Status"],
        ["2020-09-13", "12:26:40", "UTC", "run-1", runs[1], "FINISHED"],
        ["2020-09-13", "12:26:40", "UTC", "run-0", runs[0], "FINISHED"],
    ]
    listed = json.loads(shell.run("runs", "list", "-x", "1", "--filter", "metrics.loss < 1", "--json"))
    assert [run["info"]["run_id"] for run in listed] == [runs[0]]
    described = json.loads(shell.run("runs", "describe", "--run-id", runs[0]))
    assert described["data"]["params"] == {"depth": "0", "seed": "7"}
    assert described["info"]["user_id"] == "zoë"
    assert shell.lines("runs", "compare", "--run-id", runs[0], "--run-id", runs[1]) == [
        ["run-0", "run-1"], ["run_id", *runs], ["status", "FINISHED", "FINISHED"],
        ["metrics.loss", "0.25", "1.25"], ["params.depth", "0", "1"], ["tags.mlflow.runName", "run-0", "run-1"],
    ]
    compared = json.loads(shell.run("runs", "compare", "--run-id", runs[0], "--run-id", runs[1], "--all", "--json"))
    assert {"key": "params.seed", "values": {runs[0]: "7", runs[1]: "7"}} in compared
    shell.run("runs", "delete", "--run-id", runs[0])
    assert shell.said == [f"run {runs[0]} is in the trash"]
    assert len(shell.lines("runs", "list", "-x", "1")) == 2
    assert shell.lines("runs", "list", "-x", "1", "-v", "deleted_only")[1][-2:] == ["FINISHED", "(deleted)"]
    shell.run("runs", "restore", "--run-id", runs[0])
    shell.run("runs", "move", "--run-id", runs[0], "--run-id", runs[1], "-x", "0")
    assert shell.said == ["2 of 2 runs were moved to experiment 0"]
    assert len(shell.lines("runs", "list", "-x", "0")) == 3


def test_a_run_made_by_hand(shell: Shell) -> None:
    made = json.loads(shell.run(
        "runs", "create", "--experiment-name", "notes", "--run-name", "baseline", "-t", "env=prod", "-t", "eq=a=b",
        "--description", "by hand", "--status", "failed",
    ))
    assert {name: made[name] for name in ("experiment_id", "status", "run_name")} == {
        "experiment_id": "1", "status": "FAILED", "run_name": "baseline",
    }
    child = json.loads(shell.run("runs", "create", "--experiment-id", "1", "--parent-run-id", made["run_id"]))
    described = json.loads(shell.run("runs", "describe", "--run-id", made["run_id"]))
    tags = described["data"]["tags"]
    assert (tags["env"], tags["eq"], tags["mlflow.note.content"]) == ("prod", "a=b", "by hand")
    assert described["info"]["end_time"] >= described["info"]["start_time"]
    described = json.loads(shell.run("runs", "describe", "--run-id", child["run_id"]))
    assert described["data"]["tags"]["mlflow.parentRunId"] == made["run_id"]


def test_artifacts(shell: Shell, runs: list[str]) -> None:
    (shell.place / "in" / "deep").mkdir(parents=True)
    (shell.place / "in" / "deep" / "a b.txt").write_text("deep")
    (shell.place / "in" / "top.txt").write_text("top")
    shell.run("artifacts", "log-artifacts", "-l", "in", "-r", runs[0])
    shell.run("artifacts", "log-artifact", "-l", "in/top.txt", "-r", runs[0], "-a", "again")
    assert json.loads(shell.run("artifacts", "list", "-r", runs[0])) == [
        {"path": "again", "is_dir": True}, {"path": "deep", "is_dir": True},
        {"path": "top.txt", "is_dir": False, "file_size": 3},
    ]
    assert json.loads(shell.run("artifacts", "list", "-r", runs[0], "-a", "deep")) == [
        {"path": "deep/a b.txt", "is_dir": False, "file_size": 4}
    ]
    whole = Path(shell.run("artifacts", "download", "-r", runs[0], "-d", "out").strip())
    assert whole == shell.place / "out"
    assert sorted(str(path.relative_to(whole)) for path in whole.rglob("*.txt")) == [
        "again/top.txt", "deep/a b.txt", "top.txt"
    ]
    one = shell.run("artifacts", "download", "-u", f"runs:/{runs[0]}/deep/a b.txt")
    assert Path(one.rstrip("\n")).read_text() == "deep"
    shell.run("artifacts", "delete", "-r", runs[0], "-a", "again")
    assert [entry["path"] for entry in json.loads(shell.run("artifacts", "list", "-r", runs[0]))] == ["deep", "top.txt"]
    shell.run("artifacts", "delete", "-r", runs[0], "--all")
    assert json.loads(shell.run("artifacts", "list", "-r", runs[0])) == []
    shell.run("artifacts", "delete", "-r", runs[0], "-a", "again", status=1)
    assert shell.said[0].startswith("error: no artifact at 'again'")


def test_database_upgrade(shell: Shell, runs: list[str]) -> None:
    shell.run("db", "upgrade", "mlruns")
    (said,) = shell.said
    assert said.startswith(f"sqlite:///{shell.place}/mlruns/millstream.db has the tables of revision ")
    assert said.endswith(" already")
    shell.run("db", "upgrade", "sqlite:///none.db", status=1)
    assert shell.said[0] == "error: there is no database at sqlite:///none.db"
    assert not (shell.place / "none.db").exists()


def test_doctor(shell: Shell, runs: list[str]) -> None:
    shown = shell.run("doctor", MLFLOW_TRACKING_PASSWORD="secret", MLFLOW_EXPERIMENT_NAME="mine")
    assert shell.said == ["all is well"]
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.split()}
    assert rows["Store"] == ["answers"]
    assert (rows["MLFLOW_TRACKING_PASSWORD"], rows["MLFLOW_EXPERIMENT_NAME"]) == (["***"], ["mine"])
    found = json.loads(shell.run("doctor", "--json", "--mask-envs", MLFLOW_EXPERIMENT_NAME="mine"))
    assert found["environment variables"]["MLFLOW_EXPERIMENT_NAME"] == "***"
    assert found["outbox"]["left behind"] == "0 entries"
    assert found["amiss"] == []


def test_doctor_looks_without_touching(shell: Shell) -> None:
    shell.run("doctor")
    assert not (shell.place / "mlruns").exists()


def test_doctor_says_what_to_do(shell: Shell) -> None:
    shell.run("doctor", status=1, MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert shell.said[0].startswith("amiss: the store at http://127.0.0.1:9 does not answer")


def test_sync_with_nothing_to_send(shell: Shell) -> None:
    assert shell.run("sync") == ""
    assert shell.said == [f"nothing waits in {shell.place}/outbox"]
    assert shell.run("sync", "--dry-run") == ""
    assert json.loads(shell.run("sync", "--json"))["sent"] == []


def test_sync_sends_what_a_killed_program_left(shell: Shell) -> None:
    """The program dies while its store cannot be reached."""
    program = """
import os, signal, millstream
with millstream.start_run() as run:
    print(run.info.run_id, flush=True)
    os.rename("mlruns", "away")
    os.symlink("/dev/null", "mlruns")
    for step in range(1000):
        millstream.log_metric("m", step, step=step)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
    died = subprocess.run(
        [sys.executable, "-c", program], cwd=shell.place, capture_output=True, text=True, check=False,
        env={**clean, "MILLSTREAM_OUTBOX_DIR": str(shell.place / "outbox"), "MILLSTREAM_TRACKING_URI": "mlruns"},
    )
    run_id = died.stdout.strip()
    assert died.returncode == -9 and run_id, died.stderr
    (shell.place / "mlruns").unlink()
    (shell.place / "away").rename(shell.place / "mlruns")
    waiting = json.loads(shell.run("sync", "--dry-run", "--json"))
    assert [one["run_id"] for one in waiting] == [run_id]
    shell.run("doctor", status=1)
    assert shell.said[-1].endswith("of 1 run were left behind by programs that ended; send them with `millstream sync`")
    rows = shell.lines("sync")
    assert rows[0] == ["Run", "Store", "Metrics", "Params", "Tags", "Changes"]
    assert (rows[1][0], rows[1][2]) == (run_id, "1000")
    assert json.loads(shell.run("runs", "describe", "--run-id", run_id))["data"]["metrics"]["m"] == 999.0
    assert shell.run("sync") == ""


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["experiments", "get", "-x", "99"], 1, ["error: No Experiment with id=99 exists"]),
        (["experiments", "get"], 2,
         ["error: name the experiment by --experiment-id or by --experiment-name, not both", "",
          "hint: `millstream experiments get --help` lists what it takes"]),
        (["experiments", "create"], 2,
         ["error: Missing option '-n' / '--experiment-name'.", "",
          "hint: `millstream experiments create --help` lists what it takes"]),
        (["runs", "list", "-x", "99"], 1, ["error: No Experiment with id=99 exists"]),
        (["runs", "describe", "--run-id", "nothing"], 1, ["error: Run with id=nothing not found"]),
        (["runs", "compare", "--run-id", "one"], 2,
         ["error: name two or more runs, each with --run-id", "",
          "hint: `millstream runs compare --help` lists what it takes"]),
        (["runs", "create", "--experiment-id", "0", "-t", "novalue"], 1,
         ["error: Invalid value \"novalue\" for parameter '--tags' supplied: a tag is written KEY=VALUE"]),
        (["artifacts", "download"], 2,
         ["error: say what to fetch by --run-id or by --artifact-uri, not both", "",
          "hint: `millstream artifacts download --help` lists what it takes"]),
        (["gc", "--older-than", "soon"], 1,
         ["error: Invalid value \"soon\" for parameter '--older-than' supplied: it is no span of time", "",
          "hint: write days, hours, minutes and seconds such as 30d, 1d12h or 1.5h"]),
        (["rnus"], 2, ["error: there is no command 'rnus'; did you mean 'runs'?", "",
                       "hint: `millstream --help` lists what it takes"]),
    ],
)
def test_wrong_input(words: list[str], status: int, said: list[str], shell: Shell) -> None:
    assert shell.run(*words, status=status) == ""
    assert shell.said == said


def test_a_taken_name_says_the_next_step(shell: Shell, runs: list[str]) -> None:
    shell.run("experiments", "create", "-n", "first", status=1)
    assert shell.said[0] == "error: Experiment(name=first) already exists."
    assert shell.said[2].startswith("hint: ")


def test_help_lists_every_command(shell: Shell) -> None:
    shown = shell.run("--help")
    for name in ("artifacts", "db", "doctor", "experiments", "gc", "import", "runs", "server", "sync", "ui"):
        assert f"\n  {name} " in shown


def test_registry(shell: Shell) -> None:
    with open_store(str(shell.place / "mlruns")) as store:
        store.execute(CreateRegisteredModel("loan model"))
        for number in range(3):
            store.execute(CreateModelVersion("loan model", f"s3://bucket/{number}"))
    promote = ("registry", "promote", "loan model")
    told = shell.run(*promote, "1", "--stage", "production")
    assert told == "Version 1 of loan model holds the stage Production\n"
    shell.run(*promote, "2", "--stage", "Production")
    shell.run(*promote, "3", "--alias", "champion")
    assert shell.lines("registry", "list")[1][:9] == [
        "loan", "model", "Archived", "1,", "Production", "2,", "None", "3", "champion"
    ]
    (listed,) = json.loads(shell.run("registry", "list", "--filter", "name LIKE 'loan%'", "--json"))
    assert [one["version"] for one in listed["latest_versions"]] == ["1", "2", "3"]
    described = json.loads(shell.run("registry", "describe", "loan model", "--json"))
    assert [(one["version"], one["current_stage"]) for one in described["versions"]] == [
        ("3", "None"), ("2", "Production"), ("1", "Archived")
    ]
    assert "champion" in shell.run("registry", "describe", "loan model")
    assert "s3://bucket/1" in shell.run("registry", "describe", "loan model", "2")
    history = json.loads(shell.run("registry", "history", "loan model", "--json"))
    assert [one["sequence"] for one in history] == [7, 6, 5, 4, 3, 2, 1]
    assert (history[1]["before"], history[1]["after"], history[1]["others"]) == ("None", "Production", ["1"])
    rows = shell.lines("registry", "history", "loan model", "--version", "3")
    assert [row[4] for row in rows[1:]] == ["7:", "4:"]
    back = ("registry", "rollback", "loan model", "--stage", "Production")
    assert shell.run(*back) == "Version 1 of loan model holds the stage Production\n"
    assert shell.run(*back) == "No version of loan model holds the stage Production\n"
    shell.run(*back, status=1)
    assert shell.said[0].startswith("error: nothing has changed")
    held = ("registry", "history", "loan model", "--alias", "champion")
    assert json.loads(shell.run(*held, "--json")) == ["3"]
    assert shell.run(*held, "--at", "2020-01-01").endswith("at 2020-01-01 00:00:00 UTC\n")
    shell.run(*held, "--at", "yesterday", status=2)
    shell.run(*promote, "1", status=2)
    assert shell.run("registry", "history", "loan model", "--verify") == ""
    assert shell.said == ["all 9 activities of loan model are as they were written"]
    shell.run("registry", "describe", "nobody", status=1)
    assert "nobody" in shell.said[0]
