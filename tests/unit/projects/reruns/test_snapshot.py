"""Code kept with runs: whole, the same bytes for the same files, and never written outside of its folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

import millstream
from millstream.errors import ArtifactNotFound, CannotRerun, IntegrityError
from millstream.projects.pipelines.code import taken
from millstream.projects.reruns import snapshot
from millstream.tracking.files import artifacts_of_run
from millstream.tracking.stores import get_tracking_uri


@pytest.fixture
def run_id(tracking: Path) -> str:
    with millstream.start_run() as run:
        return run.info.run_id


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "train.py").write_text("print(1)\n")
    (folder / "src" / "run.sh").write_text("echo\n")
    (folder / "src" / "run.sh").chmod(0o755)
    (folder / "src" / "link").symlink_to("../train.py")
    return folder


def test_code_comes_back_as_it_was(project: Path, tmp_path: Path, run_id: str) -> None:
    code = taken(project, tmp_path / "copy")
    snapshot.keep(code, run_id, get_tracking_uri())
    assert millstream.get_run(run_id).data.tags[snapshot.DIGEST] == code.digest
    back = snapshot.restore(run_id, code.digest, tmp_path / "back", get_tracking_uri())
    assert back.files == code.files
    assert (tmp_path / "back" / "src" / "link").read_text() == "print(1)\n"
    with pytest.raises(IntegrityError, match="not what the run was started with"):
        snapshot.restore(run_id, "0" * 64, tmp_path / "other", get_tracking_uri())


def test_large_code_is_told_by_its_digest_only(
    project: Path, tmp_path: Path, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshot, "LARGEST", 3)
    code = taken(project, tmp_path / "copy")
    snapshot.keep(code, run_id, get_tracking_uri())
    assert millstream.get_run(run_id).data.tags[snapshot.DIGEST] == code.digest
    assert "is not kept with it" in caplog.text
    with pytest.raises(ArtifactNotFound):
        snapshot.restore(run_id, code.digest, tmp_path / "back", get_tracking_uri())


@pytest.mark.parametrize("evil", [
    [("../evil", None)], [("/tmp/evil", None)], [("out", ".."), ("out/evil", "x")], [("a/../../evil", None)],
], ids=str)
def test_an_archive_writes_nowhere_else(evil: list[tuple[str, str | None]], tmp_path: Path, run_id: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, link in evil:
            member = tarfile.TarInfo(name)
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member, io.BytesIO())
    artifacts_of_run(run_id, get_tracking_uri()).write(snapshot.ARTIFACT, [packed.getvalue()])
    with pytest.raises(CannotRerun, match="no file of a project"):
        snapshot.restore(run_id, "0" * 64, tmp_path / "inside" / "back", get_tracking_uri())
    assert not (tmp_path / "inside" / "evil").exists()
    assert not (tmp_path / "evil").exists()


def test_changes_are_what_git_does_not_have(project: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=Z", "-c", "user.email=z@example.com", *words], cwd=project, check=True,
                       capture_output=True)

    assert snapshot.has_changes(project) is None
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert snapshot.has_changes(project) is False
    (project / "mlruns").mkdir()
    (project / "mlruns" / "file").write_text("x")
    assert snapshot.has_changes(project) is False
    (project / "fresh ä.py").write_text("x")
    assert snapshot.has_changes(project) is True
    assert snapshot.has_changes(project / "src") is False
    (project / "src" / "run.sh").write_text("other\n")
    assert snapshot.has_changes(project / "src") is True
