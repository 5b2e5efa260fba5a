"""Which files a request means: the server issues artifact roots, clients name an id and a relative path below its root.

A root ``mlflow-artifacts:/0/…`` is proxied: it lies below the server's ``--artifacts-destination``. Every other root is
used as it was issued. Locations that a client proposes for a new experiment are taken only when they can mean one
place, and none on this machine outside the server's own folders.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from millstream import settings
from millstream.artifacts import paths
from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.uris import artifact_store, scheme
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactInUse,
    ArtifactNotFound,
    InvalidPath,
    InvalidValue,
    NotSupported,
    PermissionDenied,
    StoreUnavailable,
    Unauthenticated,
)
from millstream.operations import (
    ArtifactListing,
    CreateExperiment,
    DeleteArtifacts,
    FindArtifactPin,
    GetLoggedModel,
    GetModelVersionDownloadUri,
    GetRun,
    ImportExperiments,
    ImportLoggedModels,
    ImportRegisteredModels,
    ImportRuns,
    ListArtifacts,
    ListLoggedModelArtifacts,
    ListModelVersionArtifacts,
    Operation,
    PresignDownload,
    PresignedUrl,
    PresignUpload,
    Principal,
)
from millstream.server.config import ServerConfig, local_folder
from millstream.server.execution import Execution
from millstream.server.logs import LOGGER
from millstream.server.sources import refuse_detours

R = TypeVar("R")

PROXIED_SCHEME = "mlflow-artifacts"
# Services that a server and its clients reach by name of a bucket, with credentials of their own.
_BUCKET_SCHEMES = frozenset({"s3", "gs", "wasb", "wasbs", "abfs", "abfss"})
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+):(?://(?P<authority>[^/]*))?(?P<path>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"[A-Za-z0-9._\-]+(?:@[A-Za-z0-9._\-]+)?")
_STORES_KEPT = 64
_TRANSFERS = 32
_LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Place:
    """An artifact root: the folder ``prefix`` of a store. Paths are relative to it and checked by the store."""

    store: ArtifactStore
    prefix: str
    uri: str

    def at(self, path: str) -> str:
        """``path`` as the store calls it. Raises InvalidPath for one that leads out of the root."""
        return paths.join(self.prefix, paths.check(path))

    def list(self, path: str | None) -> list[FileInfo]:
        """What lies directly in the folder ``path`` of this root."""
        entries = self.store.list(paths.join(self.prefix, paths.check_folder(path)))
        cut = len(self.prefix) + 1 if self.prefix else 0
        return [FileInfo(entry.path[cut:], entry.is_dir, entry.file_size) for entry in entries]


class Artifacts:
    """Finds the place that an id or path means, and executes the operations on artifacts."""

    def __init__(self, config: ServerConfig, execution: Execution) -> None:
        self._config = config
        self._execution = execution
        self._threads = ThreadPoolExecutor(_TRANSFERS, thread_name_prefix="millstream-files")
        self._stores: OrderedDict[str, ArtifactStore] = OrderedDict()
        self._lock = Lock()

    async def in_thread(self, call: Callable[..., R], *arguments: Any) -> R:
        """The result of a call to an artifact store, made in a thread.

        Raises what the store raises, but keeps between server and store what passes only between them: its address,
        and that it does not accept the server's credentials, is told to the log; the client hears StoreUnavailable.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        except (PermissionDenied, Unauthenticated, StoreUnavailable) as error:
            if isinstance(error, StoreUnavailable) and "://" not in error.message:
                raise
            LOGGER.error("the artifact store fails", extra={"facts": {"why": error.message}})
            raise StoreUnavailable("the artifact store behind this server does not take the request",
                                   hint="the server's log tells why") from None

    def close(self) -> None:
        """Let transfers end, and release connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for store in self._stores.values():
            store.close()

    # Places

    def proxied(self) -> Place:
        """The root below which everything lies that this server proxies."""
        return Place(self._open(self._config.destination), "", f"{PROXIED_SCHEME}:/")

    async def of_run(self, run_id: str, principal: Principal) -> Place:
        """The root of a run. Raises RunNotFound."""
        answer = await self._execution.answer(GetRun(run_id), principal)
        return await self.in_thread(self._place, answer.run.info.artifact_uri)

    async def of_model(self, model_id: str, principal: Principal) -> Place:
        """The root of a logged model. Raises LoggedModelNotFound."""
        answer = await self._execution.answer(GetLoggedModel(model_id), principal)
        return await self.in_thread(self._place, answer.model.info.artifact_uri)

    async def of_version(self, name: str, version: str, principal: Principal) -> Place:
        """The root of a version of a registered model. Raises RegisteredModelNotFound."""
        answer = await self._execution.answer(GetModelVersionDownloadUri(name, version), principal)
        return await self.in_thread(self._place, answer.artifact_uri)

    def _place(self, uri: str) -> Place:
        found = _URI.fullmatch(uri)
        scheme = found["scheme"].lower() if found else ""
        if scheme in ("http", "https") or (found and found["authority"] and scheme == PROXIED_SCHEME):
            raise NotSupported("these files are kept by another server, which this one does not call",
                               hint="reach them from a client")
        if found is None or scheme != PROXIED_SCHEME:
            return Place(self._open(uri), "", uri)
        prefix = paths.check_folder(found["path"].strip("/"))
        return Place(self._open(self._config.destination), prefix, uri)

    def _open(self, uri: str) -> ArtifactStore:
        with self._lock:
            store = self._stores.get(uri)
            if store is None:
                store = self._stores[uri] = artifact_store(uri)
                if len(self._stores) > _STORES_KEPT:
                    self._stores.popitem(last=False)
            self._stores.move_to_end(uri)
            return store

    # Operations

    async def execute(self, operation: Operation[Any], principal: Principal) -> Any:
        """Carry out one of :data:`ARTIFACT_OPERATIONS`."""
        if isinstance(operation, ListLoggedModelArtifacts):
            place = await self.of_model(operation.model_id, principal)
            return await self.in_thread(_list, place, operation.artifact_directory_path)
        if isinstance(operation, ListModelVersionArtifacts):
            place = await self.of_version(operation.name, operation.version, principal)
            return await self.in_thread(_list, place, operation.path)
        place = await self.of_run(operation.run_id, principal)  # type: ignore[attr-defined]
        if isinstance(operation, DeleteArtifacts):
            await self.check_unused(place.uri, paths.check_folder(operation.path), principal)
        return await self.in_thread(_EXECUTORS[type(operation)], place, operation)

    async def check_unused(self, root: str, path: str, principal: Principal) -> None:
        """Return if no version of a registered model points at these files. Raises ArtifactInUse."""
        if self._config.artifacts_only:
            return  # the tracking server knows of versions
        reason = (await self._execution.answer(FindArtifactPin(root, path), principal)).kept_because
        if reason is not None:
            raise ArtifactInUse.of(path, reason)

    # Locations

    def check_locations(self, operation: Operation[Any]) -> None:
        """Return if every root that ``operation`` proposes is one that this server may use. Raises InvalidValue."""
        for uri in _PROPOSED[type(operation)](operation):
            if uri:
                self.check_location(uri)
        if isinstance(operation, ImportRegisteredModels):
            for source in _sources(operation, named=True):
                refuse_detours(source)

    def check_location(self, uri: str) -> None:
        """Return if whoever asks may let this server use the place ``uri``. Raises InvalidValue."""
        if any(ord(character) < 32 for character in uri) or "\\" in uri:
            raise _refused(uri, "it holds a control character or a backslash")
        found = _URI.fullmatch(uri)
        scheme = found["scheme"].lower() if found else "file"
        if found is None or scheme == "file":
            self._check_local(uri, found["authority"] if found else None)
            return
        authority, path = found["authority"], found["path"].strip("/")
        try:
            paths.check_folder(path)
        except InvalidPath as error:
            raise _refused(uri, f"its path cannot mean one place: {error.message}") from None
        if scheme == PROXIED_SCHEME:
            if authority:
                raise _refused(uri, "it names a server",
                               hint="write mlflow-artifacts:/ and a path; it lies on this server")
            return
        if scheme not in _BUCKET_SCHEMES | _further_schemes():
            raise _refused(uri, f"this server does not use the scheme '{scheme}' for whoever asks",
                           hint="its operator can allow it by MILLSTREAM_SERVER_ARTIFACT_SCHEMES")
        if not authority or not _AUTHORITY.fullmatch(authority):
            raise _refused(uri, "it names no bucket or container")

    def _check_local(self, uri: str, authority: str | None) -> None:
        if authority and authority != "localhost":
            raise _refused(uri, "it names another host")
        folder = local_folder(uri)
        text = unquote(urlsplit(uri).path) if uri.lower().startswith("file:") else uri
        if folder is None or text.startswith("~") or ".." in text.split("/") or any(sign in text for sign in "?#;%"):
            raise _refused(uri, "it cannot mean one place: it holds '..', or one of ? # ; %, or begins with ~")
        real = folder.resolve()
        if not any(real == root or root in real.parents for root in self._real_roots()):
            raise _refused(uri, "it lies outside the folders that this server keeps artifacts in",
                           hint="leave it out, or start the server with --artifacts-destination and that folder")

    def _real_roots(self) -> list[Path]:
        return [root.resolve() for root in self._config.local_roots]


def _further_schemes() -> frozenset[str]:
    return frozenset(name.strip().lower() for name in settings.SERVER_ARTIFACT_SCHEMES.get().split(",") if name.strip())


def _refused(uri: str, reason: str, *, hint: str | None = None) -> InvalidValue:
    return InvalidValue.of("artifact_location", uri, reason, hint=hint)


def _list(place: Place, path: str | None) -> ArtifactListing:
    return ArtifactListing(place.uri, place.list(path))


def _presign_upload(place: Place, operation: PresignUpload) -> PresignedUrl:
    made = place.store.presign_upload(place.at(operation.path), _seconds(operation.expiration))
    return PresignedUrl(made.url, made.headers)


def _presign_download(place: Place, operation: PresignDownload) -> PresignedUrl:
    return presign_download(place, operation.path, operation.expiration)


def presign_download(place: Place, path: str, seconds: int) -> PresignedUrl:
    """An address of one file below a root, with the size of the file in bytes."""
    at = place.at(path)
    made = place.store.presign_download(at, _seconds(seconds))
    known = place.store.stat(at)
    if known.is_dir:
        raise InvalidPath.of("path", path, "it is a folder, not a file")
    return PresignedUrl(made.url, made.headers, known.file_size)


def _seconds(asked: int) -> int:
    if not 1 <= asked <= _LONGEST_PRESIGNED_SECONDS:
        raise InvalidValue.of("expiration", asked, f"it must be from 1 to {_LONGEST_PRESIGNED_SECONDS} seconds")
    return asked


def _delete(place: Place, operation: DeleteArtifacts) -> None:
    if operation.path:
        place.store.remove(place.at(operation.path))
    elif place.prefix:
        try:
            place.store.remove(place.prefix)
        except ArtifactNotFound:
            return
    else:
        place.store.clear()


def _sources(operation: ImportRegisteredModels, *, named: bool) -> list[str]:
    """The sources of versions that name a run or model, or those that name a place."""
    found = [one.version.source or "" for model in operation.models for one in model.versions]
    return [source for source in found if (scheme(source) in ("runs", "models")) is named]


_PROPOSED: dict[type[Operation[Any]], Callable[[Any], Iterable[str | None]]] = {
    CreateExperiment: lambda operation: [operation.artifact_location],
    ImportExperiments: lambda operation: [one.experiment.artifact_location for one in operation.experiments],
    ImportRuns: lambda operation: [one.run.info.artifact_uri for one in operation.runs],
    ImportRegisteredModels: lambda operation: [
        *_sources(operation, named=False), *(one.location for model in operation.models for one in model.versions)
    ],
    ImportLoggedModels: lambda operation: [one.model.info.artifact_uri for one in operation.models],
}
PROPOSING_OPERATIONS = frozenset(_PROPOSED)

_EXECUTORS: dict[type[Operation[Any]], Callable[[Place, Any], msgspec.Struct | None]] = {
    ListArtifacts: lambda place, operation: _list(place, operation.path),
    PresignUpload: _presign_upload,
    PresignDownload: _presign_download,
    DeleteArtifacts: _delete,
}
ARTIFACT_OPERATIONS = frozenset({*_EXECUTORS, ListLoggedModelArtifacts, ListModelVersionArtifacts})
