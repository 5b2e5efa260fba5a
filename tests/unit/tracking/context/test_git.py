from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from millstream.tracking.context.git import Checkout, Git, status, without_credentials

COMMIT = "mlflow.source.git.commit"
BRANCH = "mlflow.source.git.branch"
URL = "mlflow.source.git.repoURL"
DIRTY = "mlflow.source.git.dirty"


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    answer = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=environment
    )
    return answer.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_commit_and_branch_from_a_folder_inside(repository: Path) -> None:
    inside = repository / "a" / "b"
    inside.mkdir(parents=True)
    provider = Git(inside)
    assert provider.in_context()
    assert provider.tags() == {COMMIT: git(repository, "rev-parse", "HEAD"), BRANCH: "main"}


def test_no_repository(tmp_path: Path) -> None:
    provider = Git(tmp_path)
    assert not provider.in_context()
    assert provider.tags() == {}
    assert provider.late_tags(5.0) == {}


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    assert Git(tmp_path).tags() == {BRANCH: "trunk"}
    assert status(tmp_path, 30.0) == {BRANCH: "trunk", DIRTY: "false"}


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert Git(repository).tags() == {COMMIT: git(repository, "rev-parse", "HEAD")}
    assert BRANCH not in status(repository, 30.0)


def test_a_branch_with_slashes_and_packed_refs(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "feature/one")
    git(repository, "branch", "another-feature/one")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git/refs/heads/feature/one").exists()
    assert Git(repository).tags() == {COMMIT: git(repository, "rev-parse", "HEAD"), BRANCH: "feature/one"}


def test_a_loose_ref_goes_before_a_packed_one(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    assert Git(repository).tags()[COMMIT] == git(repository, "rev-parse", "HEAD")


def test_a_linked_working_tree_has_its_own_branch(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/r.git")
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "on the side")
    tags = Git(tmp_path / "side").tags()
    assert tags == {
        COMMIT: git(tmp_path / "side", "rev-parse", "HEAD"), BRANCH: "side", URL: "https://example.com/r.git"
    }
    assert tags[COMMIT] != Git(repository).tags()[COMMIT]


def test_a_submodule_is_a_checkout_of_its_own(repository: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    checkout = Checkout.containing(outer / "inner")
    assert checkout is not None
    assert checkout.root == outer / "inner"
    assert Git(outer / "inner").tags()[COMMIT] == git(repository, "rev-parse", "HEAD")


def test_a_repository_with_reftables_is_read_by_git(tmp_path: Path) -> None:
    # This is what such a repository looks like from outside; old versions of git cannot make one.
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    assert Git(tmp_path).tags() == {}


@pytest.mark.parametrize(
    "head", ["ref: ../../secret", "ref: /etc/passwd", "", "garbage", "ref: refs/heads/none", "ref: HEAD", "\x00\xff"]
)
def test_a_damaged_head_gives_no_commit(repository: Path, head: str) -> None:
    (repository / ".git/HEAD").write_text(head)
    assert COMMIT not in Git(repository).tags()


def test_the_remote_that_the_branch_follows_goes_before_origin(repository: Path) -> None:
    git(repository, "remote", "add", "mirror", "https://example.com/mirror.git")
    assert Git(repository).tags()[URL] == "https://example.com/mirror.git"
    git(repository, "remote", "add", "origin", "https://example.com/origin.git")
    assert Git(repository).tags()[URL] == "https://example.com/origin.git"
    git(repository, "config", "branch.main.remote", "mirror")
    assert Git(repository).tags()[URL] == "https://example.com/mirror.git"


def test_a_configuration_written_by_hand(repository: Path) -> None:
    with (repository / ".git/config").open("a") as file:
        file.write(
            '; a comment = not a value\n[Remote "up \\"stream\\""] URL = "https://example.com/a;b.git" # ours\n'
            '[remote "origin"]\n\turl = git@example.com:team/code.git # the real one\n\tpushurl = https://elsewhere\n'
        )
    assert Git(repository).tags()[URL] == "git@example.com:team/code.git"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@example.com/x.git", "https://example.com/x.git"),
        ("https://token@example.com:8443/x.git", "https://example.com:8443/x.git"),
        ("https://example.com/x@y.git", "https://example.com/x@y.git"),
        ("ssh://git:secret@example.com/x.git", "ssh://git@example.com/x.git"),
        ("git@example.com:x/y.git", "git@example.com:x/y.git"),
        ("/srv/git/x.git", "/srv/git/x.git"),
    ],
)
def test_credentials_are_not_recorded(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_dirty_means_that_a_tracked_file_differs(repository: Path) -> None:
    provider = Git(repository)
    assert provider.late_tags(30.0)[DIRTY] == "false"
    (repository / "output.txt").write_text("not tracked")
    assert provider.late_tags(30.0)[DIRTY] == "false"
    (repository / "train.py").write_text("print(2)\n")
    assert provider.late_tags(30.0) == {COMMIT: git(repository, "rev-parse", "HEAD"), BRANCH: "main", DIRTY: "true"}
    git(repository, "add", "train.py")
    assert provider.late_tags(30.0)[DIRTY] == "true"


def test_a_hook_of_the_repository_is_not_run(repository: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    assert DIRTY in status(repository, 30.0)
    assert not witness.exists()


def test_without_the_program_the_rest_is_still_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    provider = Git(repository)
    assert provider.late_tags(30.0) == {}
    assert set(provider.tags()) == {COMMIT, BRANCH}
