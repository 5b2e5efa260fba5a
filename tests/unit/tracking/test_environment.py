from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
from pathlib import Path

import pytest

from millstream.tracking import environment
from millstream.tracking.environment import capture, installed_packages


def distribution(folder: Path, entry: str, metadata: str | None = None, direct_url: object = None) -> None:
    info = folder / entry
    info.mkdir(parents=True)
    if metadata is not None:
        (info / "METADATA").write_text(metadata)
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))


def test_the_packages_of_this_environment_are_those_that_python_sees() -> None:
    seen = {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version
        for found in reversed(list(importlib.metadata.distributions()))
    }
    ours = {package.name: package.version for package in capture().packages}
    assert len(seen) > 20
    assert ours == seen


def test_packages_are_sorted_and_form_a_requirements_file() -> None:
    lines = capture().requirements().splitlines()
    assert lines == sorted(lines, key=lambda line: re.split(r"==| @ ", line)[0])
    assert f"pytest=={pytest.__version__}" in lines
    assert all(re.fullmatch(r"[a-z0-9-]+(==\S+( +# .*)?| @ \S+)", line) for line in lines)


def test_where_a_package_came_from(tmp_path: Path) -> None:
    distribution(tmp_path, "from_git-1.0.dist-info", direct_url={
        "url": "https://user:secret@example.com/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}
    })
    distribution(tmp_path, "editable_one-2.0.dist-info", direct_url={
        "url": "file:///home/ada/code", "dir_info": {"editable": True}
    })
    distribution(tmp_path, "archive-3.0.dist-info", direct_url={"url": "https://example.com/archive-3.0.tar.gz"})
    distribution(tmp_path, "broken-4.0.dist-info", direct_url=["not an object"])
    assert [package.requirement() for package in installed_packages([str(tmp_path)])] == [
        "archive @ https://example.com/archive-3.0.tar.gz",
        "broken==4.0",
        "editable-one==2.0  # installed from a local folder",
        "from-git @ git+https://example.com/x.git@abc123",
    ]


def test_what_is_first_on_the_path_is_what_python_imports(tmp_path: Path) -> None:
    distribution(tmp_path / "a", "Some.Thing-2.0.dist-info")
    distribution(tmp_path / "b", "some_thing-1.0.dist-info")
    found = installed_packages([str(tmp_path / "a"), str(tmp_path / "none"), str(tmp_path / "b")])
    assert [(package.name, package.version) for package in found] == [("some-thing", "2.0")]


def test_old_forms_of_metadata(tmp_path: Path) -> None:
    distribution(tmp_path, "noversion.dist-info", "Metadata-Version: 2.1\nName: No_Version\nVersion: 5\n\nName: text\n")
    egg = tmp_path / "old-1.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Name: old\nVersion: 1.5\n")
    (tmp_path / "distutils_one-0.1.egg-info").write_text("Name: distutils-one\nVersion: 0.1\n")
    distribution(tmp_path, "empty.dist-info")
    assert [package.requirement() for package in installed_packages([str(tmp_path)])] == [
        "distutils-one==0.1", "no-version==5", "old==1.5"
    ]


def test_the_machine_and_the_interpreter() -> None:
    found = capture()
    assert found.python == platform.python_version()
    assert found.hostname == platform.node()
    assert found.cpu_count >= 1
    assert found.memory is not None
    assert found.memory > 2**28
    assert found.cpu


def test_as_a_dict_it_is_json_and_as_text_it_shows_both_parts() -> None:
    found = capture()
    values = json.loads(json.dumps(found.to_dict()))
    assert values["packages"]["pytest"] == pytest.__version__
    assert values["python"] == platform.python_version()
    text = found.to_text()
    assert f"Python     {platform.python_version()}" in text
    assert text.endswith("\n\n" + found.requirements())


def test_it_is_read_once() -> None:
    assert capture() is capture()


def test_the_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "notebook:5")
    capture.cache_clear()
    try:
        assert capture().image == "notebook:5"
        assert "image notebook:5" in capture().to_text()
    finally:
        capture.cache_clear()


def test_no_os_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> dict[str, str]:
        raise OSError("no os-release")

    if sys.platform == "linux":
        monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    assert environment._system() == f"{platform.system()} {platform.release()}"
