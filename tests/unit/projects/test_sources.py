"""Projects from folders, real repositories and zips; what strangers could do with addresses, versions and members."""

from __future__ import annotations

import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from millstream.errors import InvalidValue, LimitExceeded, ProjectNotFound
from millstream.projects.archives import extract
from millstream.projects.sources import discard, fetched


class Repository:
    """A working tree with two commits on main, the first of them tagged v1, one on a branch, and a bare clone."""

    def __init__(self, place: Path) -> None:
        self.tree = place / "tree"
        self.bare = place / "bare.git"
        (self.tree / "sub").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commits = [self.commit("sub/MLproject", "one")]
        self.git("tag", "-a", "v1", "-m", "first")
        self.commits.append(self.commit("sub/MLproject", "two"))
        self.git("checkout", "-q", "-b", "work")
        self.commits.append(self.commit("sub/MLproject", "three"))
        self.git("checkout", "-q", "main")
        subprocess.run(["git", "clone", "-q", "--bare", str(self.tree), str(self.bare)], check=True)

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.tree), "-c", "user.email=a@b", "-c", "user.name=n", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, name: str, text: str) -> str:
        (self.tree / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


def test_a_folder_is_used_where_it_lies(repository: Repository) -> None:
    source = fetched(repository.tree / "sub")
    assert source.folder == repository.tree / "sub"
    assert (source.commit, source.branch, source.version) == (repository.commits[1], "main", None)
    assert source.temporary is None
    assert fetched(f"{repository.tree}#sub").folder == source.folder
    assert fetched(f"{repository.tree.as_uri()}#sub").folder == source.folder


def test_a_folder_with_a_number_sign_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a#b").mkdir()
    assert fetched(tmp_path / "a#b").folder == tmp_path / "a#b"


@pytest.mark.parametrize(
    ("version", "text", "commit", "branch"),
    [(None, "two", 1, "main"), ("v1", "one", 0, None), ("work", "three", 2, "work"), ("main", "two", 1, "main"),
     ("main~1", "one", 0, None)],
)
def test_versions_of_a_repository(
    repository: Repository, version: str | None, text: str, commit: int, branch: str | None
) -> None:
    for address in (f"{repository.bare.as_uri()}#sub", f"{repository.bare}#sub"):
        source = fetched(address, version)
        try:
            assert (source.folder / "MLproject").read_text() == text
            assert (source.commit, source.branch) == (repository.commits[commit], branch)
            assert (source.repository, source.subfolder) == (repository.bare.as_uri(), "sub")
        finally:
            discard(source)
        assert not source.folder.exists()


def test_commits_by_their_ids_whole_and_short(repository: Repository) -> None:
    for version in (repository.commits[0], repository.commits[0][:8]):
        source = fetched(repository.bare.as_uri(), version)
        assert source.commit == repository.commits[0]
        discard(source)


def test_a_version_of_a_checkout_and_of_a_folder_in_it(repository: Repository) -> None:
    for folder, below in ((repository.tree, "sub/MLproject"), (repository.tree / "sub", "MLproject")):
        source = fetched(folder, "v1")
        assert (source.folder / below).read_text() == "one"
        discard(source)


@pytest.mark.parametrize("version", ["nope", "deadbeef", "0" * 40])
def test_a_version_that_is_none_names_those_there_are(repository: Repository, version: str) -> None:
    with pytest.raises(ProjectNotFound, match=f"has no .*'{version}'; there are main, v1, work|there are .*v1"):
        fetched(repository.bare.as_uri(), version)


def test_folders_of_a_source_are_confined(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match="has no folder 'nope'; at its top there are sub"):
        fetched(f"{repository.bare.as_uri()}#nope")
    with pytest.raises(InvalidValue, match="outside"):
        fetched(f"{repository.bare.as_uri()}#../..")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidValue, match="outside"):
        fetched(f"{tmp_path / 'project'}#link")


@pytest.mark.parametrize("version", ["--upload-pack=touch owned", "-x", "", "a b", "a\nb"])
def test_no_version_is_an_option_of_git(repository: Repository, version: str) -> None:
    with pytest.raises(InvalidValue, match="it is no branch, tag or commit"):
        fetched(repository.bare.as_uri(), version)


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c 'touch owned'", "s3://bucket/project", "fd::1", "ssh://-oProxyCommand=touch", "-u:path/x", "dbfs:/p"],
)
def test_addresses_that_projects_do_not_come_by(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InvalidValue, ProjectNotFound)):
        fetched(address)
    assert not (tmp_path / "owned").exists()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match="there is no project at"):
        fetched(tmp_path / "gone")
    with pytest.raises(ProjectNotFound, match=r"repository file:.*gone\.git cannot be fetched|there is no project"):
        fetched((tmp_path / "gone.git").as_uri())
    (tmp_path / "plain").mkdir()
    with pytest.raises(InvalidValue, match="a version .* can only be had of a repository"):
        fetched(tmp_path / "plain", "v1")


def test_passwords_of_addresses_are_not_told() -> None:
    with pytest.raises(ProjectNotFound) as caught:
        fetched("http://user:secret@127.0.0.1:1/x.git")
    assert "secret" not in caught.value.message


def zipped(place: Path, members: dict[str, str], mode: int = 0o644) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for name, text in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, text)
    return place


def test_zips(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "p.zip", {"MLproject": "name: z", "deep/run.sh": "echo"}, 0o755)
    source = fetched(archive)
    assert (source.folder / "MLproject").read_text() == "name: z"
    assert (source.folder / "deep" / "run.sh").stat().st_mode & stat.S_IXUSR
    discard(source)
    assert not source.folder.exists()
    inner = fetched(f"{archive.as_uri()}#deep")
    assert (inner.folder / "run.sh").is_file()
    discard(inner)
    # As archives of repositories are: all in one folder.
    whole = fetched(zipped(tmp_path / "q.ZIP", {"repo-main/MLproject": "name: q"}))
    assert (whole.folder / "MLproject").is_file()
    discard(whole)
    with pytest.raises(InvalidValue, match="not of a zip"):
        fetched(archive, "v1")
    with pytest.raises(ProjectNotFound, match="there is no file"):
        fetched(tmp_path / "gone.zip")


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../b", "a\\..\\b", "C:/x", "a//b", "./x"])
def test_members_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "p.zip", {"ok": "1", name: "2"})
    with pytest.raises(InvalidValue, match="leads out of its folder"):
        extract(archive, tmp_path / "in" / "there")
    assert sorted(path.name for path in (tmp_path / "in").rglob("*")) == ["there"]


def test_members_that_are_links_and_archives_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="a link or a device"):
        extract(zipped(tmp_path / "p.zip", {"link": "/etc/passwd"}, stat.S_IFLNK | 0o777), tmp_path / "a")
    (tmp_path / "no.zip").write_text("PK no")
    with pytest.raises(InvalidValue, match="cannot be read as a zip"):
        extract(tmp_path / "no.zip", tmp_path / "b")


def test_bombs(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(4):
            opened.writestr(f"zeros{number}", bytes(1 << 20))
    with pytest.raises(LimitExceeded, match="more bytes"):
        extract(archive, tmp_path / "a", most_bytes=3 << 20)
    with pytest.raises(LimitExceeded, match="4 members, more than 3"):
        extract(archive, tmp_path / "b", most_members=3)
