"""Paths that want to leave their root, in every spelling that has worked somewhere, on every route that takes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.security.conftest import SECRET, Target
from tests.servers.wire import Answer, call

# As they stand in an address, already encoded. Each tries to reach secret.txt beside the root, or /etc/passwd.
ENCODED = [
    "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "%2e%2e/secret.txt",
    "../secret.txt",
    "../../../../secret.txt",
    "../../../../../../../../../../etc/passwd",
    "inside/../../../../../secret.txt",
    "inside/..%2f..%2f..%2f..%2f..%2fsecret.txt",
    "%252e%252e%252fsecret.txt",  # decoded twice
    "%252e%252e/%252e%252e/secret.txt",
    "%25252e%25252e%25252fsecret.txt",
    "..%5csecret.txt",
    "..\\secret.txt",
    "..%255csecret.txt",
    "%5c%5chost%5cshare%5csecret.txt",
    "C:%5csecret.txt",
    "C:/secret.txt",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "//etc/passwd",
    "//proc/self/environ",
    "%2f%2fproc%2fself%2fenviron",
    "file:///etc/passwd",
    "file:%2f%2f%2fetc%2fpasswd",
    "file://host/etc/passwd",
    "file:/etc/passwd",
    "http://127.0.0.1:1/x",
    "dbfs:/secret.txt",
    "s3://bucket/x",
    "inside;/../../../../../secret.txt",
    "..;/secret.txt",
    "inside%3b%2f..%2f..%2fsecret.txt",
    "inside%23/../../secret.txt",
    "inside%3f/../../secret.txt",
    "inside%00/../../secret.txt",
    "..%00/secret.txt",
    "secret.txt%00.png",
    "%c0%ae%c0%ae%c0%afsecret.txt",  # an overlong form of ../
    "%c0%ae%c0%ae/secret.txt",
    "%ff%fe/secret.txt",
    "%u002e%u002e%u002fsecret.txt",
    "%EF%BC%8E%EF%BC%8E/secret.txt",  # full-width dots
    "%EF%BC%8E%EF%BC%8E%EF%BC%8Fsecret.txt",
    "..%E2%80%A8/secret.txt",
    "....//....//secret.txt",
    "..././secret.txt",
    ".../secret.txt",
    "./../secret.txt",
    "./inside/./../../secret.txt",
    "inside//..//..//secret.txt",
    "%20../secret.txt",
    "..%20/secret.txt",
    "..%09/secret.txt",
    "..%0d%0a/secret.txt",
    "-/../../secret.txt",
    "%7e/secret.txt",
    "$HOME/secret.txt",
    "link/secret.txt",
    "link/neighbour/secret.txt",
    "link.txt",
    "link%2fsecret.txt",
    "..-neighbour/secret.txt",
    "../artifacts-neighbour/secret.txt",
    "../../../artifacts-neighbour/secret.txt",
    "..",
    "../",
    "%2e%2e",
    "../../..",
    ".",
    "x" * 300 + "/../../secret.txt",
    "a/" * 3000 + "secret.txt",
]

FILES = "/api/2.0/mlflow-artifacts"
API = "/api/2.0/mlflow"
Attack = Callable[[Target, str], Answer]


def json_text(encoded: str) -> str:
    """The path as a JSON body carries it: no decoding happens on the way, so the text itself is the path."""
    return json.dumps(encoded)[1:-1]


def _run_root(target: Target) -> str:
    return f"0/{target.run_id}/artifacts"


def _post(target: Target, path: str, body: str) -> Answer:
    return call(target.address, "POST", path, body.encode(), {"Content-Type": "application/json"})


# Every route that takes a path, with the root of a run before it, and without.
ATTACKS: dict[str, Attack] = {
    "get": lambda t, p: call(t.address, "GET", f"{FILES}/artifacts/{_run_root(t)}/{p}"),
    "get from the top": lambda t, p: call(t.address, "GET", f"{FILES}/artifacts/{p}"),
    "head": lambda t, p: call(t.address, "HEAD", f"{FILES}/artifacts/{_run_root(t)}/{p}"),
    "range": lambda t, p: call(
        t.address, "GET", f"{FILES}/artifacts/{_run_root(t)}/{p}", headers={"Range": "bytes=0-9"}
    ),
    "ajax get": lambda t, p: call(t.address, "GET", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{_run_root(t)}/{p}"),
    "put": lambda t, p: call(t.address, "PUT", f"{FILES}/artifacts/{_run_root(t)}/{p}", b"overwritten"),
    "put from the top": lambda t, p: call(t.address, "PUT", f"{FILES}/artifacts/{p}", b"overwritten"),
    "delete": lambda t, p: call(t.address, "DELETE", f"{FILES}/artifacts/{_run_root(t)}/{p}"),
    "delete from the top": lambda t, p: call(t.address, "DELETE", f"{FILES}/artifacts/{p}"),
    "list": lambda t, p: call(t.address, "GET", f"{FILES}/artifacts?path={_run_root(t)}/{p}"),
    "list from the top": lambda t, p: call(t.address, "GET", f"{FILES}/artifacts?path={p}"),
    "presigned": lambda t, p: call(t.address, "GET", f"{FILES}/presigned/{_run_root(t)}/{p}"),
    "create folder": lambda t, p: _post(
        t, f"{FILES}/mpu/create/{_run_root(t)}/{p}", '{"path": "x", "num_parts": 1, "file_size": 1, "part_size": 1}'
    ),
    "complete folder": lambda t, p: _post(
        t, f"{FILES}/mpu/complete/{_run_root(t)}/{p}", '{"path": "x", "upload_id": "' + "0" * 32 + '"}'
    ),
    "abort folder": lambda t, p: _post(
        t, f"{FILES}/mpu/abort/{_run_root(t)}/{p}", '{"path": "x", "upload_id": "' + "0" * 32 + '"}'
    ),
    "uploads": lambda t, p: call(t.address, "GET", f"/api/v1/artifact-uploads/{_run_root(t)}/{p}"),
    "part": lambda t, p: call(
        t.address, "PUT", f"/api/v1/artifact-uploads/{_run_root(t)}/{p}?upload_id={'0' * 32}&part_number=1", b"x"
    ),
    "get-artifact": lambda t, p: call(t.address, "GET", f"/get-artifact?run_uuid={t.run_id}&path={p}"),
    "upload-artifact": lambda t, p: call(
        t.address, "POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={t.run_id}&path={p}", b"x"
    ),
    "list of a run": lambda t, p: call(t.address, "GET", f"{API}/artifacts/list?run_id={t.run_id}&path={p}"),
    "files of a model": lambda t, p: call(
        t.address, "GET", f"/ajax-api/2.0/mlflow/logged-models/{t.model_id}/artifacts/files?artifact_file_path={p}"
    ),
    "folders of a model": lambda t, p: call(
        t.address, "GET", f"{API}/logged-models/{t.model_id}/artifacts/directories?artifact_directory_path={p}"
    ),
    "page of a run": lambda t, p: call(t.address, "GET", f"/plain/runs/{t.run_id}?path={p}"),
}

# Where the path is a text in JSON and not part of an address.
IN_JSON: dict[str, Attack] = {
    "presign upload": lambda t, p: _post(
        t, f"{API}/artifacts/presigned-upload-url", f'{{"run_id": "{t.run_id}", "path": "{json_text(p)}"}}'
    ),
    "presign download": lambda t, p: _post(
        t, f"{API}/artifacts/presigned-download-url", f'{{"run_id": "{t.run_id}", "path": "{json_text(p)}"}}'
    ),
    "delete of a run": lambda t, p: _post(
        t, "/api/v1/artifacts/delete", f'{{"run_id": "{t.run_id}", "path": "{json_text(p)}"}}'
    ),
    "graphql": lambda t, p: _post(
        t,
        "/graphql",
        json.dumps(
            {
                "query": "query($i: MlflowListArtifactsInput) { mlflowListArtifacts(input: $i) { files { path } } }",
                "variables": {"i": {"runId": t.run_id, "path": p}},
            }
        ),
    ),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_path_leaves_its_root(target: Target, attack: Attack) -> None:
    before = target.outside()
    for encoded in ENCODED:
        check(target, encoded, attack(target, address_safe(encoded)))
    assert target.outside() == before
    still_there(target)


@pytest.mark.parametrize("attack", IN_JSON.values(), ids=IN_JSON)
def test_no_path_in_json_leaves_its_root(target: Target, attack: Attack) -> None:
    from urllib.parse import unquote

    before = target.outside()
    for encoded in ENCODED:
        for path in {encoded, unquote(encoded, errors="replace")}:
            check(target, path, attack(target, path))
    assert target.outside() == before
    still_there(target)


def test_no_name_of_a_file_leaves_its_folder(target: Target) -> None:
    before = target.outside()
    for encoded in ENCODED:
        asked = json.dumps({"path": encoded, "num_parts": 1, "file_size": 1, "part_size": 1, "upload_id": "0" * 32})
        for step in ("create", "complete", "abort"):
            check(target, encoded, _post(target, f"{FILES}/mpu/{step}/{_run_root(target)}/new", asked))
    assert target.outside() == before
    still_there(target)


def check(target: Target, path: str, answer: Answer) -> None:
    assert SECRET not in answer.text, path
    assert "root:x:" not in answer.text, path
    assert str(target.place) not in answer.text, path
    assert "Traceback" not in answer.text, path
    assert answer.status < 500 or answer.status == 501, f"{path}: {answer.status} {answer.text}"
    assert "secret.txt" not in listed(answer), path


def listed(answer: Answer) -> list[str]:
    """The names of files that an answer lists."""
    try:
        return [file["path"] for file in answer.json().get("files", [])]
    except (ValueError, AttributeError):
        return []


def still_there(target: Target) -> None:
    for root in (_run_root(target), f"0/models/{target.model_id}/artifacts"):
        assert call(target.address, "GET", f"{FILES}/artifacts/{root}/inside/file.txt").body == b"inside"
    links = target.place / "artifacts" / "0" / target.run_id / "artifacts"
    assert (links / "link").is_symlink()
    assert (target.place / "secret.txt").read_text() == SECRET


def address_safe(encoded: str) -> str:
    """The same path without what no request line can carry."""
    return quote(encoded, safe="%/:;\\$~.-")


@pytest.mark.parametrize(
    "location",
    [
        "/etc",
        "file:///etc",
        "file:/etc",
        "FILE:///etc",
        "file://localhost/etc",
        "file://host/share",
        "file:etc",
        "..",
        "../x",
        "./../x",
        "/",
        "file:///",
        "~/x",
        "~root/x",
        "mlflow-artifacts:/../x",
        "mlflow-artifacts:/a/../../x",
        "mlflow-artifacts:/a/%2e%2e/x",
        "mlflow-artifacts://evil.example/x",
        "mlflow-artifacts://evil.example:5000/x",
        "mlflow-artifacts:/a\\..\\x",
        "mlflow-artifacts:/a#x",
        "mlflow-artifacts:/a?x",
        "mlflow-artifacts:/a;x",
        "MLFLOW-ARTIFACTS:/../x",
        "s3://bucket/../x",
        "s3://bucket/a#b",
        "s3://bucket/a?b",
        "s3://bucket/a;b",
        "s3://bucket/%2e%2e/x",
        "s3:///x",
        "s3:x",
        "s3://user:password@bucket/x",
        "gs://bucket/a/./b",
        "http://169.254.169.254/latest",
        "https://evil.example/x",
        "ftp://evil.example/x",
        "sftp://evil.example/x",
        "hdfs://evil.example/x",
        "dbfs:/x",
        "viewfs://x/y",
        "gopher://evil.example/x",
        "memory://x",
        "data:text/plain,x",
        "runs:/a/b",
        "models:/a/1",
        "github://org:repo@/x",
        "smb://evil.example/x",
        "file\n:///etc",
        "\tfile:///etc",
        "/tmp/\x00x",
        "x" * 3000,
        "{place}",
        "{place}/neighbour",
        "{place}/artifacts-neighbour",
        "{place}/artifacts/../neighbour",
        "file://{place}/artifacts/%2e%2e/x",
        "{place}/artifacts/0/{run}/artifacts/link/neighbour",
        "{place}/artifacts#x",
        "{place}/store.db",
    ],
)
def test_no_experiment_is_kept_where_a_client_likes(target: Target, location: str) -> None:
    asked = location.replace("{place}", str(target.place)).replace("{run}", target.run_id)
    for path, body in proposals(asked).items():
        answer = call(target.address, "POST", path, body)
        assert answer.status == 400, f"{path} accepted {asked!r}: {answer.text}"
        assert answer.json()["error_code"] in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


def proposals(location: str) -> dict[str, object]:
    """Every operation by which a root could come in."""
    from uuid import uuid4

    name, run = uuid4().hex, uuid4().hex
    info = {
        "run_id": run,
        "experiment_id": "0",
        "user_id": "u",
        "status": "RUNNING",
        "start_time": 1,
        "artifact_uri": location,
    }
    model = {
        "model_id": f"m-{run}",
        "experiment_id": "0",
        "name": "m",
        "creation_timestamp_ms": 1,
        "last_updated_timestamp_ms": 1,
        "artifact_uri": location,
        "status": "LOGGED_MODEL_READY",
    }
    experiment = {"experiment_id": "77", "name": name, "artifact_location": location, "lifecycle_stage": "active"}
    return {
        f"{API}/experiments/create": {"name": name, "artifact_location": location},
        "/api/v1/import/experiments": {"experiments": [{"experiment": experiment}]},
        "/api/v1/import/runs": {"runs": [{"run": {"info": info}}]},
        "/api/v1/import/logged-models": {"models": [{"model": {"info": model}}]},
    }


@pytest.mark.parametrize(
    "location",
    [
        "mlflow-artifacts:/elsewhere/deep",
        "mlflow-artifacts:/",
        "s3://bucket/path",
        "gs://bucket",
        "abfss://container@account.dfs.core.windows.net/x",
        "{place}/artifacts/own",
        "file://{place}/artifacts/own%20one",
        "{place}/artifacts",
    ],
)
def test_what_can_only_mean_one_place_is_taken(target: Target, location: str) -> None:
    from uuid import uuid4

    asked = location.replace("{place}", str(target.place))
    made = call(target.address, "POST", f"{API}/experiments/create", {"name": uuid4().hex, "artifact_location": asked})
    assert made.status == 200, made.text
    found = call(target.address, "GET", f"{API}/experiments/get?experiment_id={made.json()['experiment_id']}").json()
    assert found["experiment"]["artifact_location"] == asked
