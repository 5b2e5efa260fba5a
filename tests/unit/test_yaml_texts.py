"""YAML of others: what is read, and what is refused before it does harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from millstream.errors import BadModel, InvalidValue
from millstream.models.mlmodel import Model
from millstream.yaml_texts import DEEPEST, read


def test_values_are_plain() -> None:
    assert read("a: [1, 2.5, null, 'x']\nb: {c: true}") == {"a": [1, 2.5, None, "x"], "b": {"c": True}}
    assert read(b"") is None


@pytest.mark.parametrize("text", ["a: [", "\tb", "!!python/object/apply:os.getcwd []", b"\xff\xfe\xfa"])
def test_what_is_no_yaml_is_told(text: str | bytes) -> None:
    with pytest.raises(InvalidValue, match="not YAML"):
        read(text)


@pytest.mark.parametrize("open_, close", [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
def test_levels_without_end_are_refused_and_the_process_lives(open_: str, close: str) -> None:
    """In a process of its own, which would die."""
    program = f"""
from millstream.errors import InvalidValue
from millstream.yaml_texts import read
for levels in ({DEEPEST - 10}, 500, 100_000):
    try:
        read({open_!r} * levels + "1" + {close!r} * levels)
        print("read")
    except InvalidValue:
        print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert said[-1] == "refused"
    assert said[0] == "read" or open_ == "? ", "mappings are no keys"


def test_a_hostile_model_file_is_a_bad_model(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: " + "[" * 50_000)
    with pytest.raises(BadModel, match="cannot be read"):
        Model.load(tmp_path)
