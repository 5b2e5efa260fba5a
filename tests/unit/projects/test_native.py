"""Projects of pyproject.toml, and scripts by their names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from millstream.errors import EntryPointNotFound, InvalidValue
from millstream.projects.commands import command_of
from millstream.projects.files import Parameter
from millstream.projects.native import entry_point_of, project_in

NATIVE = """
[project]
name = "loan"
[project.scripts]
score = "pack.score:Tool.run"
[tool.millstream.entry-points]
prepare = "python prepare.py"
[tool.millstream.entry-points.train]
command = "python train.py --alpha {alpha}"
needs = ["prepare"]
parameters = { alpha = { type = "float", default = 0.1 } }
"""


def test_entry_points_of_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(NATIVE)
    project = project_in(tmp_path)
    assert project.name == "loan"
    assert list(project.entry_points) == ["score", "prepare", "train"]
    train = entry_point_of(project, "train", tmp_path)
    assert (train.needs, train.parameters) == (("prepare",), {"alpha": Parameter("alpha", "float", "0.1")})


def test_a_script_of_pyproject_runs_without_being_installed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(NATIVE)
    (tmp_path / "src" / "pack").mkdir(parents=True)
    (tmp_path / "src" / "pack" / "score.py").write_text(
        "import sys\nclass Tool:\n    def run():\n        print(sys.argv)\n        return 3\n"
    )
    command = command_of(entry_point_of(project_in(tmp_path), "score", tmp_path).command, {}, {"k": "v"})
    argv = [sys.executable, *command.argv[1:]]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("['score', '--k', 'v']\n", 3)


def test_the_project_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(NATIVE)
    (tmp_path / "mlproject").write_text("entry_points: {main: {command: a}}")
    assert list(project_in(tmp_path).entry_points) == ["main"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project\n", "cannot be read"),
        ("[tool]\nmillstream = 3", "millstream is no table"),
        ("[project.scripts]\na = 'b'", "project.scripts.a: 'b' is no `module:function`"),
        ("[tool.millstream]\nentry-points = 3", "[tool.millstream]: entry_points: names with values are expected"),
    ],
)
def test_errors_of_pyproject(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InvalidValue) as caught:
        project_in(tmp_path)
    assert said in caught.value.message
    assert "pyproject.toml" in caught.value.message


def test_scripts_are_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    (tmp_path / "sub").mkdir()
    for name in ("train it.py", "go.sh", "sub/fit.R", "-c.py", "notes.txt"):
        (tmp_path / name).touch()
    project = project_in(tmp_path)

    def argv(name: str) -> tuple[str, ...]:
        return command_of(entry_point_of(project, name, tmp_path).command, {}).argv

    assert argv("train it.py") == ("python", "train it.py")
    assert argv("go.sh") == ("/bin/sh", "go.sh")
    assert argv("sub/fit.R") == ("Rscript", "sub/fit.R")
    assert argv("-c.py") == ("python", "./-c.py")
    for name in ("main", "notes.txt", "gone.py", "../x.py"):
        with pytest.raises(EntryPointNotFound, match=r"there are none, and the scripts -c\.py, go\.sh, train it\.py"):
            entry_point_of(project, name, tmp_path)
