"""What README and the docs show is run, page by page, in a folder of its own; what they link to is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def programs(page: Path) -> str:
    """The Python blocks of a page, one after the other, as one program."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(programs(page))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment | {"MILLSTREAM_OUTBOX_DIR": str(tmp_path / "outbox")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    generated = {ROOT / "docs" / "reference" / f"{name}.md" for name in ("operations", "settings", "command-line")}
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        path = (page.parent / target).resolve()
        assert path.exists() or path in generated, f"{page.name} links to {target}"


def test_the_documentation_builds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "log-metric" in (tmp_path / "site" / "reference" / "operations" / "index.html").read_text()
