"""Environments are built by uv, once, and kept by what they hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from millstream.environments import building, interpreters
from millstream.environments.building import Built, Environment, build, built, key_of, remove, size_of, sweep
from millstream.environments.ourselves import Ourselves, ourselves
from millstream.errors import EnvironmentFailed, InvalidValue, PythonNotFound
from tests.unit.environments.wheels import wheel

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels: `beam` in two versions, and `roof`, which needs it."""
    folder = tmp_path_factory.mktemp("shelf")
    wheel(folder, "beam", "1.0")
    wheel(folder, "beam", "2.0")
    wheel(folder, "roof", "1.0", requires=["beam>=1"])
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "envs"
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return folder


def wanted(shelf: Path, *lines: str, **others: object) -> Environment:
    sources = ("--no-index", f"--find-links {shelf}")
    return Environment(**{"requirements": (*sources, *lines), "build": (), **others})  # type: ignore[arg-type]


def says(environment: Built, code: str) -> str:
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True,
                          env=environment.variables())
    return done.stdout.strip()


def test_what_is_asked_for_is_there(root: Path, shelf: Path) -> None:
    made = build(wanted(shelf, "roof", constraints=("beam<2",)))
    assert not made.reused
    assert made.path.parent == root
    assert says(made, "import beam, roof; print(beam.version, roof.version)") == "1.0 1.0"
    assert says(made, "import sys; print(sys.prefix)") == str(made.path)
    assert [entry.name for entry in root.iterdir() if entry.name not in (".locks", made.key)] == []


def test_the_same_again_is_there_at_once(root: Path, shelf: Path) -> None:
    environment = wanted(shelf, "beam==1.0")
    first = build(environment)
    (first.path / "mark").touch()
    second = build(environment)
    assert second == first
    assert second.reused
    assert (second.path / "mark").exists()
    assert built() == [first]
    assert first.key == key_of(environment)


def test_its_programs_run_where_it_has_been_moved_to(root: Path, shelf: Path) -> None:
    made = build(wanted(shelf, "beam==2.0"))
    assert subprocess.check_output([made.path / "bin" / "beam"], text=True) == "beam 2.0\n"
    assert subprocess.check_output("beam", text=True, env=made.variables()) == "beam 2.0\n"


def test_files_are_links_into_the_cache(root: Path, shelf: Path) -> None:
    made = build(wanted(shelf, "beam"))
    (module,) = made.path.glob("lib/python*/site-packages/beam.py")
    assert module.stat().st_nlink > 1


