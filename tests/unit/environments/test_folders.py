"""Packages in folders count by the files that they could be made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from millstream.environments.folders import copied, digest_of, place_of

FILES = {
    "pyproject.toml": "[project]\n", "README.md": "x", "src/beam/__init__.py": "", "src/beam/words.json": "[]",
    "src/beam/data/one.bin": "1", "tools/run.py": "x = 1\n", "train.py": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.mark.parametrize("name", [*FILES, "setup.py", "src/beam/more.txt", "src/other/__init__.py", "LICENSE"])
def test_sources_and_the_files_of_packages_count(name: str, project: Path) -> None:
    before = digest_of(project)
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("changed")
    assert digest_of(project) != before
    if name in FILES:
        (project / name).rename(project / "other.py")
        assert digest_of(project) != before


@pytest.mark.parametrize("name", [
    "data/rows.csv", "model.pkl", ".env", ".venv/lib/x.py", "mlruns/1/x.py", "build/lib/beam.py", "dist/x.py",
    "beam.egg-info/x.txt", "src/beam/__pycache__/x.pyc", "src/beam/x.pyc", "node_modules/x.py", "env/lib/x.py",
])
def test_data_and_results_and_what_builds_leave_do_not(name: str, project: Path) -> None:
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").touch()
    before = digest_of(project)
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("x = 1")
    assert digest_of(project) == before


def test_a_copy_is_the_same(project: Path, tmp_path: Path) -> None:
    (project / "model.pkl").touch()
    (project / ".git").mkdir()
    copied(project, tmp_path / "copy")
    assert digest_of(tmp_path / "copy") == digest_of(project)
    assert sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")
                  if path.is_file()) == sorted(FILES)
    assert (tmp_path / "copy" / ".git").resolve() == project / ".git"
    shutil.rmtree(tmp_path / "copy")
    assert (project / ".git").is_dir()


def test_addresses_name_places() -> None:
    assert place_of("file:///a/b%20c[x,y]") == (Path("/a/b c"), "[x,y]")
    assert place_of("beam @ file://localhost/a/b.whl") == (Path("/a/b.whl"), "")
    assert place_of("beam") is None
    assert place_of("https://example.org/a") is None
    assert place_of("file:///a%00b") is None
