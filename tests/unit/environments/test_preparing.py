"""Environments of projects are made from their descriptions, for every Python, and survive what happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from millstream.environments.building import Built, Environment, build, built, key_of, sweep
from millstream.environments.descriptions import Description, describe
from millstream.environments.preparing import environment_of, managed, prepare
from millstream.errors import InvalidValue, PythonNotFound
from tests.unit.environments.slow_builds import slow_package
from tests.unit.environments.wheels import wheel

SEEDED = "import json, sys, setuptools, pkg_resources, pip, wheel\n" \
         "print(json.dumps([list(sys.version_info[:2]), setuptools.__version__, wheel.__version__]))"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
    return tmp_path / "envs"


def described(folder: Path, text: str) -> Description:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "python_env.yaml").write_text(text)
    found = describe(folder)
    assert found is not None
    return found


def says(environment: Built, code: str) -> str:
    done = subprocess.run(["python", "-W", "ignore", "-c", code], capture_output=True, text=True, check=True,
                          env=environment.variables())
    return done.stdout.strip()


@pytest.mark.parametrize("minor", [7, 8, 9, 10, 11, 12, 13])
def test_every_python_gets_what_virtualenv_seeds(minor: int, tmp_path: Path) -> None:
    made = prepare(described(tmp_path, f"python: 3.{minor}\n"))
    python, setuptools, _ = json.loads(says(made, SEEDED))
    assert python == [3, minor]
    assert int(setuptools.split(".")[0]) < 81
    assert subprocess.check_output(["pip", "--version"], text=True, env=made.variables()).startswith("pip ")


def test_a_python_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path, root: Path) -> None:
    with pytest.raises(PythonNotFound, match=r"no Python 3\.99 on this machine; found: .*3\.11"):
        prepare(described(tmp_path, "python: 3.99\n"))
    assert not root.exists()


def test_what_a_project_asks_of_setuptools_wins(tmp_path: Path) -> None:
    early = prepare(described(tmp_path / "a", "build_dependencies: [setuptools==65.5.0]\n"))
    late = prepare(described(tmp_path / "b", "dependencies: [setuptools==66.1.1]\n"))
    assert [json.loads(says(made, SEEDED))[1] for made in (early, late)] == ["65.5.0", "66.1.1"]


def test_seeds_are_named_once(tmp_path: Path) -> None:
    found = described(tmp_path, "build_dependencies: [PIP==23.0, cython]\n")
    assert environment_of(found).build == ("setuptools", "wheel", "PIP==23.0", "cython")
    assert environment_of(found, seeded=False).build == ("PIP==23.0", "cython")


def test_managers() -> None:
    assert managed(None) == "uv"
    assert managed("virtualenv") == "virtualenv"
    with pytest.raises(InvalidValue, match="none of uv, virtualenv, conda, local"):
        managed("docker")
    with pytest.raises(InvalidValue, match="no environment to build"):
        prepare(Description("requirements", Path("requirements.txt")), manager="local")


def test_the_same_content_is_the_same_environment_wherever_it_lies(tmp_path: Path) -> None:
    keys = set()
    for place in ("one", "other"):
        folder = tmp_path / place
        wheel(folder / "wheels", "beam", "1.0")
        (folder / "lib").mkdir()
        (folder / "lib" / "setup.py").write_text("from setuptools import setup\nsetup(name='lib')\n")
        (folder / "requirements.txt").write_text("-e ./lib\nwheels/beam-1.0-py3-none-any.whl\n")
        found = described(folder, "dependencies: [-r requirements.txt]\n")
        keys |= {key_of(environment_of(found, manager=manager)) for manager in ("uv", "virtualenv")}
    assert len(keys) == 1
    (tmp_path / "one" / "lib" / "setup.py").write_text("from setuptools import setup\nsetup(name='lib', version='2')\n")
    found = described(tmp_path / "one", "dependencies: [-r requirements.txt]\n")
    assert key_of(environment_of(found)) not in keys


def test_a_package_in_a_folder_is_installed_as_it_is_now_and_its_folder_left_alone(tmp_path: Path) -> None:
    project = tmp_path / "my project"
    (project / "src" / "house").mkdir(parents=True)
    (project / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='house', version='1', packages=['house'], package_dir={'': 'src'},\n"
        "      extras_require={'more': ['six']}, package_data={'house': ['*.txt']})\n")
    (project / "src" / "house" / "words.txt").write_text("words")
    keys = []
    for rooms in ("2", "3"):
        (project / "src" / "house" / "__init__.py").write_text(f"rooms = {rooms}\n")
        made = prepare(described(project, "python: 3.9\ndependencies: ['-e .[more]']\n"))
        keys.append(made.key)
        told = says(made, "import house, six, os; print(house.rooms, os.listdir(os.path.dirname(house.__file__)))")
        assert told.startswith(rooms) and "words.txt" in told
    assert keys[0] != keys[1]
    assert sorted(entry.name for entry in project.iterdir()) == ["python_env.yaml", "setup.py", "src"]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


class TestKilled:
    """A process that builds is killed."""

    @pytest.fixture
    def building(self, tmp_path: Path) -> Iterator[tuple[Environment, subprocess.Popen[str], Path]]:
        """An environment, the process that is building it, and the folder of its signals."""
        signals = tmp_path / "signals"
        folder = slow_package(tmp_path / "slow", signals)
        environment = Environment(requirements=("--no-index", folder.as_uri()), build=())
        program = ("import sys\nfrom millstream.environments.building import Environment, build\n"
                   "build(Environment(requirements=tuple(sys.argv[1:]), build=()))\n")
        process = subprocess.Popen([sys.executable, "-c", program, *environment.requirements], text=True,
                                   stderr=subprocess.PIPE)
        wait_for((signals / "started").exists, process)
        yield environment, process, signals
        (signals / "go-on").touch()
        process.kill()
        process.communicate()

    def test_others_survive_and_are_built_meanwhile_and_what_it_left_is_removed(
        self, building: tuple[Environment, subprocess.Popen[str], Path], tmp_path: Path, root: Path
    ) -> None:
        environment, process, signals = building
        wheel(tmp_path / "shelf", "beam", "1.0")
        other = build(Environment(requirements=("--no-index", f"--find-links {tmp_path / 'shelf'}", "beam"), build=()))
        (installer,) = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert installer.is_running()
        assert sweep() == 0  # uv writes to it still, and holds its lock
        (signals / "go-on").touch()
        psutil.wait_procs([installer])
        assert [entry for entry in root.iterdir() if entry.name.startswith(".building-")]
        assert sweep() == 1
        assert sorted(entry.name for entry in root.iterdir()) == [".locks", other.key]
        assert built() == [other]
        assert says(other, "import beam; print(beam.version)") == "1.0"
        again = build(environment)
        assert not again.reused
        assert says(again, "import slow; print(slow.x)") == "1"

    def test_who_asks_for_the_same_waits_for_what_still_writes(
        self, building: tuple[Environment, subprocess.Popen[str], Path]
    ) -> None:
        environment, process, signals = building
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        (signals / "go-on").touch()
        assert says(build(environment), "import slow; print(slow.x)") == "1"
