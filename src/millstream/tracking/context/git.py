"""The checkout that the code comes from, read from its ``.git`` folder without GitPython and without a subprocess.

Formats: https://git-scm.com/docs/gitrepository-layout, https://git-scm.com/docs/git-config#_syntax. Only the dirty
state (and the whole state of a repository with reftables) needs the program ``git``; see :func:`status`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from millstream.tracking.context.source import source_folder

COMMIT = "mlflow.source.git.commit"
BRANCH = "mlflow.source.git.branch"
DIRTY = "mlflow.source.git.dirty"
REPO_URL = "mlflow.source.git.repoURL"

_SMALL = 1 << 16  # bytes read of a file that should hold a line


@dataclass(frozen=True)
class Checkout:
    """A working tree: its folder, its own ``.git`` folder, and the one that it shares with other working trees."""

    root: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def containing(cls, folder: Path) -> Checkout | None:
        """The checkout that ``folder`` lies in, None when it lies in none."""
        for root in (folder, *folder.parents):
            git_dir = root / ".git"
            if git_dir.is_file():  # a linked working tree or a submodule: a file that points to the folder
                _, _, target = _read(git_dir).partition("gitdir:")
                git_dir = root / target.strip() if target else git_dir
            if (git_dir / "HEAD").is_file():
                common = _read(git_dir / "commondir").strip()
                return cls(root, git_dir, git_dir / common if common else git_dir)
        return None

    def head(self) -> tuple[str | None, str | None]:
        """``(commit, branch)``; no branch when HEAD is detached, no commit before the first."""
        text = _read(self.git_dir / "HEAD").strip()
        if not text.startswith("ref:"):
            return _object_id(text), None
        ref = text[4:].strip()
        branch = ref.removeprefix("refs/heads/")
        if branch == ".invalid":  # the placeholder of a repository with reftables
            return None, None
        return self._resolve(ref), branch

    def _resolve(self, ref: str, depth: int = 5) -> str | None:
        if ".." in ref or ref.startswith("/") or depth == 0:
            return None
        for folder in (self.git_dir, self.common_dir):
            text = _read(folder / ref).strip()
            if text.startswith("ref:"):
                return self._resolve(text[4:].strip(), depth - 1)
            if text:
                return _object_id(text)
        try:
            packed = (self.common_dir / "packed-refs").read_bytes()
        except OSError:
            return None
        end = packed.find(b" " + ref.encode() + b"\n")
        return _object_id(packed[packed.rfind(b"\n", 0, end) + 1 : end].decode("ascii", "replace")) if end > 0 else None

    def url(self, branch: str | None) -> str | None:
        """The address of the remote that ``branch`` follows, else of ``origin``, else of the first; no credentials."""
        remotes: dict[str, str] = {}
        followed = None
        for section, subsection, key, value in _config(_read(self.common_dir / "config")):
            if section == "remote" and key == "url":
                remotes.setdefault(subsection, value)
            elif section == "branch" and key == "remote" and subsection == branch:
                followed = value
        for name in (followed, "origin", *remotes):
            if name in remotes:
                return without_credentials(remotes[name])
        return None


class Git:
    """The provider: commit, branch and address of the repository; later whether files differ from the commit."""

    def __init__(self, folder: Path | None = None) -> None:
        self.checkout = Checkout.containing(folder or source_folder())

    def in_context(self) -> bool:
        """Whether the source lies in a checkout."""
        return self.checkout is not None

    def tags(self) -> dict[str, str]:
        """What the files say, in less than a millisecond."""
        if self.checkout is None:
            return {}
        commit, branch = self.checkout.head()
        found = {COMMIT: commit, BRANCH: branch, REPO_URL: self.checkout.url(branch)}
        return {key: value for key, value in found.items() if value}

    def late_tags(self, timeout: float) -> dict[str, str]:
        """What only the program ``git`` can tell; empty without it, or when it takes more than ``timeout`` seconds."""
        return status(self.checkout.root, timeout) if self.checkout else {}


def status(root: Path, timeout: float) -> dict[str, str]:
    """Commit, branch, and whether a tracked file differs from it ("true" or "false"), asked of ``git status``."""
    import os
    import subprocess

    command = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no",
               "--ignore-submodules=dirty"]
    try:
        answer = subprocess.run(
            command, cwd=root, timeout=timeout, check=True, stdin=subprocess.DEVNULL, capture_output=True,
            # Without optional locks, git does not refresh the index while the user's own commands want it.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    tags = {DIRTY: "false"}
    for line in answer.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("# branch.oid ") and _object_id(line[13:]):
            tags[COMMIT] = line[13:]
        elif line.startswith("# branch.head ") and line[14:] != "(detached)":
            tags[BRANCH] = line[14:]
        elif not line.startswith("#"):
            tags[DIRTY] = "true"
    return tags


def without_credentials(url: str) -> str:
    """``url`` without a password or token; ``git@host:path`` and the user name of ``ssh://`` stay."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    authority, slash, path = rest.partition("/")
    user_info, at, host = authority.rpartition("@")
    kept = user_info.partition(":")[0] + at if scheme.endswith("ssh") else ""
    return f"{scheme}://{kept}{host}{slash}{path}"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SMALL).decode("utf-8", "replace")
    except OSError:
        return ""


def _object_id(text: str) -> str | None:
    return text if len(text) in (40, 64) and set(text) <= set("0123456789abcdef") else None


def _config(text: str) -> Iterator[tuple[str, str, str, str]]:
    """``(section, subsection, key, value)`` of each assignment; section and key in lower case."""
    section = subsection = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            header, _, line = line[1:].rpartition("]")
            section, _, quoted = header.strip().partition(" ")
            section, subsection = section.lower(), quoted.strip().strip('"').replace('\\"', '"').replace("\\\\", "\\")
        key, equals, value = line.partition("=")
        if equals and not key.strip().startswith(("#", ";")):
            value = value.strip()
            if value.startswith('"') and '"' in value[1:]:
                value = value[1 : value.index('"', 1)]
            else:
                for mark in (" #", " ;", "\t#", "\t;"):
                    value = value.partition(mark)[0]
            yield section, subsection, key.strip().lower(), value.strip()
