"""``millstream models``: models described, sealed, and their requirements changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream import pyfunc
from millstream.cli import main
from millstream.errors import UntrustedModel
from tests.isolation import isolated


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> str:
    def shout(texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]

    pyfunc.save_model(tmp_path / "model", python_model=shout, metadata={"owner": "me"})
    return str(tmp_path / "model")


def test_a_folder_is_described(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "describe", folder, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["metadata"] == {"owner": "me"}
    assert list(facts["flavors"]) == ["python_function"]
    assert facts["signature"]["inputs"] == '[{"type": "string", "required": true}]'
    assert [line.partition("==")[0] for line in facts["requirements"]] == ["cloudpickle"]
    assert main(["models", "describe", folder]) == 0
    assert "python_function" in capsys.readouterr().out


def test_a_logged_model_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = pyfunc.log_model(name="same", python_model=lambda data: data)
    assert main(["models", "describe", info.model_uri, "--tracking-uri", str(tmp_path / "runs"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_id"] == info.model_id


def test_what_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "describe", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: there is no model at")
    assert "hint:" in error
    assert main(["models", "seal", str(tmp_path)]) == 1


def test_a_model_of_someone_else_is_sealed(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "another"))
    with pytest.raises(UntrustedModel):
        pyfunc.load_model(folder)
    assert main(["models", "seal", folder]) == 0
    assert pyfunc.load_model(folder).predict(["a"]) == ["A"]


def test_requirements_are_added_and_removed(folder: str) -> None:
    assert main(["models", "update-pip-requirements", "-m", folder, "add", "numpy>=2", "six"]) == 0
    assert main(["models", "update-pip-requirements", "-m", folder, "remove", "cloudpickle"]) == 0
    assert Path(millstream.pyfunc.get_model_dependencies(folder)).read_text().split() == ["numpy>=2", "six"]
    assert pyfunc.load_model(folder).predict(["a"]) == ["A"]  # sealed as before
