"""Projects as Spark applications: the words of spark-submit, and a real one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from millstream.errors import EnvironmentFailed, InvalidValue, NotSupported
from millstream.projects.backends import find
from millstream.projects.backends.spark import command_of
from millstream.projects.files import ProjectFile
from millstream.projects.loopback import served
from millstream.tracking import stores
from tests.unit.projects.backends import jobs

SERVER = "http://millstream.example:5000"


def words(tracking: Path, *argv: str, config: Mapping[str, Any] | None = None, **fields: Any) -> list[str]:
    given = {"command": argv} if argv else {}
    job = jobs.job(jobs.project(tracking / "p"), *given.values(), config=config, file=ProjectFile("Loan"), **fields)
    return command_of(job, "spark-submit")[1:]


class TestCommand:
    def test_a_python_command_is_an_application(self, tracking: Path) -> None:
        for argv in (("python", "a.py", "x y"), ("/usr/bin/python3.11", "-u", "a.py", "x y"), ("a.py", "x y")):
            assert words(tracking, *argv) == ["--name", "Loan", "a.py", "x y"]

    def test_options_come_from_the_configuration(self, tracking: Path) -> None:
        config = {"master": "local[2]", "py-files": ["lib.zip", "x.py"], "packages": "a:b:1,c:d:2",
                  "executor-memory": "2g", "num-executors": 4,
                  "conf": {"spark.ui.enabled": False, "spark.app.name": "Mine", "a.b": "x = y"}}
        assert words(tracking, config=config) == [
            "--master", "local[2]", "--executor-memory", "2g", "--num-executors", "4", "--packages", "a:b:1,c:d:2",
            "--py-files", "lib.zip,x.py", "--conf", "spark.ui.enabled=false", "--conf", "spark.app.name=Mine",
            "--conf", "a.b=x = y", "train.py", "0.5",
        ]

    def test_a_command_of_spark_submit_keeps_its_own_options(self, tracking: Path) -> None:
        assert words(tracking, "spark-submit", "--conf", "a=b", "a.py", "1", config={"master": "local[1]"}) == [
            "--master", "local[1]", "--name", "Loan", "--conf", "a=b", "a.py", "1"]

    @pytest.mark.parametrize("argv", [("bash", "-c", "python a.py | tee x"), ("python", "-m", "a"), ("python",)])
    def test_what_is_no_script_is_refused(self, tracking: Path, argv: tuple[str, ...]) -> None:
        with pytest.raises(InvalidValue, match="no Python script") as caught:
            words(tracking, *argv)
        assert "python script.py" in str(caught.value.hint)

    def test_programs_in_a_cluster_are_told_of_the_run(self, tracking: Path) -> None:
        near = words(tracking, config={"master": "spark://h:7077"}, variables={"MLFLOW_RUN_ID": "r"})
        assert "spark.executorEnv.MLFLOW_RUN_ID=r" in near
        for master, prefix in (("yarn", "spark.yarn.appMasterEnv"), ("k8s://https://h", "spark.kubernetes.driverEnv")):
            with pytest.raises(InvalidValue, match="on this machine, where the job does not run"):
                words(tracking, config={"master": master, "deploy-mode": "cluster"})
            run = {"MLFLOW_RUN_ID": "r"}
            job = jobs.job(jobs.project(tracking / "p"), config={"master": master, "deploy-mode": "cluster"},
                           variables=run)
            far = command_of(jobs.told_of(job, SERVER), "spark-submit")
            assert {f"{prefix}.MLFLOW_RUN_ID=r", "spark.executorEnv.MLFLOW_RUN_ID=r"} <= set(far)

    def test_a_standalone_cluster_takes_no_python(self, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), config={"master": "spark://h:7077", "deploy-mode": "cluster"})
        with pytest.raises(NotSupported, match="takes no Python programs"):
            command_of(jobs.told_of(job, SERVER), "spark-submit")

    def test_a_program_that_is_not_there(self, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), config={"spark-submit": "/nowhere/spark-submit"})
        with pytest.raises(EnvironmentFailed, match="/nowhere/spark-submit is no program"):
            find("spark").submit(job)


class TestCancelling:
    @pytest.mark.parametrize(("master", "said", "killed"), [
        ("yarn", "Submitted application application_17_0042", ["yarn", "application", "-kill", "application_17_0042"]),
        ("k8s://https://h", "pod name: loan-driver\n  namespace: team",
         ["spark-submit", "--kill", "team:loan-driver", "--master", "k8s://https://h"]),
    ])
    def test_the_application_in_the_cluster_is_ended_too(
        self, tracking: Path, monkeypatch: pytest.MonkeyPatch, master: str, said: str, killed: list[str]
    ) -> None:
        programs, log = tracking / "programs", tracking / "calls"
        programs.mkdir()
        for name in ("yarn", "spark-submit"):
            (programs / name).write_text(
                f"#!{sys.executable}\nimport json, sys, time\n"
                f"open({str(log)!r}, 'a').write(json.dumps([{name!r}, *sys.argv[1:]]) + '\\n')\n"
                f"if not {{'--kill', '-kill'}} & set(sys.argv):\n    print({said!r}, flush=True)\n    time.sleep(100)\n"
            )
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        with served(stores.get_tracking_uri()) as server:
            job = jobs.job(jobs.project(tracking / "p"), tracking_uri=server, config={
                "master": master, "deploy-mode": "cluster", "spark-submit": str(programs / "spark-submit"),
            })
            run = find("spark").submit(job)
            assert next(run.logs()) == said.splitlines()[0]
            run.cancel()
            assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")
        calls = [json.loads(line) for line in log.read_text().splitlines()]
        assert [Path(word).name if word.endswith("submit") else word for word in calls[-1]] == killed


@pytest.mark.spark
@pytest.mark.slow
class TestSpark:
    def test_a_real_one_runs_the_project(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SPARK_HOME", raising=False)
        folder = jobs.project(tracking / "p", """\
import sys
from pyspark.sql import SparkSession
import rates
import millstream
spark = SparkSession.builder.getOrCreate()
with millstream.start_run() as run:
    millstream.log_metric("rows", spark.range(int(sys.argv[1])).count())
    millstream.log_param("name", spark.sparkContext.appName)
    millstream.log_param("rate", rates.RATE)
""")
        (tracking / "rates.py").write_text("RATE = 0.5\n")
        config = {"master": "local[1]", "name": "loan default", "py-files": [str(tracking / "rates.py")], "conf": {
            "spark.ui.enabled": False, "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        }}
        job = jobs.job(folder, ("python", "train.py", "1000"), config=config)
        run = find("spark").submit(job)
        assert run.wait(200), run.failure()
        kept = jobs.run_of(job)
        assert kept.info.status == "FINISHED" and kept.data.metrics == {"rows": 1000.0}
        assert kept.data.params == {"name": "loan default", "rate": "0.5"}
