"""Artifacts in Azure Blob Storage, also under its Data Lake addresses.

Files and listings go through ``obstore`` (see :mod:`millstream.artifacts.objects`). Parts are Azure's blocks, put with
the signed addresses that ``obstore`` makes. A block's name says which upload it belongs to, its number and its SHA-256,
so the service's own list of blocks is all that is needed to continue an upload. Blocks that are never used are removed
by the service after a week.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from millstream.artifacts import paths
from millstream.artifacts.contract import MultipartStore, Part, Parts, Presigned, Upload, Uploads, verified
from millstream.artifacts.objects import ObjectStore
from millstream.artifacts.services import client_options, retry_options
from millstream.errors import ArtifactNotFound, InvalidValue, MillstreamError, NotFound, PermissionDenied
from millstream.stores.http.transport import Response, Transport, trusting

_UPLOAD = re.compile(r"[0-9a-f]{16}")
# Block names are 64 bytes at most, all of one length: upload 16, number 5, SHA-256 in base64 without its "=" 43.
_BLOCK = re.compile(r"([0-9a-f]{16})([0-9]{5})([A-Za-z0-9_\-]{43})")
_UNKNOWN_DIGEST = "-" * 43
_SIGNED_SECONDS = 3600


class AzureStore(ObjectStore, MultipartStore):
    """Artifacts below a prefix in a container; ``endpoint`` is the address of the account."""

    def __init__(self, uri: str, objects: Any, endpoint: str) -> None:
        super().__init__(uri, objects)
        parts = urlsplit(endpoint)
        self._http = Transport(f"{parts.scheme}://{parts.netloc}", sign_in=False, tls=lambda: trusting(None),
                               describe=_described)

    def start_upload(
        self, path: str, *, size: int | None = None, part_size: int | None = None, sha256: str | None = None
    ) -> str:
        paths.check(path)
        return secrets.token_hex(8)

    def list_uploads(self, path: str) -> Uploads:
        try:
            answer = self._call("GET", path, {"comp": "blocklist", "blocklisttype": "uncommitted"})
        except ArtifactNotFound:
            return []
        uploads: dict[str, list[Part]] = {}
        for block in ElementTree.fromstring(answer.data).iter("Block"):
            name = base64.b64decode(block.findtext("Name") or "").decode("ascii", "replace")
            if found := _BLOCK.fullmatch(name):
                upload_id, number, digest = found.groups()
                uploads.setdefault(upload_id, []).append(
                    Part(int(number), name, int(block.findtext("Size") or 0), _hexadecimal(digest))
                )
        return [Upload(upload_id, None, sorted(parts, key=lambda p: p.number)) for upload_id, parts in uploads.items()]

    def write_part(
        self, path: str, upload_id: str, number: int, chunks: Iterable[bytes], size: int, *, sha256: str | None = None
    ) -> Part:
        block = _block(path, upload_id, number, sha256)
        self._call(
            "PUT", path, {"comp": "block", "blockid": _encoded(block)}, headers={"Content-Length": str(size)},
            body=verified(chunks, size, sha256),
        )
        return Part(number, block, size, sha256)

    def complete_upload(self, path: str, upload_id: str, parts: Parts, *, sha256: str | None = None) -> None:
        # Parts that went up by a presigned address bring no name of their block with them.
        named = [part.etag if _BLOCK.fullmatch(part.etag) else _block(path, upload_id, part.number, None)
                 for part in sorted(parts, key=lambda part: part.number)]
        listed = "".join(f"<Latest>{_encoded(name)}</Latest>" for name in named)
        self._call(
            "PUT", path, {"comp": "blocklist"}, headers={"x-ms-meta-sha256": sha256} if sha256 else {},
            body=f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode(),
        )

    def abort_upload(self, path: str, upload_id: str) -> None:
        paths.check(path)  # the service forgets the blocks by itself

    def remove_abandoned(self, older_than: float) -> int:
        return 0  # the service does, after a week

    def presign_part(self, path: str, upload_id: str, number: int, seconds: int) -> Presigned:
        block = quote(_encoded(_block(path, upload_id, number, None)), safe="")
        return Presigned(f"{self._presign('PUT', path, seconds).url}&comp=block&blockid={block}")

    def close(self) -> None:
        self._http.close()

    def _call(
        self, method: str, path: str, query: Mapping[str, str], *, headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Response:
        signed = urlsplit(self._presign(method, path, _SIGNED_SECONDS).url)
        more = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        target = f"{signed.path}?{signed.query}&{more}"
        return self._http.request(method, target, headers=headers, body=body, retry=True)


def azure_store(uri: str) -> AzureStore:
    """The store at a ``wasbs://container@account.blob.core.windows.net/prefix`` or
    ``abfss://container@account.dfs.core.windows.net/prefix`` address.

    AZURE_STORAGE_CONNECTION_STRING says who we are, and may name another address; else AZURE_STORAGE_ACCESS_KEY,
    AZURE_STORAGE_SAS_TOKEN, or what ``obstore`` finds (a service principal, a workload's or the machine's identity).
    """
    from obstore.store import AzureStore as Objects

    parts = urlsplit(uri)
    container, at, host = parts.netloc.rpartition("@")
    if not at or not container:
        raise InvalidValue(f"{uri!r} names no container and account", hint="write wasbs://container@account.blob.core."
                           "windows.net/prefix")
    said = _connection(os.environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    account = said.get("AccountName") or host.split(".")[0]
    suffix = said.get("EndpointSuffix") or host.partition(".")[2].removeprefix("blob.").removeprefix("dfs.")
    endpoint = said.get("BlobEndpoint") or f"https://{account}.blob.{suffix}"
    config: dict[str, Any] = {"account_name": account, "endpoint": endpoint}
    if key := said.get("AccountKey"):
        config["account_key"] = key
    elif sas := said.get("SharedAccessSignature"):
        config["sas_key"] = sas
    return AzureStore(uri, Objects(
        container, prefix=parts.path.strip("/") or None, config=config, client_options=client_options(endpoint),  # type: ignore[arg-type]
        retry_config=retry_options(),
    ), endpoint)


def _connection(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)


def _block(path: str, upload_id: str, number: int, sha256: str | None) -> str:
    paths.check(path)
    if not _UPLOAD.fullmatch(upload_id):
        raise ArtifactNotFound(f"no upload '{upload_id}' of '{path}' is open", hint="begin a new one")
    digest = _UNKNOWN_DIGEST
    if sha256:
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
    return f"{upload_id}{number:05d}{digest}"


def _encoded(block: str) -> str:
    return base64.b64encode(block.encode()).decode()


def _hexadecimal(digest: str) -> str | None:
    return None if digest == _UNKNOWN_DIGEST else base64.urlsafe_b64decode(digest + "=").hex()


def _described(status: int, content: bytes) -> MillstreamError | None:
    found = re.search(rb"<Code>(\w+)</Code>", content)
    if not found:
        return ArtifactNotFound("nothing is there") if status == 404 else None
    code = found.group(1).decode()
    if code == "ContainerNotFound":
        return NotFound("Azure answers ContainerNotFound", hint="create the container, or check its name")
    if status == 404 or code == "InvalidBlockList":
        return ArtifactNotFound(f"Azure answers {code}")
    if status in (401, 403):
        return PermissionDenied(f"Azure answers {code}", hint="check the key or token of the storage account")
    return None if status >= 500 else InvalidValue(f"Azure answers {code}")
