"""What a server refuses to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millstream.errors import InvalidValue
from millstream.server.config import ServerConfig, local_folder
from millstream.web.gate import is_loopback


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.0.4"},
        {"host": "::"},
        {"host": "tracking.example"},
        {"port": 70000},
        {"port": -1},
        {"workers": 0},
        {"static_prefix": "mlflow"},
        {"static_prefix": "/mlflow/"},
        {"static_prefix": "/a b"},
        {"x_frame_options": "ALLOW"},
        {"artifacts_only": True, "serve_artifacts": False},
        {"allowed_origins": ("notebooks.example",)},
        {"allowed_origins": ("https://notebooks.example/path",)},
    ],
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as told:
        ServerConfig("./mlruns", **wrong)
    assert told.value.hint or told.value.message


def test_listening_beyond_loopback_has_to_be_wanted() -> None:
    with pytest.raises(InvalidValue) as told:
        ServerConfig("./mlruns", host="0.0.0.0")
    assert "--no-sign-in" in (told.value.hint or "")
    assert not ServerConfig("./mlruns", host="0.0.0.0", no_sign_in=True).on_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_artifact_roots_are_those_of_mlflow() -> None:
    assert ServerConfig("x").artifact_root == "mlflow-artifacts:/"
    assert ServerConfig("x").destination == "./mlartifacts"
    assert ServerConfig("x", serve_artifacts=False).artifact_root == "./mlruns"
    assert ServerConfig("x", default_artifact_root="s3://b/c").artifact_root == "s3://b/c"


@pytest.mark.parametrize(
    "store", ["sqlite:///{place}/inside/store.db", "{place}/inside", "file://{place}/inside", "{place}"]
)
def test_the_store_must_not_lie_among_the_artifacts(tmp_path: Path, store: str) -> None:
    with pytest.raises(InvalidValue, match="artifacts"):
        ServerConfig(store.format(place=tmp_path), artifacts_destination=str(tmp_path))


def test_local_folders() -> None:
    assert local_folder("/a/b") == Path("/a/b")
    assert local_folder("file:///a/b%20c") == Path("/a/b c")
    assert local_folder("a") == Path.cwd() / "a"
    assert local_folder("s3://bucket/a") is None
    assert local_folder("sqlite:///a.db") is None
