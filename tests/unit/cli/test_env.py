"""``millstream env``: environments listed, found and removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.environments import building
from millstream.environments.building import Built, Environment, build, built
from millstream.models import manifest
from tests.unit.environments.wheels import wheel


def run(words: list[str]) -> int:
    """The exit status of a command."""
    try:
        return main(words)
    except SystemExit as stopped:
        assert isinstance(stopped.code, int)
        return stopped.code


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Built]:
    """Two environments; the second was used last, forty days ago, the first sixty."""
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
    made = []
    for days, version in ((60, "1.0"), (40, "2.0")):
        wheel(tmp_path / "shelf", "beam", version)
        lines = ("--extra-index-url https://me:secret@example.org/x", "--no-index",
                 f"--find-links {tmp_path / 'shelf'}", f"beam=={version}")
        made.append(build(Environment(requirements=lines, build=())))
        used = time.time() - days * 86_400
        os.utime(made[-1].path / ".last-used", (used, used))
    return made


def test_they_are_listed_with_the_one_used_last_first(
    environments: list[Built], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["env", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["key"] for one in listed] == [environments[1].key, environments[0].key]
    assert listed[0]["path"] == str(environments[1].path)
    assert "beam==2.0" in listed[0]["requirements"]
    assert listed[0]["bytes"] > 0
    assert "--extra-index-url https://…@example.org/x" in listed[0]["requirements"]
    assert run(["env", "list"]) == 0
    shown = capsys.readouterr().out
    assert "beam==1.0" in shown and "secret" not in shown


def test_none_are_listed_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "none"))
    assert run(["env", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["env", "gc"]) == 0
    assert run(["env", "path"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'none'}\n"


def test_those_that_were_not_used_for_long_are_removed(
    environments: list[Built], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["env", "gc", "--older-than", "50d", "--dry-run"]) == 0
    assert len(built()) == 2
    assert "would remove 1 environment," in capsys.readouterr().err
    assert run(["env", "gc", "--older-than", "50d"]) == 0
    assert built() == [environments[1]]
    assert environments[0].key in capsys.readouterr().err
    assert run(["env", "gc"]) == 0
    assert built() == []


def test_one_in_use_stays_and_is_told(environments: list[Built], capsys: pytest.CaptureFixture[str]) -> None:
    with environments[0].in_use():
        assert run(["env", "gc", "--older-than", "0s"]) == 1
    assert f"{environments[0].key} stays" in capsys.readouterr().err
    assert built() == [environments[0]]


def test_what_is_no_span_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "gc", "--older-than", "long"]) == 1
    assert "span of time" in capsys.readouterr().err


def test_the_environment_of_a_model_is_named_and_built_when_asked(
    tmp_path: Path, environments: list[Built], capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: x\n    env: {}\n")
    wheel(tmp_path / "shelf", "pandas", "1.0")
    (model / "requirements.txt").write_text(f"--find-links {tmp_path / 'shelf'}\nbeam==1.0\npandas==1.0\n")
    (model / "python_env.yaml").write_text("build_dependencies: []\ndependencies:\n- -r requirements.txt\n")
    assert run(["env", "path", "--build", str(model)]) == 1
    assert "nothing says that its maker is trusted" in capsys.readouterr().err
    manifest.write(model)
    assert run(["env", "path", str(model)]) == 1
    told = capsys.readouterr()
    assert "not built yet" in told.err
    assert run(["env", "path", "--build", str(model)]) == 0
    assert capsys.readouterr().out == told.out
    assert run(["env", "path", str(model)]) == 0
    assert capsys.readouterr().out == told.out
    assert Path(told.out.strip(), "bin", "beam").is_file()


def test_those_used_longest_ago_are_removed_until_the_rest_is_small_enough(
    environments: list[Built], capsys: pytest.CaptureFixture[str]
) -> None:
    newest = building.size_of(environments[1])
    assert run(["env", "gc", "--max-size", f"{newest + 10}B", "--dry-run"]) == 0
    assert f"{environments[0].key}: Python" in capsys.readouterr().err
    assert len(built()) == 2
    with environments[0].in_use():
        assert run(["env", "gc", "--max-size", "0"]) == 1
    assert built() == [environments[0]]
    os.utime(environments[0].path / ".last-used", (1, 1))
    assert run(["env", "gc", "--max-size", "1.5GiB"]) == 0
    assert built() == [environments[0]]
    assert run(["env", "gc", "--max-size", "1TB", "--older-than", "1d"]) == 0
    assert built() == []
    assert run(["env", "gc", "--max-size", "big"]) == 1
    assert "no size" in capsys.readouterr().err


def test_they_are_removed_by_name(environments: list[Built], capsys: pytest.CaptureFixture[str]) -> None:
    keys = [one.key for one in environments]
    assert run(["env", "remove", keys[0], "none"]) == 1
    assert "there is no environment none" in capsys.readouterr().err
    with environments[0].in_use():
        assert run(["env", "remove", *keys]) == 1
    assert f"{keys[0]} stays" in capsys.readouterr().err
    assert [one.key for one in built()] == keys[:1]
    assert run(["env", "remove", keys[0]]) == 0
    assert built() == []


def test_the_environment_of_a_project_is_built_and_its_folder_printed(
    tmp_path: Path, environments: list[Built], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    assert run(["env", "build", str(project)]) == 1
    assert "says what environment" in capsys.readouterr().err
    (project / "MLproject").write_text("name: house\npython_env: env.yaml\n")
    (project / "env.yaml").write_text("dependencies: [--find-links ../shelf, beam==1.0]\n")
    monkeypatch.chdir(project)
    assert run(["env", "build"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder in {one.path for one in built()}
    assert (folder / "bin" / "beam").is_file() and (folder / "bin" / "pip").is_file()
    assert run(["env", "build", "--env-manager", "virtualenv"]) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    assert run(["env", "build", "--env-manager", "local"]) == 1
