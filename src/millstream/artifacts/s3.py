"""Artifacts in S3 and what is compatible with it.

Files, listings and presigned addresses go through ``obstore`` (see :mod:`millstream.artifacts.objects`). Uploads that
can be continued, parts that others upload with presigned addresses, and headers that MLFLOW_S3_UPLOAD_EXTRA_ARGS asks
for, need S3's own calls, made here. For those the keys must be known: from the environment, the shared files, or
boto3; with a role that only ``obstore`` can assume, big files still go up in parallel parts, but start anew when cut.

Every part travels with the SHA-256 of its bytes in its signature, which the service checks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec

from millstream import settings
from millstream.artifacts import aws, paths
from millstream.artifacts.contract import FileStat, MultipartStore, Part, Parts, Presigned, Upload, Uploads, verified
from millstream.artifacts.objects import ObjectStore
from millstream.errors import (
    ArtifactNotFound,
    IntegrityError,
    InvalidValue,
    MillstreamError,
    NotFound,
    NotSupported,
    PermissionDenied,
    StoreUnavailable,
    TooLarge,
)
from millstream.stores.http.transport import Response, Transport, trusting

_ERRORS: dict[str, type[MillstreamError]] = {
    "NoSuchUpload": ArtifactNotFound,
    "NoSuchKey": ArtifactNotFound,
    "NoSuchBucket": NotFound,
    "AccessDenied": PermissionDenied,
    "InvalidAccessKeyId": PermissionDenied,
    "SignatureDoesNotMatch": PermissionDenied,
    "ExpiredToken": PermissionDenied,
    "BadDigest": IntegrityError,
    "XAmzContentSHA256Mismatch": IntegrityError,
    "InvalidPart": InvalidValue,
    "InvalidPartOrder": InvalidValue,
    "EntityTooSmall": InvalidValue,
    "EntityTooLarge": TooLarge,
    "SlowDown": StoreUnavailable,
    "InternalError": StoreUnavailable,
    "NotImplemented": NotSupported,
}

# What boto3's upload calls name, as the header that carries it.
_EXTRA = {
    "ACL": "x-amz-acl",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
    "RequestPayer": "x-amz-request-payer",
    "SSEKMSEncryptionContext": "x-amz-server-side-encryption-context",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
}


class S3Store(ObjectStore, MultipartStore):
    """Artifacts below ``prefix`` in an S3 bucket. ``endpoint`` is the address of the service."""

    def __init__(
        self, uri: str, bucket: str, prefix: str, endpoint: str, region: str,
        credentials: Callable[[], aws.Credentials] | None,
    ) -> None:
        super().__init__(uri, _objects(bucket, prefix, endpoint, region, credentials))
        parts = urlsplit(endpoint)
        self._host = parts.netloc
        self._root = f"{parts.path.rstrip('/')}/{bucket}"
        self._prefix = prefix
        self._region = region
        self._credentials = credentials
        self._extra = _extra_headers(settings.S3_UPLOAD_EXTRA_ARGS.get())
        self._http = Transport(f"{parts.scheme}://{parts.netloc}", sign_in=False, tls=_tls, describe=_described)

    def start_upload(
        self, path: str, *, size: int | None = None, part_size: int | None = None, sha256: str | None = None
    ) -> str:
        headers = {**self._extra, "x-amz-meta-sha256": sha256} if sha256 else self._extra
        answer = self._call("POST", path, {"uploads": ""}, headers=headers)
        return _text(_xml(answer.data), "UploadId")

    def list_uploads(self, path: str) -> Uploads:
        key = paths.join(self._prefix, paths.check(path))
        found: list[tuple[str, str]] = []
        query = {"uploads": "", "prefix": key}
        while True:
            page = _xml(self._call("GET", None, query).data)
            for upload in page.iterfind("Upload"):
                if _text(upload, "Key") == key:
                    found.append((_text(upload, "Initiated"), _text(upload, "UploadId")))
            if _text(page, "IsTruncated") != "true":
                break
            query.update({"key-marker": _text(page, "NextKeyMarker"),
                          "upload-id-marker": _text(page, "NextUploadIdMarker")})
        return [Upload(upload_id, None, list(self._parts(path, upload_id)))
                for _, upload_id in sorted(found, reverse=True)]

    def write_part(
        self, path: str, upload_id: str, number: int, chunks: Iterable[bytes], size: int, *, sha256: str | None = None
    ) -> Part:
        answer = self._call(
            "PUT", path, {"partNumber": str(number), "uploadId": upload_id}, headers={"Content-Length": str(size)},
            body=verified(chunks, size, sha256), payload=sha256 or aws.UNSIGNED,
        )
        return Part(number, answer.headers.get("ETag", ""), size, sha256)

    def complete_upload(self, path: str, upload_id: str, parts: Parts, *, sha256: str | None = None) -> None:
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>"
            for part in sorted(parts, key=lambda part: part.number)
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        digest = hashlib.sha256(body).hexdigest()
        # To complete what is not open is an internal error to Ceph, which would be tried again and again.
        self._call("GET", path, {"uploadId": upload_id, "max-parts": "1"})
        answer = self._call("POST", path, {"uploadId": upload_id}, body=body, payload=digest)
        # S3 may say 200 while it still assembles the file, and the error afterwards.
        if (error := _described(500, answer.data)) is not None:
            raise error

    def abort_upload(self, path: str, upload_id: str) -> None:
        self._call("DELETE", path, {"uploadId": upload_id})

    def remove_abandoned(self, older_than: float) -> int:
        before, removed = datetime.now(timezone.utc) - timedelta(seconds=older_than), 0
        query = {"uploads": "", "prefix": f"{self._prefix}/" if self._prefix else ""}
        while True:
            page = _xml(self._call("GET", None, query).data)
            for upload in page.iterfind("Upload"):
                begun = datetime.fromisoformat(_text(upload, "Initiated").replace("Z", "+00:00"))
                if begun < before:
                    self._request("DELETE", _text(upload, "Key"), {"uploadId": _text(upload, "UploadId")})
                    removed += 1
            if _text(page, "IsTruncated") != "true":
                return removed
            query.update({"key-marker": _text(page, "NextKeyMarker"),
                          "upload-id-marker": _text(page, "NextUploadIdMarker")})

    def presign_part(self, path: str, upload_id: str, number: int, seconds: int) -> Presigned:
        target = f"{self._root}/{paths.join(self._prefix, paths.check(path))}"
        query = aws.presign("PUT", self._host, target, {"partNumber": str(number), "uploadId": upload_id}, seconds,
                            self._keys(), self._region)
        return Presigned(f"{self._http.base_uri}{aws.encoded_path(target)}?{query}")

    def close(self) -> None:
        self._http.close()

    def _put_whole(self, path: str, data: bytes, sha256: str) -> FileStat:
        if not self._extra:
            return super()._put_whole(path, data, sha256)
        answer = self._call("PUT", path, {}, headers={**self._extra, "x-amz-meta-sha256": sha256}, body=data,
                            payload=hashlib.sha256(data).hexdigest())
        return FileStat(path, False, len(data), answer.headers.get("ETag"), sha256)

    def _put_stream(self, path: str, chunks: Iterator[bytes], size: int | None, sha256: str | None) -> FileStat:
        if not self._extra:
            return super()._put_stream(path, chunks, size, sha256)
        part_size = max(settings.MULTIPART_UPLOAD_CHUNK_SIZE.get(), 5 << 20, -(-(size or 0) // 9_000))
        upload_id, parts, written = self.start_upload(path, sha256=sha256), [], 0
        try:
            for number, data in enumerate(_regrouped(chunks, part_size), start=1):
                digest = hashlib.sha256(data).hexdigest()
                parts.append(self.write_part(path, upload_id, number, [data], len(data), sha256=digest))
                written += len(data)
            self.complete_upload(path, upload_id, parts)
        except BaseException:
            self.abort_upload(path, upload_id)
            raise
        return FileStat(path, False, written, None, sha256)

    def _parts(self, path: str, upload_id: str) -> Iterator[Part]:
        query = {"uploadId": upload_id}
        while True:
            try:
                page = _xml(self._call("GET", path, query).data)
            except ArtifactNotFound:
                return  # completed or aborted since it was listed
            for part in page.iterfind("Part"):
                yield Part(int(_text(part, "PartNumber")), _text(part, "ETag"), int(_text(part, "Size")))
            if _text(page, "IsTruncated") != "true":
                return
            query["part-number-marker"] = _text(page, "NextPartNumberMarker")

    def _call(
        self, method: str, path: str | None, query: Mapping[str, str], *, headers: Mapping[str, str] | None = None,
        body: Any = None, payload: str = aws.NO_CONTENT,
    ) -> Response:
        key = None if path is None else paths.join(self._prefix, paths.check(path))
        return self._request(method, key, query, headers=headers, body=body, payload=payload)

    def _request(
        self, method: str, key: str | None, query: Mapping[str, str], *, headers: Mapping[str, str] | None = None,
        body: Any = None, payload: str = aws.NO_CONTENT,
    ) -> Response:
        target = self._root if key is None else f"{self._root}/{key}"
        sent = aws.sign(method, self._host, target, query, headers or {}, payload, self._keys(), self._region)
        address = aws.encoded_path(target) + (f"?{aws.encoded_query(query)}" if query else "")
        return self._http.request(method, address, headers=sent, body=body, retry=True)

    def _keys(self) -> aws.Credentials:
        if self._credentials is None:
            raise NotSupported(
                f"{self._uri}: no keys are set, and S3's own calls need them",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            )
        return self._credentials()


def s3_store(uri: str) -> S3Store:
    """The store at an ``s3://bucket/prefix``, ``r2://bucket@account.r2.cloudflarestorage.com/prefix`` or
    ``b2://bucket@s3.region.backblazeb2.com/prefix`` address."""
    parts = urlsplit(uri)
    who = aws.account()
    bucket, at, host = parts.netloc.rpartition("@")
    if parts.scheme in ("r2", "b2"):
        if not at:
            raise InvalidValue(f"{uri!r} names no service", hint=f"write {parts.scheme}://bucket@host/prefix")
        region = "auto" if parts.scheme == "r2" else (host.split(".") + ["", ""])[1]
        endpoint: str | None = f"https://{host}"
    else:
        bucket = parts.netloc
        region = who.region or "us-east-1"
        endpoint = settings.S3_ENDPOINT_URL.get() or who.endpoint
    if not bucket:
        raise InvalidValue(f"{uri!r} names no bucket", hint="write s3://bucket/prefix")
    if endpoint is None:
        endpoint = f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    return S3Store(uri, bucket, parts.path.strip("/"), endpoint, region, who.credentials)