def test_a_wheel_may_be_named_by_its_path(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(tmp_path / "a folder", "beam", "3.0")
    monkeypatch.chdir(tmp_path)
    made = build(Environment(requirements=("a folder/beam-3.0-py3-none-any.whl",), build=()))
    assert says(made, "import beam; print(beam.version)") == "3.0"


def test_what_uv_was_told_of_other_environments_does_not_count(
    root: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_SYSTEM_PYTHON", "1")
    monkeypatch.setenv("UV_PYTHON", "3.99")
    made = build(wanted(shelf, "beam"))
    assert says(made, "import beam; print(beam.__file__)").startswith(str(made.path))


def test_an_absent_python_is_told_before_anything_is_made(root: Path, shelf: Path) -> None:
    with pytest.raises(PythonNotFound):
        build(wanted(shelf, python="3.99"))
    assert not root.exists()


class TestKeys:
    def test_another_content_is_another_environment(self, shelf: Path) -> None:
        environments = [
            wanted(shelf, "beam"), wanted(shelf, "beam==1.0"), wanted(shelf, "beam", constraints=("beam<2",)),
            wanted(shelf, "beam", python="3.12"), wanted(shelf, "beam", build=("pip",)),
            wanted(shelf, "beam", millstream=True), Environment("3.11", ("beam",)),
        ]
        assert len({key_of(one) for one in environments}) == len(environments)
        assert key_of(wanted(shelf, "beam")) == key_of(environments[0])

    def test_requirements_count_in_any_order_and_indexes_in_theirs(self) -> None:
        def key(*lines: str) -> str:
            return key_of(Environment(requirements=lines))

        indexes = ("--index-url https://a.example.org", "--extra-index-url https://b.example.org")
        assert key(*indexes, "beam", "roof==1") == key(*indexes, "roof==1", "beam")
        assert key(*indexes, "beam") != key(*reversed(indexes), "beam")

    def test_a_wheel_counts_by_its_content_and_not_by_its_folder(self, tmp_path: Path) -> None:
        keys = []
        for code in ("x = 1\n", "x = 2\n"):
            for place in ("a", "b c"):
                path = wheel(tmp_path / place, "beam", "1.0", code=code)
                for line in (str(path), path.as_uri(), f"beam @ {path.as_uri()}"):
                    keys.append(key_of(Environment(requirements=(line,))))
        assert len(set(keys)) == 2
        assert len(set(keys[:6])) == 1

    def test_a_file_that_is_named_like_a_requirement_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = key_of(Environment(requirements=("beam",)))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "beam").write_text("x")
        assert key_of(Environment(requirements=("beam",))) == before

    @pytest.mark.parametrize("line", ["beam; rm -r /", "$(id)", "--target /tmp", "beam\n--target /tmp", "-e ."])
    @pytest.mark.parametrize("place", ["requirements", "constraints", "build"])
    def test_a_line_that_is_no_requirement_is_refused(self, line: str, place: str, root: Path) -> None:
        with pytest.raises(InvalidValue):
            build(Environment(**{place: (line,)}))  # type: ignore[arg-type]
        assert not root.exists()


class TestFailures:
    def test_what_uv_says_is_told_and_nothing_is_left(self, root: Path, shelf: Path) -> None:
        with pytest.raises(EnvironmentFailed) as caught:
            build(wanted(shelf, "roof", "beam==3.0"))
        assert "beam==3.0" in caught.value.message
        assert caught.value.hint
        assert "\n" not in caught.value.message
        assert built() == []
        assert [entry.name for entry in root.iterdir()] == [".locks"]
        assert build(wanted(shelf, "roof", "beam==2.0")).reused is False

    def test_a_folder_that_cannot_be_written_is_told(self, shelf: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(EnvironmentFailed, match="cannot be written") as caught:
            build(wanted(shelf, "beam"), root=tmp_path / "file" / "envs")
        assert "ENV_ROOT" in str(caught.value.hint)

    def test_one_whose_interpreter_is_gone_is_built_again(self, root: Path, shelf: Path) -> None:
        environment = wanted(shelf, "beam")
        first = build(environment)
        first.python.unlink()
        assert built() == []
        again = build(environment)
        assert not again.reused
        assert says(again, "import beam; print(beam.version)") == "2.0"

    def test_one_that_was_half_removed_is_built_again(self, root: Path, shelf: Path) -> None:
        environment = wanted(shelf, "beam")
        (build(environment).path / building.STAMP).unlink()
        assert not build(environment).reused


def test_processes_that_ask_at_once_build_once(root: Path, shelf: Path) -> None:
    program = (
        "import sys\n"
        "from millstream.environments.building import Environment, build\n"
        "made = build(Environment(requirements=tuple(sys.argv[1:]), build=()))\n"
        "print(made.reused, made.path)\n"
    )
    lines = wanted(shelf, "roof").requirements
    started = [subprocess.Popen([sys.executable, "-c", program, *lines], stdout=subprocess.PIPE, text=True)
               for _ in range(3)]
    answers = [process.communicate()[0].split() for process in started]
    assert sorted(answer[0] for answer in answers) == ["False", "True", "True"]
    assert len({answer[1] for answer in answers}) == 1


class TestRemoving:
    def test_one_is_removed_unless_a_process_uses_it(self, root: Path, shelf: Path) -> None:
        made = build(wanted(shelf, "beam"))
        with made.in_use():
            assert remove(made) is False
            assert built() == [made]
        assert remove(made) is True
        assert built() == []
        assert not made.path.exists()
        with pytest.raises(EnvironmentFailed, match="was removed"), made.in_use():
            raise AssertionError("an environment that is gone was used")

    def test_one_in_a_folder_that_others_own_is_used_and_not_removed(self, root: Path, shelf: Path) -> None:
        made = build(wanted(shelf, "beam"))
        shutil.rmtree(root / ".locks")
        (root / ".locks").touch()  # as if nothing could be written there
        with made.in_use():
            assert says(made, "import beam; print(beam.version)") == "2.0"
        with pytest.raises(EnvironmentFailed, match="cannot be removed"):
            remove(made)
        assert built() == [made]

    def test_use_is_remembered(self, root: Path, shelf: Path) -> None:
        older, newer = build(wanted(shelf, "beam==1.0")), build(wanted(shelf, "beam==2.0"))
        for one in (older, newer):
            os.utime(one.path / ".last-used", (1, 1))
        before = time.time() - 1
        with older.in_use():
            pass
        found = built()
        assert [one.key for one in found] == [older.key, newer.key]
        assert found[0].last_used > before
        assert found[1].last_used == 1

    def test_what_killed_builds_left_is_swept_and_what_goes_on_is_not(self, root: Path, shelf: Path) -> None:
        made = build(wanted(shelf, "beam"))
        left = root / f".building-{key_of(wanted(shelf, 'roof'))}.tmp1"
        left.mkdir()
        running = root / f".building-{made.key}.tmp2"
        running.mkdir()
        with made.in_use():
            assert sweep() == 1
        assert sorted(entry.name for entry in root.iterdir()) == sorted([".locks", made.key, running.name])
        assert sweep() == 1
        assert built() == [made]

    def test_its_size_is_that_of_its_files(self, root: Path, shelf: Path) -> None:
        made = build(wanted(shelf, "beam"))
        before = size_of(made)
        (made.path / "more").write_bytes(b"x" * 12_345)
        assert size_of(made) == before + 12_345


class TestOurselves:
    def test_the_running_millstream_is_importable_there(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UV_CACHE_DIR")
        made = build(Environment(build=(), millstream=True))
        import millstream

        told = json.loads(says(made, "import json, sys, millstream.cli\n"
                                     "print(json.dumps([millstream.__version__, millstream.__file__, sys.prefix]))"))
        assert told == [millstream.__version__, millstream.__file__, str(made.path)]

    def test_a_python_that_is_too_old_for_it_is_told(self, root: Path) -> None:
        with pytest.raises(InvalidValue, match=r"3\.10 and later"):
            build(Environment(python="3.9", millstream=True))

    def test_it_runs_on_what_its_project_says(self) -> None:
        project = (ROOT / "pyproject.toml").read_text()
        oldest = ".".join(map(str, ourselves().python))
        assert f'requires-python = ">={oldest}"' in project

    def test_what_it_needs_is_what_its_project_says(self) -> None:
        assert any(line.startswith("packaging>=") for line in ourselves().requirements)
        assert not any("extra" in line for line in ourselves().requirements)

    def test_one_that_is_no_checkout_is_copied(self, tmp_path: Path) -> None:
        source = tmp_path / "source" / "millstream"
        source.mkdir(parents=True)
        (source / "__init__.py").write_text("x = 1\n")
        (tmp_path / "source" / "other.py").touch()
        (tmp_path / "packages").mkdir()
        Ourselves((), str(source.parent), "digest").put(tmp_path / "packages")
        assert [path.name for path in (tmp_path / "packages").rglob("*")] == ["millstream", "__init__.py"]
        Ourselves(("millstream==1",)).put(tmp_path / "packages")
        assert len(list((tmp_path / "packages").iterdir())) == 1


def test_the_folder_is_the_users_cache_unless_a_setting_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("MILLSTREAM_ENV_ROOT", "MLFLOW_ENV_ROOT", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert building.environments_folder() == tmp_path / ".cache" / "millstream" / "envs"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert building.environments_folder() == tmp_path / "cache" / "millstream" / "envs"
    monkeypatch.setenv("MLFLOW_ENV_ROOT", "~/mine")
    assert building.environments_folder() == tmp_path / "mine"


def test_a_process_in_it_knows_nothing_of_ours(root: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "PYENV_VERSION", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "/elsewhere")
    made = build(wanted(shelf, "beam"))
    variables = made.variables()
    assert variables["VIRTUAL_ENV"] == str(made.path)
    assert variables["PATH"].split(os.pathsep)[0] == str(made.path / "bin")
    assert not {"PYTHONPATH", "PYTHONHOME", "PYENV_VERSION", "CONDA_PREFIX"} & variables.keys()


def test_a_process_in_it_has_the_variables_that_it_was_made_with(root: Path, shelf: Path) -> None:
    plain = wanted(shelf, "beam")
    environment = wanted(shelf, "beam", variables=(("PATH", "/nowhere"), ("WHERE", "a b")))
    assert key_of(environment) != key_of(plain)
    assert build(plain).variables().get("WHERE") is None
    for made in (build(environment), build(environment)):
        assert says(made, "import os; print(os.environ['WHERE'])") == "a b"


def test_uv_is_that_of_the_package() -> None:
    assert Path(interpreters.uv()).is_relative_to(Path(sys.prefix))
