"""The signature of a model, read from its file as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.artifacts.local import LocalStore
from millstream.artifacts.signatures import LARGEST, read_signature
from millstream.errors import InvalidValue
from millstream.yaml_texts import DEEPEST


def read(folder: Path, text: str) -> str | None:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "MLmodel").write_text(text)
    with LocalStore(str(folder)) as store:
        return read_signature(store, "model")


def test_the_signature_of_a_model(tmp_path: Path) -> None:
    text = read(tmp_path, "flavors: {}\nsignature:\n  inputs: '[{\"type\": \"long\"}]'\n  outputs: null\n  more: 1\n")
    assert json.loads(str(text)) == {"inputs": '[{"type": "long"}]', "outputs": None, "params": None}


@pytest.mark.parametrize("text", ["flavors: {}\n", "signature:\n", "signature: {}\n"])
def test_a_model_without_one(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ""


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with LocalStore(str(tmp_path)) as store:
        assert read_signature(store) is None
        assert read_signature(store, "nowhere/at/all") is None


@pytest.mark.parametrize(
    "text",
    ["", "- 1\n", "signature: 3\n", "signature: {inputs: [1]}\n", "a: [\n", "a: 2001-99-99\n", "\x00",
     "[" * (DEEPEST + 1), "a: " * 50_000, "x" * (LARGEST + 1), "!!python/name:os.system\n"],
    ids=lambda text: text[:12],
)
def test_what_is_no_description_of_a_model(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidValue, match="MLmodel file"):
        read(tmp_path, text)


def test_levels_that_a_file_may_have(tmp_path: Path) -> None:
    inside = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read(tmp_path, f"metadata: {inside}\n") == ""