def _objects(
    bucket: str, prefix: str, endpoint: str, region: str, credentials: Callable[[], aws.Credentials] | None
) -> Any:
    from obstore.store import S3Store as Objects

    from millstream.artifacts.services import client_options, retry_options

    provider: Any = None
    if credentials is not None:
        source = credentials

        def provider() -> dict[str, Any]:
            keys = source()
            return {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key, "token": keys.token,
                    "expires_at": datetime.now(timezone.utc) + timedelta(minutes=5)}

    return Objects(
        bucket, prefix=prefix or None, config={"endpoint": endpoint, "region": region},
        client_options=client_options(endpoint, bundle=os.environ.get("AWS_CA_BUNDLE"),
                                      insecure=settings.S3_IGNORE_TLS.get()),
        retry_config=retry_options(), credential_provider=provider,
    )


def _tls() -> Any:
    return trusting(os.environ.get("AWS_CA_BUNDLE"), insecure=settings.S3_IGNORE_TLS.get())


def _extra_headers(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    variable = "MLFLOW_S3_UPLOAD_EXTRA_ARGS"
    try:
        given = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidValue(f"{variable} is no JSON object: {error}", hint=settings.S3_UPLOAD_EXTRA_ARGS.help) from None
    headers: dict[str, str] = {}
    for name, value in given.items():
        if name == "Metadata" and isinstance(value, dict):
            headers.update({f"x-amz-meta-{key}": str(text) for key, text in value.items()})
        elif name in _EXTRA:
            headers[_EXTRA[name]] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            raise InvalidValue(f"{variable} names '{name}', which is not known here",
                               hint=f"known are Metadata, {', '.join(_EXTRA)}")
    return headers


def _regrouped(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of ``size``, the last one shorter."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        while len(kept) >= size:
            yield bytes(kept[:size])
            del kept[:size]
    if kept:
        yield bytes(kept)


def _xml(content: bytes) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise StoreUnavailable(f"the S3 service answers with something else than XML: {error}",
                               hint="check MLFLOW_S3_ENDPOINT_URL") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(name) or ""


def _described(status: int, content: bytes) -> MillstreamError | None:
    if b"<Error" not in content[:500]:
        return None
    root = _xml(content)
    if root.tag != "Error":
        return None
    code = _text(root, "Code")
    kind = _ERRORS.get(code, InvalidValue if 400 <= status < 500 else StoreUnavailable)
    return kind(f"S3 answers {code}: {_text(root, 'Message') or 'no more is said'}",
                hint="check the keys (AWS_ACCESS_KEY_ID, AWS_PROFILE) and what they may do"
                if kind is PermissionDenied else None)
