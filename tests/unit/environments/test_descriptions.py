"""Folders say what environment their code needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.environments.conda_files import Conda, build_tools, python_version
from millstream.environments.descriptions import Description, describe
from millstream.environments.preparing import environment_of
from millstream.errors import InvalidValue, MillstreamError, NotFound

PYTHON_ENV = """\
python: "3.9.18"
build_dependencies:
  - pip==23.0
  - setuptools
dependencies:
  - -r requirements.txt
  - hyperopt==0.2.7
"""
CONDA = """\
name: training
channels: [conda-forge, defaults]
dependencies:
  - python=3.9
  - pip<=23.1
  - setuptools=65.5
  - pip:
      - -r requirements.txt
      - mlflow>=2,<3
"""

WORDS = st.sampled_from(["numpy", "=", "==", ">=1", ",", "-", "--file", "\n", " ", "::", "$(id)", ";", "[", "'", "*"])


def write(folder: Path, **files: str) -> Path:
    names = {"python_env": "python_env.yaml", "conda": "conda.yaml", "requirements": "requirements.txt",
             "pyproject": "pyproject.toml", "version": ".python-version"}
    for name, text in files.items():
        (folder / names.get(name, name)).write_text(text)
    return folder


def asked(folder: Path) -> Description:
    found = describe(folder)
    assert found is not None
    return found


class TestPythonEnv:
    def test_its_fields_and_the_files_that_it_names_count(self, tmp_path: Path) -> None:
        write(tmp_path, python_env=PYTHON_ENV, requirements="scikit-learn==1.2.1\n-c limits.txt\n")
        (tmp_path / "limits.txt").write_text("numpy<2\n")
        assert describe(tmp_path) == Description(
            "python_env", tmp_path / "python_env.yaml", "3.9.18", ("scikit-learn==1.2.1", "hyperopt==0.2.7"),
            ("numpy<2",), ("pip==23.0", "setuptools"),
        )

    @pytest.mark.parametrize(("text", "python"), [
        ("python: 3.10", "3.10"), ("python: '3.10'", "3.10"), ("python: 3.9", "3.9"), ("python: 3.10.13", "3.10.13"),
        ("python: 3", "3"), ("python:", None), ("dependencies: []", None), ("'python': 3.10 # why", "3.10"),
    ])
    def test_the_version_is_what_is_written(self, text: str, python: str | None, tmp_path: Path) -> None:
        assert asked(write(tmp_path, python_env=f"{text}\n")).python == python

    @pytest.mark.parametrize("text", [
        "- python", "python: [", "dependencies: numpy", "dependencies: [{pip: [numpy]}]", "dependencies: [1]",
        "build_dependencies: ['$(id)']", "dependencies: ['-r none.txt']", "dependencies: ['--target /tmp']",
    ])
    def test_what_makes_no_sense_is_told(self, text: str, tmp_path: Path) -> None:
        with pytest.raises((InvalidValue, NotFound)):
            describe(write(tmp_path, python_env=text))


class TestConda:
    def test_one_of_pip_only_asks_nothing_of_conda(self, tmp_path: Path) -> None:
        found = asked(write(tmp_path, conda=CONDA, requirements="pandas\n"))
        assert (found.kind, found.python, found.requirements) == ("conda", "3.9", ("pandas", "mlflow<3,>=2"))
        assert found.build == ("pip<=23.1", "setuptools==65.5.*")
        assert found.conda is not None
        assert found.conda.own == ()

    def test_packages_of_its_own_are_told_apart(self, tmp_path: Path) -> None:
        text = "channels: [https://example.org/x, nodefaults]\ndependencies:\n- {}\n".format("\n- ".join(
            ["python=3.9", "conda-forge::graphviz=9.*", "numpy >=1.20,<2", "r-base=4.1=h1234_0", "pip", "gcc"]))
        found = asked(write(tmp_path, conda=text)).conda
        assert found is not None
        assert found.own == ("conda-forge::graphviz=9.*", "numpy >=1.20,<2", "r-base=4.1=h1234_0", "gcc")
        assert found.channels == ("https://example.org/x", "nodefaults")

    def test_its_variables_count(self, tmp_path: Path) -> None:
        text = CONDA + "variables:\n  OMP_NUM_THREADS: 1\n  WHERE: a b\n"
        found = asked(write(tmp_path, conda=text, requirements=""))
        assert found.variables == (("OMP_NUM_THREADS", "1"), ("WHERE", "a b"))
        assert environment_of(found).variables == found.variables

    @pytest.mark.parametrize(("package", "python"), [
        ("python=3.9", "3.9"), ("python==3.9.18", "3.9.18"), ("python = 3.9.*", "3.9"), ("python 3.9", "3.9"),
        ("python=3.9*", "3.9"), ("conda-forge::python=3.9.18=h955ad1f_0", "3.9.18"), ("python", None),
        ("python>=3.8,<3.11", ">=3.8,<3.11"), ("python >=3.8", ">=3.8"), ("python-dateutil=2.8", None),
    ])
    def test_the_version_of_python_in_its_notations(self, package: str, python: str | None) -> None:
        assert python_version({"dependencies": ["numpy", package]}) == python

    @pytest.mark.parametrize(("package", "requirement"), [
        ("pip", "pip"), ("pip=22.1", "pip==22.1.*"), ("pip==22.1", "pip==22.1"), ("wheel>=0.37, <1", "wheel>=0.37,<1"),
        ("pip=22.1=py39_0", "pip==22.1.*"),
    ])
    def test_tools_as_requirements(self, package: str, requirement: str) -> None:
        assert build_tools({"dependencies": [package, "numpy"]}) == [requirement]

    @pytest.mark.parametrize("text", [
        "dependencies: numpy", "channels: x\ndependencies: []", "dependencies: ['numpy; rm -r /']",
        "dependencies: ['--prefix=/']", 'dependencies: ["numpy\\n- gcc"]', "channels: ['--override']",
        "dependencies: [{pip: ['$(id)']}]", "channels: [1]", "variables: [A]", "variables: {A B: 1}",
        'variables: {A: "x\\0y"}',
    ])
    def test_what_makes_no_sense_is_told(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue):
            describe(write(tmp_path, conda=text))

    @settings(max_examples=200, deadline=None)
    @given(st.one_of(st.text(max_size=40), st.lists(WORDS).map("".join)))
    def test_whatever_is_read_conda_gets_words_of_its_notation(self, text: str) -> None:
        try:
            found = Conda.of({"dependencies": [text], "channels": [text]}, "a file")
        except MillstreamError:
            return
        for word in (*found.packages, *found.channels):
            assert word.isprintable()
            assert word[0] not in "-$;`" and not set(word) & set(";&`{}#")


class TestNamed:
    def test_the_files_that_a_project_names_are_read(self, tmp_path: Path) -> None:
        write(tmp_path, python_env="python: '3.9'\n", conda=CONDA, requirements="pandas\n")
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "other.yaml").write_text(
            "python: '3.8'\ndependencies: [-r requirements.txt, -r limits/more.txt]\n")
        (tmp_path / "limits").mkdir()
        (tmp_path / "limits" / "more.txt").write_text("six\n")
        (tmp_path / "files" / "requirements.txt").write_text("click\n")
        assert asked(tmp_path).python == "3.9"
        found = describe(tmp_path, conda_env="conda.yaml")
        assert found is not None and found.kind == "conda"
        found = describe(tmp_path, python_env="files/other.yaml")
        assert found is not None and (found.python, found.requirements) == ("3.8", ("click", "six"))

    def test_one_that_is_not_there_or_lies_outside_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"environment file env\.yaml, which is not in"):
            describe(tmp_path, conda_env="env.yaml")
        (tmp_path / "env.yaml").write_text("python: '3.9'\n")
        (tmp_path / "project").mkdir()
        with pytest.raises(InvalidValue, match="not inside"):
            describe(tmp_path / "project", python_env="../env.yaml")


class TestOtherFiles:
    def test_none_says_nothing(self, tmp_path: Path) -> None:
        assert describe(write(tmp_path, pyproject="[tool.black]\nline-length = 100\n")) is None

    def test_the_first_of_several_counts(self, tmp_path: Path) -> None:
        write(tmp_path, pyproject="[project]\nname = 'x'\nversion = '1'\ndependencies = ['click']\n")
        assert asked(tmp_path).kind == "pyproject"
        assert asked(write(tmp_path, **{"environment.yml": "dependencies: [pip]\n"})).kind == "conda"
        assert asked(write(tmp_path, requirements="pandas\n")).kind == "requirements"
        assert asked(write(tmp_path, conda=CONDA)).kind == "conda"
        assert asked(write(tmp_path, python_env=PYTHON_ENV)).kind == "python_env"

    def test_requirements_with_the_python_that_lies_beside(self, tmp_path: Path) -> None:
        write(tmp_path, requirements="pandas\n-e .\n")
        assert asked(tmp_path) == Description("requirements", tmp_path / "requirements.txt", None,
                                              ("pandas", tmp_path.as_uri()))
        assert asked(write(tmp_path, version="3.10.13\n")).python == "3.10.13"
        assert asked(write(tmp_path, version="cpython-3.12\n")).python == "3.12"
        assert asked(write(tmp_path, version="my-env\n")).python is None
