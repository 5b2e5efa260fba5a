"""A file on the web."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from millstream.artifacts.uris import scheme
from millstream.data.dataset_source import DatasetSource
from millstream.errors import NotFound, StoreUnavailable, Unauthenticated

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_BYTES = 50 * 2**30  # a disk is seldom larger than some of these; a server that sends for ever ends here


class HTTPDatasetSource(DatasetSource):
    """A file at an ``http`` or ``https`` address. A password in the address is not recorded."""

    def __init__(self, url: str) -> None:
        self._url = url

    @classmethod
    def _get_source_type(cls) -> str:
        return "http"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return isinstance(raw_source, str) and scheme(raw_source) in ("http", "https")

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        return cls(raw_source)

    @property
    def url(self) -> str:
        """The address, as given."""
        return self._url

    def load(
        self, dst_path: str | os.PathLike[str] | None = None, *, max_bytes: int = MAX_BYTES,
        allow_private: bool | None = None,
    ) -> str:
        """Fetch the file and return its local path, in the folder ``dst_path`` or in a new one that is only ours.

        The name comes from the address, never from what the server says. Raises what :mod:`millstream.outgoing` raises
        (AddressRefused for an address that is not public unless ``allow_private``, LimitExceeded beyond ``max_bytes``),
        NotFound, Unauthenticated and StoreUnavailable for the server's refusals. What was fetched of a file that does
        not arrive whole is removed.
        """
        chunks = self.read(max_bytes, allow_private)
        first = next(chunks, b"")  # a server that refuses leaves no folder behind
        if dst_path is None:
            folder = Path(tempfile.mkdtemp(prefix="millstream-"))
        else:
            folder = Path(dst_path)
            folder.mkdir(parents=True, exist_ok=True)
        target = folder / self.file_name
        partial = folder / f".{self.file_name}.{os.getpid()}.part"
        try:
            with partial.open("wb") as file:
                file.write(first)
                for chunk in chunks:
                    file.write(chunk)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            if dst_path is None:
                folder.rmdir()
            raise
        return str(target)

    def read(self, max_bytes: int = MAX_BYTES, allow_private: bool | None = None) -> Iterator[bytes]:
        """The content of the file in pieces. Raises as :meth:`load` does."""
        from millstream import outgoing

        with outgoing.request("GET", self._url, max_bytes=max_bytes, allow_private=allow_private) as answer:
            if answer.status in (401, 403):
                raise Unauthenticated(
                    f"{self._shown} answers {answer.status}", hint="fetch the file yourself and give its path"
                )
            if answer.status in (404, 410):
                raise NotFound(f"nothing is at {self._shown}: it answers {answer.status}")
            if answer.status != 200:
                raise StoreUnavailable(f"{self._shown} answers {answer.status}")
            yield from answer

    @property
    def file_name(self) -> str:
        """A name for the local file: the last part of the address, with no character that could mean something else."""
        last = unquote(urlsplit(self._url).path).rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9._-]", "_", last)[-200:].lstrip(".") or "dataset"

    @property
    def _shown(self) -> str:
        parts = urlsplit(self._url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else self._url

    def to_dict(self) -> dict[str, Any]:
        """``{"url": …}``."""
        return {"url": self._shown}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this address."""
        return cls(source_dict["url"])
