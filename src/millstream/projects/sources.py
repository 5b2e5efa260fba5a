"""Where a project comes from: a folder, a git repository, an archive.

``git`` is called with arguments that it cannot take for options, by addresses of the schemes named here only.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from millstream.errors import InvalidValue, LimitExceeded, NotFound, ProjectNotFound, Unreachable
from millstream.projects.archives import extract
from millstream.tracking.context.git import Checkout, without_credentials

__all__ = ["Source", "discard", "download", "fetched"]

_SCHEMES = ("http", "https", "ssh", "git", "file")
_OF_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]{2,}:(?!//)[^\s]+")  # git@host:path
_COMMIT = re.compile(r"[0-9a-f]{4,64}")
_MOST_BYTES = 4 * 2**30
_SECONDS = 60.0


@dataclass(frozen=True)
class Source:
    """A project's files on this machine, and where they are from.

    ``folder`` is the project's own, in which commands run; ``version`` is what was asked for (branch, tag or commit),
    ``commit`` the full id of what was found, ``repository`` the address, without credentials, and ``branch`` the name
    where what was asked for is a branch, or where the folder's checkout is on one. ``temporary`` is the folder that was
    made for files that were fetched; None for those that lie where the user keeps them.
    """

    uri: str
    folder: Path
    version: str | None = None
    commit: str | None = None
    repository: str | None = None
    branch: str | None = None
    subfolder: str = ""
    temporary: Path | None = None


def fetched(uri: str | os.PathLike[str], version: str | None = None) -> Source:
    """The project that ``uri`` names: a folder, ``file:``, a repository of git (https, ssh, ``git@host:path``, a bare
    one on this machine), or a zip on this machine or at an http address; after ``#`` a folder in it.

    ``version`` is a branch, a tag or a commit of a repository. Raises ProjectNotFound for what is not there (naming
    what is), InvalidValue for a version of what has none, and what git says.
    """
    uri = os.fspath(uri)
    address, _, subfolder = (uri, "", "") if os.path.isdir(uri) else uri.partition("#")
    if version is not None and (not version or version.startswith("-") or re.search(r"[\s\0]", version)):
        raise InvalidValue.of("version", version, "it is no branch, tag or commit",
                              hint="name one as git has it, such as v1.2 or main")
    path = _local_path(address)
    if urlsplit(address).path.lower().endswith(".zip") and not (path and path.is_dir()):
        return _of_zip(uri, address, path, subfolder, version)
    if path is not None:
        if not path.is_dir():
            raise ProjectNotFound(f"there is no project at {path}",
                                  hint="give the path of its folder, the address of its repository or a zip")
        repository = Checkout.containing(path)
        if _is_bare(path):
            return _of_git(uri, path.as_uri(), subfolder, version)
        if version is None:
            return _of_folder(uri, path, subfolder)
        if repository is None:
            raise InvalidValue(f"a version ({version!r}) can only be had of a repository, and {path} lies in none",
                               hint="leave the version out, or give the address of a repository of git")
        within = (path / subfolder).resolve().relative_to(repository.root.resolve()).as_posix()
        return _of_git(uri, repository.root.as_uri(), "" if within == "." else within, version)
    if urlsplit(address).scheme in _SCHEMES or (_OF_SCP.fullmatch(address) and "::" not in address):
        return _of_git(uri, address, subfolder, version)
    raise InvalidValue(f"{without_credentials(uri)!r} names no project: its scheme is none that projects come by",
                       hint="give a folder, an address of git (https, ssh, git@host:path, file) or a zip")


def discard(source: Source) -> None:
    """Remove what was fetched for it."""
    if source.temporary is not None:
        shutil.rmtree(source.temporary, ignore_errors=True)


def _local_path(address: str) -> Path | None:
    split = urlsplit(address)
    if split.scheme == "file":
        if split.netloc not in ("", "localhost"):
            raise InvalidValue(f"{address!r} names a folder on another host", hint="write file:///path")
        return Path(unquote(split.path))
    if os.path.exists(address):
        return Path(address).absolute()
    if len(split.scheme) > 1 or _OF_SCP.fullmatch(address):
        return None
    return Path(address).expanduser().absolute()


def _is_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _of_folder(uri: str, path: Path, subfolder: str) -> Source:
    folder = _inside(path, subfolder)
    checkout = Checkout.containing(folder)
    commit, branch = checkout.head() if checkout else (None, None)
    return Source(uri, folder, None, commit, checkout.url(branch) if checkout else None, branch, subfolder)


def _inside(root: Path, subfolder: str) -> Path:
    """A folder in ``root``. Raises InvalidValue for one that leads out, ProjectNotFound naming those there are."""
    root = root.resolve()
    if not subfolder:
        return root
    folder = (root / subfolder).resolve()
    if not folder.is_relative_to(root):
        raise InvalidValue(f"the folder {subfolder!r} lies outside of the project's source",
                           hint="name one in it, such as examples/first")
    if not folder.is_dir():
        near = next(parent for parent in folder.parents if parent.is_dir())
        names = sorted(entry.name for entry in near.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        where = f"in {near.relative_to(root)}/" if near != root else "at its top"
        raise ProjectNotFound(f"the source has no folder {subfolder!r}; {where} there are {_listed(names)}",
                              hint="name one of these after #")
    return folder


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (" and more" if len(names) > 12 else "") if names else "none"


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    """A new folder, which is removed if what is to fill it fails."""
    folder = Path(tempfile.mkdtemp(prefix="millstream-project-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _of_zip(uri: str, address: str, path: Path | None, subfolder: str, version: str | None) -> Source:
    if version is not None:
        raise InvalidValue(f"a version ({version!r}) can only be had of a repository, not of a zip",
                           hint="leave it out")
    with _temporary() as work:
        if path is None:
            path = download(address, work / "project.zip")
        elif not path.is_file():
            raise ProjectNotFound(f"there is no file {path}", hint="give the path of a zip that exists")
        root = work / "project"
        extract(path, root)
        entries = list(root.iterdir())
        if len(entries) == 1 and entries[0].is_dir() and not subfolder:
            root = entries[0]  # as archives of repositories are made
        return Source(uri, _inside(root, subfolder), subfolder=subfolder, temporary=work)


def download(address: str, target: Path, most_bytes: int = _MOST_BYTES) -> Path:
    """Fetch an http address into a file. Raises NotFound, Unreachable, LimitExceeded."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    shown = without_credentials(address)
    request = Request(address, headers={"User-Agent": "millstream"})
    if request.type not in ("http", "https"):
        raise InvalidValue(f"{shown!r} is no http address")
    try:
        with urlopen(request, timeout=_SECONDS) as answer, target.open("wb") as file:
            while part := answer.read(1 << 20):
                if file.tell() + len(part) > most_bytes:
                    raise LimitExceeded(f"{shown} has more than {most_bytes:,} bytes",
                                        hint="fetch it yourself and give its path")
                file.write(part)
    except HTTPError as error:
        raise NotFound(f"{shown} cannot be fetched: the server answered {error.code} {error.reason}",
                       hint="check the address, and whether one has to sign in") from None
    except OSError as error:
        raise Unreachable(f"{shown} cannot be fetched: {getattr(error, 'reason', error)}",
                          hint="check the address and the network") from None
    return target


