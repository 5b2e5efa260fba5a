"""Packages that only conda has are installed by conda, mamba or micromamba, asked by their command lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from millstream.environments.building import Environment, build, built, environments_folder, key_of, remove, sweep
from millstream.environments.conda import program
from millstream.environments.conda_files import Conda
from millstream.environments.descriptions import Description, describe
from millstream.environments.preparing import environment_of, prepare
from millstream.errors import EnvironmentFailed, InvalidValue
from tests.unit.environments.condas import asked, stand_in
from tests.unit.environments.wheels import wheel


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no conda is installed, and a folder of its ``PATH``."""
    for name in ("CONDA_EXE", "MAMBA_EXE", "MAMBA_ROOT_PREFIX", "MLFLOW_CONDA_HOME", "MLFLOW_CONDA_CREATE_ENV_CMD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"]))
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    assert program() is None
    return tmp_path / "bin"


def described(folder: Path, *packages: str, pip: str = "") -> Description:
    folder.mkdir(exist_ok=True)
    lines = [f"- {package}\n" for package in packages] + ([f"- pip: [{pip}]\n"] if pip else [])
    (folder / "conda.yaml").write_text(f"channels: [conda-forge]\ndependencies:\n{''.join(lines)}")
    found = describe(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "start"), [
    ("conda", ["env", "create"]), ("mamba", ["env", "create"]), ("micromamba", ["create", "--yes"]),
])
def test_the_program_that_is_there_makes_it(name: str, start: list[str], without: Path, tmp_path: Path) -> None:
    wheel(tmp_path / "shelf", "beam", "1.0")
    tool = stand_in(without, name)
    found = described(tmp_path / "project", "python=3.11", "graphviz=9.*", "pip<30",
                      pip=f"--no-index, '--find-links {tmp_path / 'shelf'}', beam")
    made = prepare(found, seeded=False)
    assert made.key.startswith("conda-")
    told = asked(tool)
    file = told["words"][-1]
    assert told["words"] == [*start, "--quiet", "--prefix", str(made.path), "--file", file]
    assert told["content"] == {"channels": ["conda-forge"], "dependencies": ["python=3.11", "graphviz=9.*", "pip<30"]}
    assert (told["yes"], told["input"], told["prefix"], told["prefix_existed"]) == ("true", "", None, False)
    assert not Path(file).exists()
    variables = made.variables()
    assert (variables["CONDA_PREFIX"], variables["JAVA_HOME"]) == (str(made.path), f"{made.path}/lib/jvm")
    assert variables["PATH"].split(os.pathsep)[0] == str(made.path / "bin")
    assert "VIRTUAL_ENV" not in variables
    assert subprocess.check_output(["python", "-c", "import beam; print(beam.version)"], text=True,
                                   env=variables) == "1.0\n"
    assert made.python_version.startswith("3.")
    tool.unlink()
    again = prepare(found, seeded=False)  # needs no conda any more
    assert again == made and again.reused and again.variables() == variables
    assert built() == [made]
    assert remove(made)


def test_one_without_python_has_none(without: Path, tmp_path: Path) -> None:
    tool = stand_in(without)
    made = prepare(described(tmp_path / "project", "r-base=4.1", "graphviz"))
    assert asked(tool)["content"]["dependencies"] == ["r-base=4.1", "graphviz"]
    assert made.python_version == ""
    assert built() == [made]
    subprocess.run(["dot"], env=made.variables(), check=True)


def test_who_wants_pip_gets_python(without: Path, tmp_path: Path) -> None:
    wheel(tmp_path / "shelf", "beam", "1.0")
    tool = stand_in(without)
    found = described(tmp_path / "project", "graphviz", pip=f"--no-index, '--find-links {tmp_path / 'shelf'}', beam")
    assert prepare(found).python_version
    assert asked(tool)["content"]["dependencies"] == ["graphviz", "python"]


def test_without_any_program_the_packages_that_ask_for_it_are_named(without: Path, tmp_path: Path) -> None:
    for manager in ("uv", "virtualenv", "conda"):
        with pytest.raises(EnvironmentFailed, match=r"conda \(graphviz=9, gcc\), and none of conda") as caught:
            prepare(described(tmp_path / "project", "python=3.9", "graphviz=9", "gcc", "pip"), manager=manager)
        assert "micromamba" in str(caught.value.hint)
        assert "CONDA_HOME" in str(caught.value.hint)
    assert built() == []


def test_what_the_program_says_is_told_and_nothing_is_left(without: Path, tmp_path: Path) -> None:
    stand_in(without)
    with pytest.raises(EnvironmentFailed, match="ResolvePackageNotFound: - unknown"):
        prepare(described(tmp_path / "project", "python", "unknown"))
    assert [entry.name for entry in environments_folder().iterdir()] == [".locks"]


def test_one_of_pip_only_is_conda_s_when_that_is_asked_for(without: Path, tmp_path: Path) -> None:
    found = described(tmp_path / "project", "python=3.11", "pip", pip="beam")
    plain = environment_of(found)
    assert plain.conda is None
    assert environment_of(found, manager="conda") == plain
    stand_in(without)
    assert environment_of(found) == plain
    made = environment_of(found, manager="conda")
    assert made.conda == Conda(("python=3.11", "pip"), ("conda-forge",))
    assert made.build == ("setuptools", "wheel")


class TestProgram:
    def test_settings_and_conda_s_own_variables_say_where_it_lies(
        self, without: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = stand_in(tmp_path / "home" / "miniforge3" / "bin", "mamba")
        assert program() == str(installed)
        on_path = stand_in(without, "micromamba")
        assert program() == str(installed)  # conda, then mamba, then micromamba
        own = stand_in(tmp_path / "own", "conda")
        monkeypatch.setenv("CONDA_EXE", str(own))
        assert program() == str(own)
        named = stand_in(tmp_path / "named" / "bin", "conda")
        monkeypatch.setenv("MLFLOW_CONDA_HOME", str(tmp_path / "named"))
        assert program() == str(named)
        monkeypatch.setenv("MLFLOW_CONDA_CREATE_ENV_CMD", "micromamba")
        assert program() == str(on_path)
        monkeypatch.setenv("MLFLOW_CONDA_CREATE_ENV_CMD", str(installed))
        assert program() == str(installed)

    def test_another_program_is_none(self, without: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_CONDA_CREATE_ENV_CMD", "/bin/sh")
        with pytest.raises(InvalidValue, match="none of conda"):
            program()


def test_one_that_was_half_built_is_removed_and_built_again(without: Path, tmp_path: Path) -> None:
    stand_in(without)
    environment = Environment(conda=Conda(("graphviz",)), build=())
    left = environments_folder() / key_of(environment)
    (left / "conda-meta").mkdir(parents=True)
    assert built() == []
    assert build(environment).path == left
    (left / "millstream-environment.json").unlink()
    assert sweep() == 1
    assert not left.exists()
