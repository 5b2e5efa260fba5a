"""Which files of a project count as its code, and their digests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from millstream.data.file_dataset import from_file
from millstream.errors import BadPipeline, LimitExceeded
from millstream.projects.pipelines import code as codes
from millstream.projects.pipelines.code import counted_files, digest_of, taken


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=Zoë", "-c", "user.email=z@example.com", *words], cwd=folder, check=True,
                   capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    put(folder, train_py="1", src__a_py="2", src__deep__b_py="3", notes="4")
    return folder


def test_without_git_all_counts_but_what_tools_leave_behind(project: Path) -> None:
    put(project, **{"__pycache__/x.pyc": "x", "venv/pyvenv.cfg": "x", "venv/lib": "x"})
    (project / "mlruns").mkdir()
    put(project / "mlruns", file="x")
    (project / "link").symlink_to("src")
    assert counted_files(project) == ["link", "notes", "src/a.py", "src/deep/b.py", "train.py"]


def test_in_a_checkout_git_decides(project: Path) -> None:
    git(project, "init", "-q")
    put(project, ignored="x", **{".gitignore": "ignored\n"})
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    put(project, fresh_py="x", **{"mlruns/0": "x"})
    (project / "notes").unlink()
    assert counted_files(project) == [".gitignore", "fresh.py", "src/a.py", "src/deep/b.py", "train.py"]
    assert counted_files(project / "src") == ["a.py", "deep/b.py"]


def test_a_folder_that_its_repository_ignores_is_code_all_the_same(project: Path) -> None:
    git(project, "init", "-q")
    put(project, **{".gitignore": "src\n"})
    assert counted_files(project / "src") == ["a.py", "deep/b.py"]


def test_a_copy_does_not_change_with_the_files(project: Path, tmp_path: Path) -> None:
    copied = taken(project, tmp_path / "copy", ["notes", project / "src" / "deep"])
    assert sorted(copied.files) == ["src/a.py", "train.py"]
    before = copied.digest
    put(project, train_py="another")
    assert taken(project, tmp_path / "other", ["notes", "src/deep"]).digest != before
    assert (tmp_path / "copy" / "train.py").read_text() == "1"
    again = codes.read(tmp_path / "copy")
    assert again.digest == before


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "train.py").chmod(0o755),
    lambda folder: (folder / "train.py").rename(folder / "other.py"),
    lambda folder: put(folder, train_py="11"),
    lambda folder: ((folder / "train.py").unlink(), (folder / "train.py").symlink_to("notes")),
], ids=["mode", "name", "content", "link"])
def test_whatever_a_program_could_notice_changes_the_digest(project: Path, tmp_path: Path, change: object) -> None:
    before = taken(project, tmp_path / "one").digest
    assert callable(change)
    change(project)
    assert taken(project, tmp_path / "two").digest != before


def test_code_is_narrowed_by_files_folders_and_patterns(project: Path, tmp_path: Path) -> None:
    copied = taken(project, tmp_path / "copy")
    assert sorted(copied.only(("train.py",), "s").files) == ["train.py"]
    assert sorted(copied.only(("src/",), "s").files) == ["src/a.py", "src/deep/b.py"]
    assert sorted(copied.only(("*.py",), "s").files) == ["src/a.py", "src/deep/b.py", "train.py"]
    assert copied.only((), "s") is copied
    assert copied.only((".",), "s").digest == copied.digest
    with pytest.raises(BadPipeline, match=r"'nothing\.py' of the entry point 's'"):
        copied.only(("train.py", "nothing.py"), "s")


def test_a_project_full_of_data_is_refused(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "LARGEST", 3)
    with pytest.raises(LimitExceeded, match="4 files"):
        taken(project, tmp_path / "copy")


def test_the_digest_of_data_is_that_of_its_data_set(project: Path) -> None:
    for path in (project, project / "train.py"):
        assert from_file(path).digest == digest_of(path)[:16]
