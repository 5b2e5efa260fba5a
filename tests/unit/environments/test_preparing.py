"""Environments of descriptions that require Millstream itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream._version import VERSION
from millstream.environments.descriptions import describe
from millstream.environments.preparing import environment_of


@pytest.mark.parametrize(
    ("line", "is_this_one"),
    [
        ("millstream", True), (f"Millstream >= {VERSION}", True), (f"millstream=={VERSION}", True),
        ("millstream>9999", False), ("millstream[s3]", False), ("millstream-other", False), ("mlflow", False),
    ],
)
def test_who_requires_millstream_gets_the_one_that_runs(line: str, is_this_one: bool, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"six\n{line}\n")
    described = describe(tmp_path)
    assert described is not None
    environment = environment_of(described)
    assert environment.millstream == is_this_one
    assert environment.requirements == (("six",) if is_this_one else ("six", line))
