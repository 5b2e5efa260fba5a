"""Projects in the standard form, with uv's lock and without."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from millstream.environments import interpreters, native
from millstream.environments.descriptions import describe
from millstream.environments.places import EXPORTS
from millstream.environments.preparing import prepare
from millstream.errors import InvalidValue
from tests.unit.environments.wheels import wheel

PROJECT = "[project]\nname = 'house'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['six>=1.16', 'click']\n"
BUILT = "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
    return tmp_path / "envs"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    return folder


def requirements(project: Path, text: str) -> tuple[str, ...]:
    (project / "pyproject.toml").write_text(text)
    found = native.read(project / "pyproject.toml")
    assert found is not None
    return found.requirements


def test_one_that_is_no_package_needs_its_dependencies(project: Path) -> None:
    found = native.read(project / "pyproject.toml")
    assert found == native.Native(">=3.9", ("six>=1.16", "click"))
    assert requirements(project, PROJECT + BUILT + "[tool.uv]\npackage = false\n") == ("six>=1.16", "click")


def test_a_package_is_installed_itself(project: Path) -> None:
    assert requirements(project, PROJECT + BUILT) == (project.as_uri(),)
    assert requirements(project, PROJECT + "[tool.uv]\npackage = true\n") == (project.as_uri(),)


def test_the_python_of_the_folder_comes_first(project: Path) -> None:
    (project / ".python-version").write_text("3.12\n")
    found = native.read(project / "pyproject.toml")
    assert found is not None and found.python == "3.12"


def test_its_indexes_count(project: Path) -> None:
    (project / "shelf").mkdir()
    text = PROJECT + ("[[tool.uv.index]]\nname = 'a'\nurl = 'https://example.org/a'\ndefault = true\n"
                      "[[tool.uv.index]]\nname = 'b'\nurl = 'https://example.org/b'\n"
                      "[[tool.uv.index]]\nname = 'c'\nurl = 'https://example.org/c'\nexplicit = true\n"
                      "[[tool.uv.index]]\nname = 'd'\nurl = 'shelf'\nformat = 'flat'\n"
                      "[[tool.uv.index]]\nname = 'e'\nurl = '--target /tmp'\n")
    assert requirements(project, text) == (
        "--index-url https://example.org/a", "--extra-index-url https://example.org/b",
        f"--find-links {(project / 'shelf').as_uri()}", "six>=1.16", "click")


def test_a_lock_says_what_comes_from_an_index_for_single_packages(project: Path) -> None:
    wheel(project / "shelf", "beam", "1.0")
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'house'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['beam', 'six']\n"
        "[tool.uv.sources]\nbeam = { index = 'ours' }\n"
        "[[tool.uv.index]]\nname = 'ours'\nurl = 'shelf'\nformat = 'flat'\nexplicit = true\n")
    subprocess.run([interpreters.uv(), "lock", "--quiet"], cwd=project, check=True)
    found = describe(project)
    assert found is not None
    made = prepare(found, seeded=False)
    assert subprocess.check_output([made.python, "-c", "import beam, six; print(beam.version)"], text=True) == "1.0\n"


class TestPoetry:
    @pytest.mark.parametrize(("asked", "python"), [
        ("^3.9", ">=3.9,<4"), ("~3.9", ">=3.9,<3.10"), ("^3.9.2", ">=3.9.2,<4"), (">=3.8,<3.12", ">=3.8,<3.12"),
        ("*", None), ("~3", ">=3.0,<4"),
    ])
    def test_its_older_form_is_a_package(self, asked: str, python: str | None, project: Path) -> None:
        (project / "pyproject.toml").write_text(
            f"[tool.poetry]\nname = 'x'\n[tool.poetry.dependencies]\npython = '{asked}'\n{BUILT}")
        assert native.read(project / "pyproject.toml") == native.Native(python, (project.as_uri(),))

    def test_one_that_is_no_package_is_told(self, project: Path) -> None:
        with pytest.raises(InvalidValue, match="Poetry's own form"):
            requirements(project, f"[tool.poetry]\npackage-mode = false\ndependencies = {{ six = '1' }}\n{BUILT}")


@pytest.mark.parametrize("text", [
    "[project\n", "[project]\nname = 'x'\ndependencies = 'six'\n", "[project]\nname='x'\ndependencies = ['$(id)']\n",
    "[project]\nname = 'x'\ndependencies = ['--target /tmp']\n", "[project]\nname = 'x'\ndependencies = [1]\n",
])
def test_what_makes_no_sense_is_told(text: str, project: Path) -> None:
    with pytest.raises(InvalidValue):
        requirements(project, text)


def test_a_lock_says_what_is_installed(project: Path, root: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("six>=1.16", "six<1.17") + BUILT)
    (project / "house").mkdir()
    (project / "house" / "__init__.py").write_text("built = True\n")
    subprocess.run([interpreters.uv(), "lock", "--quiet"], cwd=project, check=True)
    # As if another release had come since: the lock says 1.16.0 still.
    for name in ("pyproject.toml", "uv.lock"):
        text = (project / name).read_text()
        (project / name).write_text(text.replace("six<1.17", "six>=1.16").replace('specifier = "<1.17"',
                                                                                  'specifier = ">=1.16"'))
    found = describe(project)
    assert found is not None
    assert found.kind == "pyproject"
    assert project.as_uri() in found.requirements
    assert [line for line in found.requirements if line.startswith("six==1.16.0 --hash=sha256:")]
    assert len(list((root / EXPORTS).iterdir())) == 1
    assert describe(project) == found
    made = prepare(found)
    said = subprocess.check_output([made.python, "-c", "import six, house; print(six.__version__, house.built)"],
                                   text=True, env=made.variables())
    assert said == "1.16.0 True\n"
    (project / "house" / "__init__.py").write_text("built = False\n")
    assert describe(project) == found
    assert prepare(found).key != made.key
    (project / "uv.lock").write_text("version = 99\n")
    with pytest.raises(InvalidValue, match="uv cannot read the lock"):
        describe(project)
