"""What is generated for the web UI is what the server says, and its lock file names no place on the net."""

from __future__ import annotations

import json

from tests.servers.keeper import ROOT
from tools import ui_types

UI = ROOT / "ui"


def test_types_are_those_of_the_api() -> None:
    assert ui_types.TARGET.read_text(encoding="utf-8") == ui_types.text(), "run: npm --prefix ui run types"


def test_lock_file_names_no_registry() -> None:
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    assert [name for name, facts in packages.items() if "resolved" in facts] == []


def test_versions_are_exact() -> None:
    package = json.loads((UI / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not version[0].isdigit()] == []
