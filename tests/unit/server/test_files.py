"""Files through the server: both ways, in ranges, in parts, never as something a browser would run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from millstream.artifacts.served import digest_header
from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.ceph import S3Server
from tests.servers.processes import wait_until
from tests.servers.wire import call

FILES = "/api/2.0/mlflow-artifacts"
API = "/api/2.0/mlflow"
BYTES = bytes(range(256)) * 5000  # more than one chunk


def put(address: str, path: str, content: bytes = b"hello", **headers: str) -> dict[str, str]:
    answer = call(
        address,
        "PUT",
        f"{FILES}/artifacts/{path}",
        content,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert (answer.status, answer.body) == (200, b""), answer.text
    return answer.headers


def test_a_file_goes_there_and_back(address: str) -> None:
    sent = put(address, "0/there/back.bin", BYTES)
    answer = call(address, "GET", f"{FILES}/artifacts/0/there/back.bin")
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["etag"] == sent["etag"]
    assert answer.headers["repr-digest"] == digest_header(hashlib.sha256(BYTES).hexdigest())
    assert answer.headers["accept-ranges"] == "bytes"
    head = call(address, "HEAD", f"{FILES}/artifacts/0/there/back.bin")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(BYTES)))


def test_an_empty_file_is_a_file(address: str) -> None:
    put(address, "0/empty.txt", b"")
    answer = call(address, "GET", f"{FILES}/artifacts/0/empty.txt")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "name", ["a b.txt", "Größe + & more, (1).txt", "50%.txt", "ü/ż/日本.txt", "a=b@c.txt", "~x!$'.txt"]
)
def test_names_are_decoded_once(address: str, name: str) -> None:
    from urllib.parse import quote

    put(address, f"0/names/{quote(name)}", name.encode())
    assert call(address, "GET", f"{FILES}/artifacts/0/names/{quote(name)}").body == name.encode()
    folder = quote("0/names/" + name.rpartition("/")[0]).rstrip("/")
    listed = call(address, "GET", f"{FILES}/artifacts?path={folder}").json()["files"]
    assert name.rpartition("/")[2] in [file["path"] for file in listed]


def test_listing_is_relative_to_the_folder(address: str) -> None:
    put(address, "0/list/a.txt", b"12345")
    put(address, "0/list/deep/b.txt")
    assert call(address, "GET", f"{FILES}/artifacts?path=0/list").json() == {
        "files": [{"path": "a.txt", "is_dir": False, "file_size": 5}, {"path": "deep", "is_dir": True}]
    }
    assert call(address, "GET", f"{FILES}/artifacts?path=0/list/a.txt").json() == {}
    assert call(address, "GET", f"{FILES}/artifacts?path=0/nothing").json() == {}
    assert "0" in [file["path"] for file in call(address, "GET", f"{FILES}/artifacts").json()["files"]]


@pytest.mark.parametrize(
    ("asked", "status", "content", "said"),
    [
        ("bytes=0-0", 206, BYTES[:1], f"bytes 0-0/{len(BYTES)}"),
        ("bytes=10-19", 206, BYTES[10:20], f"bytes 10-19/{len(BYTES)}"),
        ("bytes=1000000-", 206, BYTES[1_000_000:], f"bytes 1000000-{len(BYTES) - 1}/{len(BYTES)}"),
        ("bytes=-5", 206, BYTES[-5:], f"bytes {len(BYTES) - 5}-{len(BYTES) - 1}/{len(BYTES)}"),
        ("bytes=-99999999", 206, BYTES, f"bytes 0-{len(BYTES) - 1}/{len(BYTES)}"),
        ("bytes=5-99999999", 206, BYTES[5:], f"bytes 5-{len(BYTES) - 1}/{len(BYTES)}"),
        (f"bytes={len(BYTES)}-", 416, None, f"bytes */{len(BYTES)}"),
        ("bytes=-0", 416, None, f"bytes */{len(BYTES)}"),
        ("bytes=9-5", 200, BYTES, None),
        ("bytes=-", 200, BYTES, None),
        ("bytes=1-2,4-5", 200, BYTES, None),
        ("items=1-2", 200, BYTES, None),
    ],
)
def test_ranges(address: str, asked: str, status: int, content: bytes | None, said: str | None) -> None:
    put(address, "0/range.bin", BYTES)
    answer = call(address, "GET", f"{FILES}/artifacts/0/range.bin", headers={"Range": asked})
    assert answer.status == status
    assert answer.headers.get("content-range") == said
    assert content is None or answer.body == content


def test_a_range_of_a_file_that_changed(address: str) -> None:
    first = put(address, "0/changes.txt", b"first")["etag"]
    path = f"{FILES}/artifacts/0/changes.txt"
    assert call(address, "GET", path, headers={"If-Match": first}).status == 200
    assert call(address, "GET", path, headers={"If-None-Match": first}).status == 304
    assert call(address, "GET", path, headers={"Range": "bytes=1-2", "If-Range": first}).body == b"ir"
    second = put(address, "0/changes.txt", b"second")["etag"]
    assert first != second
    gone = call(address, "GET", path, headers={"If-Match": first})
    assert (gone.status, gone.json()["error_class"]) == (412, "Conflict")
    whole = call(address, "GET", path, headers={"Range": "bytes=1-2", "If-Range": first})
    assert (whole.status, whole.body) == (200, b"second")


def test_what_was_announced_is_checked(address: str) -> None:
    right = digest_header(hashlib.sha256(b"hello").hexdigest())
    put(address, "0/checked.txt", b"hello", Content_Digest=right)
    path = f"{FILES}/artifacts/0/checked.txt"
    wrong = call(address, "PUT", path, b"hellO", {"Content-Digest": right})
    assert (wrong.status, wrong.json()["error_code"]) == (500, "DATA_LOSS")
    assert call(address, "PUT", path, b"x", {"Content-Digest": "md5=:x:"}).status == 400
    assert call(address, "GET", path).body == b"hello"


def test_a_chunked_upload(address: str) -> None:
    chunked = (
        b"".join(
            b"%x\r\n%s\r\n" % (len(BYTES[at : at + 99_999]), BYTES[at : at + 99_999])
            for at in range(0, len(BYTES), 99_999)
        )
        + b"0\r\n\r\n"
    )
    assert (
        call(address, "PUT", f"{FILES}/artifacts/0/chunked.bin", chunked, {"Transfer-Encoding": "chunked"}).status
        == 200
    )
    assert call(address, "GET", f"{FILES}/artifacts/0/chunked.bin").body == BYTES


def test_an_upload_that_is_cut_off_leaves_nothing(address: str) -> None:
    import socket
    from urllib.parse import urlsplit

    target = urlsplit(address)
    with socket.create_connection((target.hostname, target.port or 80)) as connection:
        connection.sendall(
            f"PUT {FILES}/artifacts/0/cut/off.bin HTTP/1.1\r\nHost: localhost\r\n".encode()
            + b"Content-Length: 9000000\r\n\r\n"
            + b"x" * 3_000_000
        )
    # The connection is gone; another request on the same path is answered after the server has noticed.
    put(address, "0/cut/other.bin")
    assert [file["path"] for file in call(address, "GET", f"{FILES}/artifacts?path=0/cut").json()["files"]] == [
        "other.bin"
    ]


def test_removing(address: str) -> None:
    put(address, "0/gone/a.txt")
    put(address, "0/gone/b/c.txt")
    assert call(address, "DELETE", f"{FILES}/artifacts/0/gone/a.txt").json() == {}
    assert call(address, "GET", f"{FILES}/artifacts/0/gone/a.txt").status == 404
    assert call(address, "DELETE", f"{FILES}/artifacts/0/gone").status == 200
    assert call(address, "GET", f"{FILES}/artifacts?path=0/gone").json() == {}
    assert call(address, "DELETE", f"{FILES}/artifacts/0/gone").status == 404


def test_what_is_no_file(address: str) -> None:
    put(address, "0/folder/a.txt")
    folder = call(address, "GET", f"{FILES}/artifacts/0/folder")
    assert (folder.status, folder.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    nothing = call(address, "GET", f"{FILES}/artifacts/0/folder/b.txt")
    assert (nothing.status, nothing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert call(address, "GET", f"{FILES}/artifacts/").status == 400
    assert call(address, "PUT", f"{FILES}/artifacts/", b"x").status == 400
    assert call(address, "DELETE", f"{FILES}/artifacts/").status == 400


@pytest.mark.parametrize(
    "name", ["page.html", "image.svg", "script.js", "style.css", "x.xhtml", "x.xml", "x", "evil.html\u00a0"]
)
def test_a_browser_runs_nothing_of_it(address: str, run_id: str, name: str) -> None:
    from urllib.parse import quote

    put(address, f"0/{run_id}/artifacts/{quote(name)}", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    for path in (
        f"{FILES}/artifacts/0/{run_id}/artifacts/{quote(name)}",
        f"/get-artifact?run_uuid={run_id}&path={quote(name)}",
    ):
        headers = call(address, "GET", path).headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment;")
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain; charset=utf-8"),
        ("MLmodel", "text/plain; charset=utf-8"),
        ("a.json", "text/plain; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.bin", "application/octet-stream"),
        ("a.csv", "text/plain; charset=utf-8"),
    ],
)
def test_content_types(address: str, name: str, kind: str) -> None:
    put(address, f"0/kinds/{name}")
    assert call(address, "GET", f"{FILES}/artifacts/0/kinds/{name}").headers["content-type"] == kind


def test_a_name_cannot_break_out_of_its_header(address: str) -> None:
    from urllib.parse import quote

    name = 'a"; filename=evil.html\u2028x.txt'.replace("\u2028", "")
    put(address, f"0/names/{quote(name).replace('%3B', '')}")
    said = call(address, "GET", f"{FILES}/artifacts/0/names/{quote(name).replace('%3B', '')}").headers[
        "content-disposition"
    ]
    assert said.count('"') == 2


def test_nobody_is_sent_a_file_who_has_gone(tmp_path: Path) -> None:
    import os
    import socket
    from urllib.parse import urlsplit

    # A file without end, as far as a test is concerned; it takes no space.
    (tmp_path / "artifacts" / "0").mkdir(parents=True)
    (tmp_path / "artifacts" / "0" / "endless.bin").touch()
    os.truncate(tmp_path / "artifacts" / "0" / "endless.bin", 1 << 40)
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"))
    with inside.served(config) as address:
        target = urlsplit(address)
        with socket.create_connection((target.hostname, target.port or 80)) as connection:
            connection.sendall(f"GET {FILES}/artifacts/0/endless.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            assert "millstream_http_requests_active 2.0" in call(address, "GET", "/metrics").text
        alone = "millstream_http_requests_active 1.0"
        wait_until(lambda: alone in call(address, "GET", "/metrics").text, 60, "the end of the download")


# By run and model


def test_files_of_a_run(address: str, run_id: str) -> None:
    put(address, f"0/{run_id}/artifacts/a/b.txt", b"of the run")
    assert call(address, "GET", f"/get-artifact?run_uuid={run_id}&path=a/b.txt").body == b"of the run"
    assert call(address, "GET", f"/get-artifact?run_id={run_id}&path=a%2Fb.txt").body == b"of the run"
    root = f"mlflow-artifacts:/0/{run_id}/artifacts"
    assert call(address, "GET", f"{API}/artifacts/list?run_id={run_id}").json() == {
        "root_uri": root,
        "files": [{"path": "a", "is_dir": True}],
    }
    assert call(address, "GET", f"{API}/artifacts/list?run_id={run_id}&path=a").json() == {
        "root_uri": root,
        "files": [{"path": "a/b.txt", "is_dir": False, "file_size": 10}],
    }
    assert call(address, "GET", f"{API}/artifacts/list?run_id={run_id}&path=a/b.txt").json() == {"root_uri": root}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("run_uuid=nobody&path=a", 404, "nobody"),
        ("path=a", 400, "run_uuid"),
        ("run_uuid=nobody", 404, "nobody"),
        ("", 400, "run_uuid"),
        ("run_uuid=RUN", 400, "path"),
        ("run_uuid=RUN&path=nothing", 404, "nothing"),
        ("run_uuid=RUN&path=a&path=b", 400, "twice"),
    ],
)
def test_what_get_artifact_refuses(address: str, run_id: str, query: str, status: int, said: str) -> None:
    answer = call(address, "GET", f"/get-artifact?{query.replace('RUN', run_id)}")
    assert answer.status == status
    assert said in answer.text


def test_a_page_uploads_a_file_of_a_run(address: str, run_id: str) -> None:
    path = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=up/x.txt"
    assert call(address, "POST", path, b"uploaded", {"Content-Type": "text/plain"}).status == 200
    assert call(address, "GET", f"/get-artifact?run_uuid={run_id}&path=up/x.txt").body == b"uploaded"
    assert call(address, "POST", path.replace("ajax-api", "api"), b"x").status == 404
    assert call(address, "POST", path.replace("up/x.txt", ""), b"x").status == 400


def test_files_of_a_logged_model(address: str) -> None:
    info = call(address, "POST", f"{API}/logged-models", {"experiment_id": "0", "name": "m"}).json()["model"]["info"]
    model = info["model_id"]
    put(address, f"0/models/{model}/artifacts/MLmodel", b"flavors: {}")
    listed = call(address, "GET", f"{API}/logged-models/{model}/artifacts/directories").json()
    assert listed["files"] == [{"path": "MLmodel", "is_dir": False, "file_size": 11}]
    path = f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files"
    assert call(address, "GET", f"{path}?artifact_file_path=MLmodel").body == b"flavors: {}"
    assert call(address, "GET", path).status == 400
    assert call(address, "GET", f"{path}?artifact_file_path=nothing").status == 404


def test_files_of_a_version_wait_for_the_registry(address: str) -> None:
    answer = call(address, "GET", "/model-versions/get-artifact?name=m&version=1&path=MLmodel")
    assert (answer.status, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_files_of_a_run_are_removed(address: str, run_id: str) -> None:
    put(address, f"0/{run_id}/artifacts/a.txt")
    put(address, f"0/{run_id}/artifacts/b/c.txt")
    assert call(address, "POST", "/api/v1/artifacts/delete", {"run_id": run_id, "path": "b"}).status == 200
    listed = call(address, "GET", f"{API}/artifacts/list?run_id={run_id}").json()["files"]
    assert [file["path"] for file in listed] == ["a.txt"]
    assert call(address, "POST", "/api/v1/artifacts/delete", {"run_id": run_id, "path": "b"}).status == 404
    assert call(address, "POST", "/api/v1/artifacts/delete", {"run_id": run_id}).status == 200
    assert "files" not in call(address, "GET", f"{API}/artifacts/list?run_id={run_id}").json()
    assert call(address, "POST", "/api/v1/artifacts/delete", {"run_id": run_id}).status == 200


# In parts


def create(address: str, folder: str, name: str, size: int, part_size: int) -> str:
    asked = {"path": name, "num_parts": -(-size // part_size), "file_size": size, "part_size": part_size}
    made = call(address, "POST", f"{FILES}/mpu/create/{folder}", asked)
    assert made.status == 200, made.text
    assert made.json()["credentials"] == []
    upload_id: str = made.json()["upload_id"]
    return upload_id


def send_part(address: str, path: str, upload_id: str, number: int, content: bytes, **headers: str) -> dict[str, Any]:
    answer = call(
        address,
        "PUT",
        f"/api/v1/artifact-uploads/{path}?upload_id={upload_id}&part_number={number}",
        content,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert answer.status == 200, answer.text
    part: dict[str, Any] = answer.json()
    return part


def test_a_file_in_parts(address: str) -> None:
    upload_id = create(address, "0/parts", "/home/somebody/big.bin", len(BYTES), 500_000)
    pieces = [BYTES[at : at + 500_000] for at in range(0, len(BYTES), 500_000)]
    first = send_part(
        address,
        "0/parts/big.bin",
        upload_id,
        2,
        pieces[1],
        Content_Digest=digest_header(hashlib.sha256(pieces[1]).hexdigest()),
    )
    assert first["part_number"] == 2
    # Another process finds the upload and goes on.
    found = call(address, "GET", "/api/v1/artifact-uploads/0/parts/big.bin").json()["uploads"]
    assert [(upload["upload_id"], upload["part_size"]) for upload in found] == [(upload_id, 500_000)]
    assert [(part["part_number"], part["file_size"]) for part in found[0]["parts"]] == [(2, 500_000)]
    assert found[0]["parts"][0]["sha256"] == hashlib.sha256(pieces[1]).hexdigest()
    parts = {
        2: first,
        1: send_part(address, "0/parts/big.bin", upload_id, 1, pieces[0]),
        3: send_part(address, "0/parts/big.bin", upload_id, 3, pieces[2]),
    }
    assert call(address, "GET", f"{FILES}/artifacts/0/parts/big.bin").status == 404
    listed = [{"part_number": number, "etag": parts[number]["etag"]} for number in (1, 2, 3)]
    whole = {"path": "big.bin", "upload_id": upload_id, "parts": listed, "sha256": hashlib.sha256(BYTES).hexdigest()}
    done = call(address, "POST", f"{FILES}/mpu/complete/0/parts", whole)
    assert (done.status, done.json()) == (200, {})
    assert call(address, "GET", f"{FILES}/artifacts/0/parts/big.bin").body == BYTES
    assert call(address, "GET", "/api/v1/artifact-uploads/0/parts/big.bin").json() == {"uploads": []}


def test_an_upload_given_up(address: str) -> None:
    upload_id = create(address, "0/parts", "dropped.bin", 10, 10)
    send_part(address, "0/parts/dropped.bin", upload_id, 1, b"0123456789")
    over = {"path": "dropped.bin", "upload_id": upload_id}
    assert call(address, "POST", f"{FILES}/mpu/abort/0/parts", over).json() == {}
    assert call(address, "POST", f"{FILES}/mpu/abort/0/parts", over).status == 404
    late = call(
        address,
        "PUT",
        f"/api/v1/artifact-uploads/0/parts/dropped.bin?upload_id={upload_id}&part_number=1",
        b"0123456789",
    )
    assert late.status == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"num_parts": 0}, 400),
        ({"num_parts": 10_001}, 400),
        ({"num_parts": "many"}, 400),
        ({"path": ""}, 400),
        ({"path": ".."}, 400),
        ({"path": "a/.."}, 400),
        ({"sha256": "short"}, 400),
        ({"file_size": None}, 501),
        ({"part_size": None}, 501),
        ({"path": None}, 400),
    ],
)
def test_what_create_refuses(address: str, changed: dict[str, Any], status: int) -> None:
    asked = {"path": "x.bin", "num_parts": 1, "file_size": 10, "part_size": 10, **changed}
    assert call(address, "POST", f"{FILES}/mpu/create/0/parts", asked).status == status


def test_a_client_that_knows_no_parts_is_told_in_its_words(address: str) -> None:
    made = call(address, "POST", f"{FILES}/mpu/create/0/parts", {"path": "x.bin", "num_parts": 2})
    assert made.status == 501
    assert made.json()["message"] == "Multipart upload is not supported for the current artifact repository"
    presigned = call(address, "GET", f"{FILES}/presigned/0/parts/x.bin")
    assert presigned.status == 501
    assert presigned.json()["message"] == "Multipart download is not supported for the current artifact repository"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "upload_id=a",
        "part_number=1",
        "upload_id=a&part_number=0",
        "upload_id=a&part_number=x",
        "upload_id=a&part_number=99999",
        "upload_id=%F0%9F&part_number=1",
        "upload_id=a&part_number=²",
    ],
)
def test_what_a_part_must_say(address: str, query: str) -> None:
    from urllib.parse import quote

    assert call(address, "PUT", f"/api/v1/artifact-uploads/0/x.bin?{quote(query, safe='=&%')}", b"x").status == 400
    unknown = call(address, "PUT", "/api/v1/artifact-uploads/0/x.bin?upload_id=a&part_number=1", b"x")
    assert unknown.status in (400, 404)


# On S3


def test_files_on_s3(s3: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=f"s3://{s3_bucket}/kept")
    with inside.served(config) as address:
        run = call(address, "POST", f"{API}/runs/create", {"experiment_id": "0"}).json()["run"]["info"]
        root = f"0/{run['run_id']}/artifacts"
        put(address, f"{root}/a.bin", BYTES)
        assert call(address, "GET", f"{FILES}/artifacts/{root}/a.bin").body == BYTES
        assert (
            call(address, "GET", f"{FILES}/artifacts/{root}/a.bin", headers={"Range": "bytes=7-9"}).body == BYTES[7:10]
        )
        assert call(address, "GET", f"{API}/artifacts/list?run_id={run['run_id']}").json()["files"][0][
            "file_size"
        ] == len(BYTES)

        given = call(address, "GET", f"{FILES}/presigned/{root}/a.bin?expiration=60").json()
        assert given["file_size"] == len(BYTES)
        assert fetched(given["url"], "GET", given.get("headers")) == BYTES
        asked = {"run_id": run["run_id"], "path": "direct.txt"}
        up = call(address, "POST", f"{API}/artifacts/presigned-upload-url", asked).json()
        fetched(up["url"], "PUT", up.get("headers"), b"past the server")
        down = call(address, "POST", f"{API}/artifacts/presigned-download-url", asked).json()
        assert fetched(down["url"], "GET", down.get("headers")) == b"past the server"

        made = call(address, "POST", f"{FILES}/mpu/create/{root}", {"path": "/x/parts.bin", "num_parts": 2}).json()
        content = [b"a" * (5 << 20), b"b" * 10]
        parts = [
            {
                "part_number": one["part_number"],
                "etag": etag_of(one["url"], one["headers"], content[one["part_number"] - 1]),
            }
            for one in made["credentials"]
        ]
        over = {"path": "/x/parts.bin", "upload_id": made["upload_id"], "parts": parts}
        assert call(address, "POST", f"{FILES}/mpu/complete/{root}", over).status == 200
        assert call(address, "GET", f"{FILES}/artifacts/{root}/parts.bin").body == b"".join(content)
        assert call(address, "DELETE", f"{FILES}/artifacts/{root}").status == 200
        assert call(address, "GET", f"{FILES}/artifacts?path={root}").json() == {}


def test_trouble_between_server_and_store_stays_there(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {**s3.environment(), "AWS_SECRET_ACCESS_KEY": "wrong"}.items():
        monkeypatch.setenv(name, value)
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination="s3://warm-up/kept")
    with inside.served(config) as address:
        answer = call(address, "PUT", f"{FILES}/artifacts/0/a.bin", b"x")
    assert (answer.status, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert s3.endpoint not in answer.text and "warm-up" not in answer.text
    assert any("warm-up" in str(getattr(record, "facts", "")) for record in caplog.records)


def fetched(url: str, method: str, headers: dict[str, str] | None, body: bytes | None = None) -> bytes:
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method)) as answer:
        content: bytes = answer.read()
        return content


def etag_of(url: str, headers: dict[str, str], body: bytes) -> str:
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PUT")) as answer:
        return str(answer.headers["ETag"])
