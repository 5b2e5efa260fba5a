from __future__ import annotations

import stat
from pathlib import Path

import pytest

import millstream
from millstream.errors import InvalidValue, Unauthenticated
from millstream.tracking import doctor

pytestmark = pytest.mark.usefixtures("tracking")


def test_the_doctor_tells_what_there_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", "{}")
    millstream.set_registry_uri("postgresql://ada:secret@host/db")
    millstream.doctor()
    told = capsys.readouterr().out
    assert f"Millstream: {millstream.__version__}" in told
    assert f"Tracking URI: {millstream.get_tracking_uri()}" in told
    assert "Registry URI: postgresql://ada:***@host/db" in told
    assert "Store: nothing is kept there yet" in told
    assert "  MLFLOW_TRACKING_PASSWORD: ***" in told
    assert "  MLFLOW_RUN_CONTEXT: {}" in told
    assert "  msgspec: " in told
    assert "secret" not in told
    assert not Path("runs").exists()


def test_the_doctor_asks_the_store(capsys: pytest.CaptureFixture[str]) -> None:
    millstream.create_experiment("first")
    millstream.doctor(mask_envs=True)
    told = capsys.readouterr().out
    assert "Store: answers" in told
    assert "  MILLSTREAM_TRACKING_URI: ***" in told


def test_the_doctor_survives_a_store_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    millstream.set_tracking_uri("nonsense://x")
    millstream.doctor()
    assert "Store: does not answer: " in capsys.readouterr().out


def test_credentials_of_the_environment_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://example.cloud.databricks.com")
    monkeypatch.setenv("DATABRICKS_TOKEN", "secret")
    millstream.login()
    assert millstream.get_tracking_uri() == "databricks"


def test_without_credentials_they_are_asked_for_and_kept(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    path = tracking / "databrickscfg"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    with pytest.raises(Unauthenticated):
        millstream.login(interactive=False)
    monkeypatch.setattr("builtins.input", lambda _: "example.cloud.databricks.com")
    monkeypatch.setattr("getpass.getpass", lambda _: "secret")
    millstream.login()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setattr("builtins.input", lambda _: "")
    millstream.login(interactive=False)
    assert millstream.get_tracking_uri() == "databricks"
    path.unlink()
    with pytest.raises(Unauthenticated):
        millstream.login()
    with pytest.raises(InvalidValue):
        millstream.login("elsewhere")


def test_addresses_without_a_password_are_shown_as_they_are() -> None:
    assert doctor._without_password("sqlite:///x.db") == "sqlite:///x.db"
    assert doctor._without_password("http://user@host/x") == "http://user@host/x"
