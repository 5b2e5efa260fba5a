"""How AWS is told who asks: credentials from the usual places, and Signature Version 4.

boto3 is not needed for keys in the environment or in the shared files. What those files can ask for beyond keys (an
assumed role, single sign-on, a credential process) is left to boto3 if it is installed. Where nothing is set at all,
the object store client tries the machine's own role (web identity, container, instance metadata).

Source of the method: "Signing AWS API requests" and "Authenticating Requests (AWS Signature Version 4)" in Amazon's
documentation.
"""

from __future__ import annotations

import configparser
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from millstream.errors import InvalidValue

UNSIGNED = "UNSIGNED-PAYLOAD"
NO_CONTENT = hashlib.sha256(b"").hexdigest()

_ALGORITHM = "AWS4-HMAC-SHA256"
_BEYOND_KEYS = ("role_arn", "sso_start_url", "sso_session", "credential_process", "web_identity_token_file")


class Credentials(msgspec.Struct, frozen=True):
    """Keys to sign with."""

    access_key: str
    secret_key: str
    token: str | None = None


class Account(msgspec.Struct, frozen=True):
    """What environment and files say. ``credentials`` is None when they hold none; each call may give fresh ones."""

    credentials: Callable[[], Credentials] | None
    region: str | None
    endpoint: str | None


def account(environment: Mapping[str, str] = os.environ) -> Account:
    """Who we are to AWS, where, and at which address.

    Read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN first, then from the profile AWS_PROFILE
    (``default`` unless given) in the files AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE. Raises InvalidValue for a
    profile that AWS_PROFILE names and no file has, and for one that needs boto3 when there is none.
    """
    name = environment.get("AWS_PROFILE") or "default"
    profile = _profile(name, environment)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile.get("region")
    endpoint = (
        environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or profile.get("endpoint_url")
    )
    access, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return Account(_always(Credentials(access, secret, environment.get("AWS_SESSION_TOKEN"))), region, endpoint)
    if environment.get("AWS_PROFILE") and not profile:
        raise InvalidValue(
            f"the AWS profile '{name}' is in neither the shared credentials file nor the config file",
            hint="check AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE",
        )
    access, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if access and secret:
        return Account(_always(Credentials(access, secret, profile.get("aws_session_token"))), region, endpoint)
    if beyond := [key for key in _BEYOND_KEYS if key in profile]:
        return Account(_from_boto3(name, beyond[0]), region, endpoint)
    return Account(None, region, endpoint)


def sign(
    method: str, host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], payload: str,
    keys: Credentials, region: str, now: datetime | None = None,
) -> dict[str, str]:
    """The headers to send: those given plus date, content hash and Authorization.

    ``path`` is the decoded path; ``payload`` the hexadecimal SHA-256 of the body, or UNSIGNED.
    """
    stamp = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    if keys.token:
        sent["x-amz-security-token"] = keys.token
    signed = {name.lower(): " ".join(value.split()) for name, value in {**sent, "host": host}.items()}
    names = ";".join(sorted(signed))
    signature = _signature(method, path, query, signed, payload, keys, region, stamp)
    scope = f"{keys.access_key}/{stamp[:8]}/{region}/s3/aws4_request"
    sent["Authorization"] = f"{_ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}"
    return sent


def presign(
    method: str, host: str, path: str, query: Mapping[str, str], seconds: int, keys: Credentials, region: str,
    now: datetime | None = None,
) -> str:
    """The query string, without its ``?``, of an address that may be used by anyone for so many seconds."""
    stamp = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    full = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{stamp[:8]}/{region}/s3/aws4_request",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.token:
        full["X-Amz-Security-Token"] = keys.token
    signature = _signature(method, path, full, {"host": host}, UNSIGNED, keys, region, stamp)
    return f"{encoded_query(full)}&X-Amz-Signature={signature}"


def encoded_path(path: str) -> str:
    """A path as S3 wants it in requests and signatures."""
    return quote(path, safe="/-_.~")


def encoded_query(query: Mapping[str, str]) -> str:
    """A query as S3 wants it in requests and signatures: sorted, everything encoded."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))


def _signature(
    method: str, path: str, query: Mapping[str, str], signed: Mapping[str, str], payload: str, keys: Credentials,
    region: str, stamp: str,
) -> str:
    request = "\n".join([
        method, encoded_path(path), encoded_query(query),
        *(f"{name}:{signed[name]}" for name in sorted(signed)), "", ";".join(sorted(signed)), payload,
    ])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for step in (stamp[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    home = Path(environment.get("HOME") or Path.home())
    config = environment.get("AWS_CONFIG_FILE") or str(home / ".aws" / "config")
    keys = environment.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / ".aws" / "credentials")
    # The credentials file wins, as it does for AWS's own tools.
    for file, section in ((config, name if name == "default" else f"profile {name}"), (keys, name)):
        parser = configparser.RawConfigParser(default_section="\0", strict=False)
        try:
            parser.read(os.path.expanduser(file), encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InvalidValue(f"the AWS file {file!r} does not parse: {error}") from None
        if parser.has_section(section):
            found.update(parser.items(section))
    return found


def _always(keys: Credentials) -> Callable[[], Credentials]:
    return lambda: keys


def _from_boto3(profile: str, needs: str) -> Callable[[], Credentials]:
    try:
        import boto3
    except ImportError:
        raise InvalidValue(
            f"the AWS profile '{profile}' gets its keys by '{needs}', which needs boto3",
            hint="pip install boto3, or put keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from None
    source: Any = boto3.Session(profile_name=profile).get_credentials()

    def current() -> Credentials:
        frozen = source.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return current
