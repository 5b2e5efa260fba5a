"""How a program was started is recorded, and what it must not know is not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millstream.tracking.context.program import PROGRAM, without_secrets

SCRIPT = "import json\nfrom millstream.tracking.context import collect_tags\nprint(json.dumps(collect_tags()))\n"


def started(*arguments: str, folder: Path, **environment: str) -> dict[str, Any] | None:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True, text=True,
                          env={**os.environ, **environment})
    text = json.loads(done.stdout.splitlines()[-1]).get(PROGRAM)
    return None if text is None else dict(json.loads(text))


def test_a_script_with_its_arguments_and_folder(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text(SCRIPT)
    assert started("code/train.py", "--depth", "3", "ä b", folder=tmp_path) == {
        "path": str(tmp_path / "code/train.py"), "sha256": hashlib.sha256(SCRIPT.encode()).hexdigest(), "module": None,
        "arguments": ["--depth", "3", "ä b"], "folder": str(tmp_path), "repository": None,
    }
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    found = started("train.py", folder=tmp_path / "code")
    assert found is not None
    assert (found["repository"], found["folder"]) == (str(tmp_path), str(tmp_path / "code"))


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").touch()
    (tmp_path / "pack/train.py").write_text(SCRIPT)
    found = started("-m", "pack.train", folder=tmp_path)
    assert found is not None
    assert (found["module"], found["path"]) == ("pack.train", str(tmp_path / "pack/train.py"))


def test_nothing_of_what_is_no_file_or_not_to_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    assert started("-c", SCRIPT, folder=tmp_path) is None
    assert started("train.py", folder=tmp_path, MILLSTREAM_CAPTURE_PROGRAM="false") is None


def test_very_many_arguments_leave_a_tag_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    found = started("train.py", "x" * 9_000, folder=tmp_path)
    assert found is not None
    assert found["arguments"] == [None]


@pytest.mark.parametrize(("typed", "kept"), [
    (["--password", "x", "--depth", "3"], ["--password", None, "--depth", "3"]),
    (["--api-key=x", "-token", "y", "z"], [None, "-token", None, "z"]),
    (["--max-tokens", "5", "--key-column", "id"], ["--max-tokens", "5", "--key-column", "id"]),
    (["postgresql://me:pw@host/db", "s3://bucket/key"], [None, "s3://bucket/key"]),
    (["db.password=x", "password"], [None, "password"]),
])
def test_secrets_are_left_out(typed: list[str], kept: list[str | None]) -> None:
    assert without_secrets(typed) == kept
