from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream import plugins


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    plugins.forget()
    yield
    plugins.forget()


def install(folder: Path, distribution: str, entry_points: str, version: str = "1.0") -> None:
    info = folder / f"{distribution}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)


def test_entry_points_of_several_groups_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "some_thing", "# comment\n[a.group]\none = json:dumps\n\n[b.group]\ntwo = json:loads [extra]\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = plugins.plugins("a.group", "b.group")
    assert [(p.name, p.value, p.group, p.distribution) for p in found] == [
        ("one", "json:dumps", "a.group", "some-thing"),
        ("two", "json:loads", "b.group", "some-thing"),
    ]
    assert found[1].load()("[1]") == [1]


def test_what_is_first_on_the_path_hides_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "old", "thing", "[g]\nx = json:loads\n", "1.0")
    install(tmp_path / "new", "thing", "[g]\nx = json:dumps\n", "2.0")
    monkeypatch.syspath_prepend(tmp_path / "old")
    monkeypatch.syspath_prepend(tmp_path / "new")
    assert [p.value for p in plugins.plugins("g")] == ["json:dumps"]


def test_one_that_does_not_load_is_logged_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(tmp_path, "thing", "[g]\nbad = no_such_module:x\nworse = json:no_such_name\ngood = json:dumps\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [plugin.name for plugin, _ in plugins.load_all("g")] == ["good"]
    assert "no_such_module" in caplog.text


def test_the_same_as_importlib_metadata_in_this_environment() -> None:
    group = "console_scripts"
    ours = {(p.name, p.value) for p in plugins.plugins(group)}
    theirs = {(e.name, e.value.partition("[")[0].strip()) for e in importlib.metadata.entry_points(group=group)}
    assert theirs
    assert ours == theirs
