from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import millstream
from millstream.tracking import late

pytestmark = pytest.mark.usefixtures("tracking")


def test_a_run_tells_its_environment_and_its_experiment_what_that_is() -> None:
    with millstream.start_run() as run:
        pass
    late.wait()
    digest = millstream.get_run(run.info.run_id).data.tags["millstream.environment"]
    facts = json.loads(millstream.get_experiment("0").tags[f"millstream.environment.{digest}"])
    assert facts["python"] == platform.python_version()
    assert "msgspec" in facts["packages"]
    assert "hostname" not in facts
    assert millstream.MlflowClient().list_artifacts(run.info.run_id) == []


def test_one_environment_has_one_digest() -> None:
    assert late.environment() == late.environment()
    runs = []
    for _ in range(3):
        with millstream.start_run() as run:
            runs.append(run.info.run_id)
    late.wait()
    digests = {millstream.get_run(run_id).data.tags["millstream.environment"] for run_id in runs}
    assert digests == {late.environment()[0]}
    tags = [key for key in millstream.get_experiment("0").tags if key.startswith("millstream.environment.")]
    assert len(tags) == 1


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_CAPTURE_ENVIRONMENT", "false")
    with millstream.start_run() as run:
        pass
    late.wait()
    assert "millstream.environment" not in millstream.get_run(run.info.run_id).data.tags
    assert millstream.get_experiment("0").tags == {}


def test_a_run_that_is_gone_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    run = millstream.start_run()
    millstream.MlflowClient().delete_run(run.info.run_id)
    late.wait()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    millstream.restore_run(run.info.run_id)


def test_the_state_of_the_checkout_follows(tracking: Path) -> None:
    code = tracking / "code"
    code.mkdir()
    (code / "train.py").write_text("import millstream\nmillstream.start_run()\n")
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm first"):
        subprocess.run(["git", *words.split()], cwd=code, check=True)
    (code / "train.py").write_text("import millstream\nmillstream.start_run()\n# changed\n")
    assert subprocess.run([sys.executable, "train.py"], cwd=code, timeout=60).returncode == 0
    [run] = millstream.search_runs(output_format="list")
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40
    assert run.data.tags["mlflow.source.git.dirty"].lower() == "true"
    assert run.info.status == "FINISHED"