def _of_git(uri: str, address: str, subfolder: str, version: str | None) -> Source:
    host = urlsplit(address).hostname or ""
    if host.startswith("-") or address.startswith("-"):
        raise InvalidValue(f"{address!r} is no address of a repository")
    with _temporary() as work:
        root = work / "project"
        repository = _Repository(address, root)
        found = repository.fetch(version)
        source = Source(uri, root, version, found[0], without_credentials(address), found[1], subfolder, work)
        return replace(source, folder=_inside(root, subfolder))


class _Repository:
    def __init__(self, address: str, root: Path) -> None:
        self.address = address
        self.shown = without_credentials(address)
        self.root = root

    def fetch(self, version: str | None) -> tuple[str, str | None]:
        """Check a version out; its commit, and its name where it is a branch."""
        refs, head = self.refs(version)
        self.git("init", "--quiet", "--", str(self.root), within=False)
        branch = None
        if version is None:
            if "HEAD" not in refs:
                raise ProjectNotFound(f"the repository {self.shown} has no commit yet", hint="name a --version of it")
            ref, branch = "HEAD", head
        elif f"refs/heads/{version}" in refs:
            ref, branch = f"refs/heads/{version}", version
        elif f"refs/tags/{version}" in refs:
            ref = f"refs/tags/{version}"
        else:
            ref = version
        named = ref == "HEAD" or ref.startswith("refs/")
        if not (named or len(ref) in (40, 64)) or not self.fetched("--depth=1", ref, wanted=named):
            ref = self.anywhere(version or "HEAD")
        else:
            ref = "FETCH_HEAD"
        self.git("checkout", "--quiet", "--detach", ref)
        if (self.root / ".gitmodules").exists():
            # Not from this machine: a repository of a stranger could name any folder of it.
            self.git("submodule", "--quiet", "update", "--init", "--recursive", schemes=_SCHEMES[:-1])
        return self.git("rev-parse", "HEAD").strip(), branch

    def refs(self, version: str | None) -> tuple[set[str], str | None]:
        """Which of the refs that a version may mean there are, and the branch that HEAD names."""
        asked = ["HEAD"] if version is None else [f"refs/heads/{version}", f"refs/tags/{version}"]
        names: set[str] = set()
        head = None
        for line in self.git("ls-remote", "--symref", "--", self.address, *asked, within=False).splitlines():
            told, _, name = line.partition("\t")
            if told.startswith("ref: refs/heads/") and name == "HEAD":
                head = told.removeprefix("ref: refs/heads/")
            else:
                names.add(name)
        return names, head

    def fetched(self, *arguments: str, wanted: bool) -> bool:
        """Fetch; with ``wanted`` what fails is raised, else answered: not every server gives commits by their ids."""
        try:
            self.git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *arguments[:-1], "--", self.address,
                     arguments[-1])
        except ProjectNotFound:
            if wanted:
                raise
            return False
        return True

    def anywhere(self, version: str) -> str:
        """The commit of a version that is no branch and no tag, found with the whole history at hand."""
        self.git("fetch", "--quiet", "--no-recurse-submodules", "--", self.address, "+refs/heads/*:refs/heads/*",
                 "+refs/tags/*:refs/tags/*")
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}").strip()
        except ProjectNotFound:
            names = self.git("for-each-ref", "--sort=-creatordate", "--format=%(refname:short)").split()
            what = "commit" if _COMMIT.fullmatch(version) else "branch, tag or commit"
            raise ProjectNotFound(f"the repository {self.shown} has no {what} {version!r}; there are {_listed(names)}",
                                  hint="name one of these, or a commit of their history") from None

    def git(self, *arguments: str, within: bool = True, schemes: tuple[str, ...] = _SCHEMES) -> str:
        """What git prints. Raises ProjectNotFound with what it complains of."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")
                     or name.startswith(("GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG", "GIT_SSL", "GIT_HTTP"))}
        variables |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": ":".join(schemes), "LC_ALL": "C"}
        command = ["git", *(["-C", str(self.root)] if within else []), "-c", "advice.detachedHead=false", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, env=variables, check=False)
        except FileNotFoundError:
            raise ProjectNotFound(f"git, which fetches {self.shown}, is not installed",
                                  hint="install git, or give the project's folder") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            reason = next((line for line in said if line.startswith("fatal:")), said[-1] if said else "it failed")
            reason = reason.removeprefix("fatal: ").replace(self.address, self.shown)
            raise ProjectNotFound(f"the repository {self.shown} cannot be fetched: {reason}",
                                  hint="check its address, and that `git ls-remote` of it works here")
        return done.stdout.decode("utf-8", "replace")
