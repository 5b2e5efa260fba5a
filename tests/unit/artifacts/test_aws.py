"""Who we are to AWS, against botocore's own signatures and its reading of the shared files."""

from __future__ import annotations

import hashlib
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from millstream.artifacts import aws
from millstream.errors import InvalidValue

NOW = datetime(2026, 11, 20, 12, 30, 15, tzinfo=timezone.utc)
KEYS = [aws.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        aws.Credentials("ASIA", "secret", "token/with+signs==")]
REQUESTS = [
    ("GET", "/bucket", {"uploads": "", "prefix": "a b/ü"}),
    ("PUT", "/bucket/a b/100% ü=+@:&'()*!~.bin", {"partNumber": "3", "uploadId": "2~x/y+z="}),
    ("POST", "/bucket/key", {"uploads": ""}),
    ("DELETE", "/base/bucket/key", {"uploadId": "x"}),
    ("PUT", "/bucket/plain", {}),
]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("method", "path", "query"), REQUESTS)
def test_signed_headers_are_those_of_botocore(
    method: str, path: str, query: dict[str, str], keys: aws.Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: NOW.replace(tzinfo=None))
    payload = hashlib.sha256(b"body").hexdigest()
    address = f"http://s3.example:9000{aws.encoded_path(path)}?{aws.encoded_query(query)}"
    request = AWSRequest(method, address, headers={"x-amz-meta-sha256": "abc", "X-Amz-Content-SHA256": payload},
                         data=b"body")
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(BotoCredentials(keys.access_key, keys.secret_key, keys.token), "s3", "eu-west-1").add_auth(request)
    ours = aws.sign(
        method, "s3.example:9000", path, query, {"x-amz-meta-sha256": "abc"}, payload, keys, "eu-west-1", NOW
    )
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("method", "path", "query"), REQUESTS)
def test_presigned_addresses_are_those_of_botocore(
    method: str, path: str, query: dict[str, str], keys: aws.Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: NOW.replace(tzinfo=None))
    request = AWSRequest(method, f"http://s3.example:9000{aws.encoded_path(path)}?{aws.encoded_query(query)}")
    S3SigV4QueryAuth(BotoCredentials(keys.access_key, keys.secret_key, keys.token), "s3", "eu-west-1", expires=900
                     ).add_auth(request)
    ours = aws.presign(method, "s3.example:9000", path, query, 900, keys, "eu-west-1", NOW)
    theirs = urlsplit(request.url).query
    assert dict(parse_qsl(ours, keep_blank_values=True)) == dict(parse_qsl(theirs, keep_blank_values=True))


# Where credentials come from


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """An environment with the two shared files, a few profiles in them."""
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = ds%cret\n\n"
        "[team]\naws_access_key_id=TEAM\naws_secret_access_key=ts\naws_session_token=tt\n"
    )
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-central-1\naws_access_key_id = OVERRULED\naws_secret_access_key = x\n\n"
        "[profile team]\nregion = eu-north-1\nendpoint_url = http://s3.team:9000\n\n"
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = team\n\n[profile bare]\nregion=x-1\n"
    )
    return {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}


def keys_of(account: aws.Account) -> aws.Credentials | None:
    return account.credentials() if account.credentials else None


def test_keys_in_the_environment_come_first(files: dict[str, str]) -> None:
    set_here = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "es"}
    for more in ({}, {"AWS_PROFILE": "team"}):
        assert keys_of(aws.account({**files, **set_here, **more})) == aws.Credentials("ENV", "es")
    with_token = aws.account({**set_here, "AWS_SESSION_TOKEN": "et", "HOME": "/nowhere"})
    assert keys_of(with_token) == aws.Credentials("ENV", "es", "et")


def test_profiles_in_the_shared_files(files: dict[str, str]) -> None:
    default, team = aws.account(files), aws.account({**files, "AWS_PROFILE": "team"})
    assert (keys_of(default), default.region) == (aws.Credentials("DEFAULT", "ds%cret"), "eu-central-1")
    assert keys_of(team) == aws.Credentials("TEAM", "ts", "tt")
    assert (team.region, team.endpoint) == ("eu-north-1", "http://s3.team:9000")
    assert keys_of(aws.account({**files, "AWS_PROFILE": "bare"})) is None


def test_the_files_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id=H\naws_secret_access_key=h\n")
    assert keys_of(aws.account({"HOME": str(tmp_path)})) == aws.Credentials("H", "h")
    assert aws.account({"HOME": str(tmp_path / "nowhere")}) == aws.Account(None, None, None)


def test_region_and_endpoint(files: dict[str, str]) -> None:
    assert aws.account({**files, "AWS_DEFAULT_REGION": "d"}).region == "d"
    assert aws.account({**files, "AWS_DEFAULT_REGION": "d", "AWS_REGION": "r"}).region == "r"
    assert aws.account({**files, "AWS_ENDPOINT_URL": "http://a"}).endpoint == "http://a"
    assert aws.account({**files, "AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}).endpoint == "http://b"


def test_a_profile_that_no_file_has(files: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="'missing'"):
        aws.account({**files, "AWS_PROFILE": "missing"})


def test_a_file_that_does_not_parse(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no section\n")
    with pytest.raises(InvalidValue, match="does not parse"):
        aws.account({"AWS_CONFIG_FILE": str(tmp_path / "broken"), "HOME": str(tmp_path)})


def test_a_profile_with_a_role_asks_boto3(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**files, "AWS_PROFILE": "role", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    assert aws.account().credentials is not None
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(InvalidValue, match="needs boto3") as caught:
        aws.account()
    assert caught.value.hint
