"""``millstream server``: MLflow's flags, and what is said about those that mean nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from millstream.cli import main
from millstream.server import run
from millstream.server.config import ServerConfig

# What `mlflow server --help` of MLflow 3.17 lists.
MLFLOW_FLAGS = {
    "--backend-store-uri": "sqlite:///x.db",
    "--read-replica-backend-store-uri": "sqlite:///x.db",
    "--registry-store-uri": "sqlite:///x.db",
    "--default-artifact-root": "s3://bucket/x",
    "--serve-artifacts": None,
    "--no-serve-artifacts": None,
    "--artifacts-only": None,
    "--artifacts-destination": "./files",
    "--host": "127.0.0.1",
    "-h": "localhost",
    "--port": "5001",
    "-p": "0",
    "--workers": "2",
    "-w": "3",
    "--static-prefix": "/mlflow",
    "--allowed-hosts": "mlflow.example.com,10.0.0.0/8",
    "--cors-allowed-origins": "https://a.example,https://b.example",
    "--disable-security-middleware": None,
    "--x-frame-options": "DENY",
    "--gunicorn-opts": "--timeout 60",
    "--waitress-opts": "--threads 4",
    "--uvicorn-opts": "--log-level debug",
    "--dev": None,
    "--expose-prometheus": "./figures",
    "--trace-archival-config": "./traces.yaml",
    "--secrets-cache-ttl": "60",
    "--secrets-cache-max-size": "100",
    "--disable-workspaces": None,
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ServerConfig]]:
    """The configurations that would be served."""
    found: list[ServerConfig] = []
    monkeypatch.setattr(run, "serve", found.append)
    for name in ("BACKEND_STORE_URI", "DEFAULT_ARTIFACT_ROOT", "ARTIFACTS_DESTINATION", "HOST", "PORT", "WORKERS"):
        for prefix in ("MLFLOW_", "MILLSTREAM_", "MILLSTREAM_SERVER_"):
            monkeypatch.delenv(prefix + name, raising=False)
    yield found


@pytest.mark.parametrize("command", ["server", "ui"])
@pytest.mark.parametrize("flag", MLFLOW_FLAGS)
def test_every_flag_of_mlflow_is_taken(served: list[ServerConfig], command: str, flag: str) -> None:
    value = MLFLOW_FLAGS[flag]
    words = [command, "--backend-store-uri", "sqlite:///x.db", flag, *([value] if value is not None else [])]
    assert main(words) == 0
    assert len(served) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            [],
            {"backend_store_uri": "./mlruns", "host": "127.0.0.1", "port": 5000, "workers": 1, "serve_artifacts": True},
        ),
        (["-h", "localhost", "-p", "0", "-w", "3"], {"host": "localhost", "port": 0, "workers": 3}),
        (["--allowed-hosts", "a.example, b.example,"], {"allowed_hosts": ("a.example", "b.example")}),
        (["--cors-allowed-origins", "https://a.example"], {"allowed_origins": ("https://a.example",)}),
        (["--static-prefix", "/mlflow/"], {"static_prefix": "/mlflow"}),
        (["--no-metrics", "--access-log", "--dev"], {"expose_metrics": False, "access_log": True, "debug": True}),
        (["-h", "0.0.0.0", "--no-sign-in"], {"host": "0.0.0.0", "no_sign_in": True}),
        (["--artifacts-only"], {"artifacts_only": True}),
    ],
)
def test_what_becomes_of_them(served: list[ServerConfig], words: list[str], expected: dict[str, Any]) -> None:
    assert main(["server", *words]) == 0
    assert {name: getattr(served[0], name) for name in expected} == expected


def test_settings_stand_in_for_flags(served: list[ServerConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "sqlite:///of-mlflow.db")
    monkeypatch.setenv("MLFLOW_PORT", "5007")
    monkeypatch.setenv("MILLSTREAM_SERVER_PORT", "5008")
    assert main(["server"]) == 0
    assert (served[0].backend_store_uri, served[0].port) == ("sqlite:///of-mlflow.db", 5008)
    assert main(["server", "-p", "5009"]) == 0
    assert served[1].port == 5009


@pytest.mark.parametrize(
    "flag",
    [
        "--gunicorn-opts",
        "--waitress-opts",
        "--uvicorn-opts",
        "--expose-prometheus",
        "--disable-security-middleware",
        "--read-replica-backend-store-uri",
    ],
)
def test_a_flag_without_effect_is_told(
    served: list[ServerConfig], capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    value = MLFLOW_FLAGS[flag]
    assert main(["server", flag, *([value] if value else [])]) == 0
    assert f"warning: {flag} has no effect: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said", "hint"),
    [
        (["--app-name", "basic-auth"], 1, "does not sign users in", "proxy"),
        (["--enable-workspaces"], 1, "no workspaces", "for each team"),
        (["--workspace-store-uri", "sqlite:///w.db"], 1, "no workspaces", "for each team"),
        (["--registry-store-uri", "sqlite:///other.db"], 1, "kept in the store of the runs", "--backend-store-uri"),
        (["-h", "0.0.0.0"], 1, "full access", "--no-sign-in"),
        (["--app-name", "another"], 2, "another", "--help"),
        (["-p", "99999"], 1, "port", None),
        (
            ["--backend-store-uri", "sqlite:///inside/x.db", "--artifacts-destination", "inside"],
            1,
            "among the artifacts",
            "a folder of its own",
        ),
    ],
)
def test_what_is_not_there_is_said(
    served: list[ServerConfig],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    said: str,
    hint: str | None,
) -> None:
    assert main(["server", *words]) == status
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told
    assert hint is None or hint in told.partition("\n\nhint: ")[2]
    assert served == []


def test_whom_a_server_beyond_this_machine_lets_in_is_said(
    served: list[ServerConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["server", "-h", "0.0.0.0", "--no-sign-in"]) == 0
    assert "everybody who does may read, change and delete" in capsys.readouterr().err
    assert main(["server", "--allowed-hosts", "*"]) == 0
    assert "warning: with '*'" in capsys.readouterr().err


def test_help_names_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "--help"]) == 0
    told = capsys.readouterr().out
    for flag in (
        "--backend-store-uri",
        "--artifacts-destination",
        "-h, --host",
        "-p, --port",
        "--allowed-hosts",
        "--no-sign-in",
    ):
        assert flag in told
    assert "gunicorn" not in told
