"""What is told of a project run beside its command: configurations, experiments, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

import millstream
from millstream.entities import RunStatus
from millstream.errors import InvalidValue
from millstream.projects.recording import config_of, experiment_of, finish


def test_configurations_of_backends(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"a": [1]}')
    assert config_of(None) == {}
    assert config_of({"a": 1}) == {"a": 1}
    assert config_of(str(file)) == {"a": [1]}
    assert config_of('{"b": 2}') == {"b": 2}
    for given, said in ((str(tmp_path / "gone.json"), "cannot be read"), ("{", "is no JSON"), ("[1]", "holds list")):
        with pytest.raises(InvalidValue, match=said):
            config_of(given)


def test_experiments_by_name_and_id(tracking: Path) -> None:
    uri = str(tracking / "runs")
    made = experiment_of(uri, "new", None)
    assert experiment_of(uri, "new", None) == made
    assert experiment_of(uri, None, made) == made
    assert experiment_of(uri, None, None) == "0"
    millstream.set_experiment("chosen")
    assert experiment_of(uri, None, None) == experiment_of(uri, "chosen", None)
    millstream.delete_experiment(made)
    with pytest.raises(InvalidValue, match="is deleted and cannot take runs"):
        experiment_of(uri, "new", None)


@pytest.mark.parametrize(
    ("said", "ended", "expected"),
    [("RUNNING", RunStatus.FINISHED, "FINISHED"), ("RUNNING", RunStatus.KILLED, "KILLED"),
     ("FAILED", RunStatus.FINISHED, "FAILED"), ("KILLED", RunStatus.FAILED, "KILLED"),
     ("FINISHED", RunStatus.FINISHED, "FINISHED"), ("FINISHED", RunStatus.FAILED, "FAILED")],
)
def test_what_the_program_said_and_how_its_command_ended(tracking: Path, said: str, ended: int, expected: str) -> None:
    client = millstream.MlflowClient()
    run_id = client.create_run("0").info.run_id
    if said != "RUNNING":
        client.set_terminated(run_id, said)
    assert RunStatus.to_string(finish(str(tracking / "runs"), run_id, ended)) == expected
    assert client.get_run(run_id).info.status == expected
