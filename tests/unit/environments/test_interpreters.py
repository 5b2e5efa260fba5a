"""Interpreters are found on this machine, wherever they lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from millstream.environments import interpreters
from millstream.environments.interpreters import find, installed
from millstream.errors import InvalidValue, PythonNotFound

THIS = sys.version_info[:3]


def another() -> interpreters.Interpreter:
    """One of another minor version than this; the machine of `make test` has several."""
    return next(one for one in installed() if one.version[0] == 3 and one.version[:2] != THIS[:2])


@pytest.mark.parametrize(
    "asked", [None, "", "3", f"3.{THIS[1]}", ".".join(map(str, THIS)), ">=3.10", f"==3.{THIS[1]}.*"]
)
def test_this_interpreter_is_taken_when_it_fits(asked: str | None) -> None:
    assert find(asked).path == sys.executable


def test_another_version_is_found_by_minor_and_by_patch_and_by_specifiers() -> None:
    wanted = another()
    minor = f"{wanted.version[0]}.{wanted.version[1]}"
    assert find(minor).version[:2] == wanted.version[:2]
    assert find(wanted.text).version == wanted.version
    assert find(f"=={wanted.text}").version == wanted.version


def test_a_missing_patch_version_is_stood_in_for(caplog: pytest.LogCaptureFixture) -> None:
    wanted = another()
    minor = f"{wanted.version[0]}.{wanted.version[1]}"
    with caplog.at_level("INFO"):
        assert find(f"{minor}.199").version[:2] == wanted.version[:2]
    assert f"no Python {minor}.199" in caplog.text


@pytest.mark.parametrize("asked", ["3.99", "3.99.1", "1.0", ">=4", "<2"])
def test_an_absent_version_is_told_with_those_that_are_there(asked: str) -> None:
    with pytest.raises(PythonNotFound) as caught:
        find(asked)
    assert asked in caught.value.message
    assert all(one.text in caught.value.message for one in installed())
    assert "ALLOW_PYTHON_DOWNLOADS" in str(caught.value.hint)


@pytest.mark.parametrize("asked", ["python", "3.9; rm -r /", "/usr/bin/python3", "--help", "=3.9", "3.9.18.1"])
def test_what_is_no_version_is_refused(asked: str) -> None:
    with pytest.raises((InvalidValue, PythonNotFound)) as caught:
        find(asked)
    assert asked in caught.value.message


class TestPlaces:
    """A home with nothing but what the test puts there."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "CONDA_EXE", "MAMBA_ROOT_PREFIX",
                     "ASDF_DATA_DIR", "MISE_DATA_DIR", "XDG_CACHE_HOME", "MLFLOW_CONDA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        return tmp_path

    def put(self, place: Path, target: str) -> None:
        place.parent.mkdir(parents=True)
        place.symlink_to(target)

    @pytest.mark.parametrize("place", [
        ".pyenv/versions/{version}/bin/python", ".local/share/uv/python/cpython-{version}-linux-x86_64-gnu/bin/python",
        ".asdf/installs/python/{version}/bin/python", ".local/share/mise/installs/python/{version}/bin/python",
        "miniconda3/envs/analysis/bin/python", "anaconda3/bin/python",
    ])
    def test_it_is_found_where_tools_keep_it(
        self, place: str, home: Path, monkeypatch: pytest.MonkeyPatch, real: interpreters.Interpreter
    ) -> None:
        self.put(home / place.format(version=real.text), real.path)
        assert find(f"{real.version[0]}.{real.version[1]}").version == real.version
        assert real.version in {one.version for one in installed()}

    def test_it_is_found_on_the_path_under_any_name(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, real: interpreters.Interpreter
    ) -> None:
        self.put(home / "bin" / "python3", real.path)
        monkeypatch.setenv("PATH", f"{home / 'none'}{os.pathsep}{home / 'bin'}")
        assert find(real.text).version == real.version

    def test_conda_lists_its_environments(self, home: Path, real: interpreters.Interpreter) -> None:
        self.put(home / "somewhere" / "bin" / "python", real.path)
        (home / ".conda").mkdir()
        (home / ".conda" / "environments.txt").write_text(f"{home / 'gone'}\n{home / 'somewhere'}\n")
        assert find(real.text).version == real.version

    def test_a_shim_that_refuses_is_seen_through(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, real: interpreters.Interpreter
    ) -> None:
        shims = home / ".pyenv" / "shims"
        shims.mkdir(parents=True)
        shim = shims / f"python{real.version[0]}.{real.version[1]}"
        shim.write_text(f"#!/bin/sh\ntouch {home / 'asked'}\necho 'pyenv: command not found' >&2\nexit 127\n")
        shim.chmod(0o755)
        monkeypatch.setenv("PATH", str(shims))
        self.put(home / ".pyenv" / "versions" / real.text / "bin" / "python", real.path)
        found = find(f"{real.version[0]}.{real.version[1]}")
        assert found.version == real.version
        assert found.path != str(shim)
        assert real.version in {one.version for one in installed()}
        assert not (home / "asked").exists()

    def test_a_name_that_lies_is_not_believed(self, home: Path, real: interpreters.Interpreter) -> None:
        self.put(home / ".pyenv" / "versions" / "3.99.0" / "bin" / "python", real.path)
        with pytest.raises(PythonNotFound):
            find("3.99")

    def test_what_does_not_answer_is_left_out(self, home: Path) -> None:
        for number, text in enumerate(("#!/bin/sh\nexit 0\n", "#!/bin/sh\necho '[]'\n", "no program", "#!/none\n")):
            broken = home / ".pyenv" / "versions" / f"3.9{number}" / "bin" / "python"
            broken.parent.mkdir(parents=True)
            broken.write_text(text)
            broken.chmod(0o755)
        assert installed() == []

    def test_it_is_asked_once(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        counting = home / ".pyenv" / "versions" / "3.97.1" / "bin" / "python"
        counting.parent.mkdir(parents=True)
        counting.write_text(
            f"#!/bin/sh\necho x >> {home / 'asked'}\necho '[[3, 97, 1], \"{sys.implementation.name}\", \"m\", \"\"]'\n"
        )
        counting.chmod(0o755)
        assert find("3.97") == find("3.97.1")
        assert find("3.97").path == str(counting)
        assert (home / "asked").read_text() == "x\n"
        monkeypatch.setattr(interpreters, "_answers", {})  # as in another process
        assert find("3.97.1").path == str(counting)
        assert (home / "asked").read_text() == "x\n"
        monkeypatch.setattr(interpreters, "_answers", {})
        counting.write_text(counting.read_text().replace("97, 1", "97, 22"))
        assert find("3.97").text == "3.97.22"
        (home / ".cache" / "millstream" / "interpreters.json").write_text("[[1]]")
        monkeypatch.setattr(interpreters, "_answers", {})
        assert find("3.97").text == "3.97.22"


@pytest.fixture(scope="module")
def real() -> interpreters.Interpreter:
    return another()


def test_a_download_that_is_allowed_and_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLSTREAM_ALLOW_PYTHON_DOWNLOADS", "true")
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", (tmp_path / "none").as_uri())
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    with pytest.raises(PythonNotFound, match=r"Python 3\.14 cannot be downloaded"):
        find("3.14")
