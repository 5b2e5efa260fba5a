"""The table of settings."""

from __future__ import annotations

import pytest

from millstream import settings
from millstream.errors import InvalidValue
from millstream.settings import SETTINGS


def test_ours_wins_over_mlflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "theirs")
    assert settings.TRACKING_URI.get() == "theirs"
    monkeypatch.setenv("MILLSTREAM_TRACKING_URI", "ours")
    assert settings.TRACKING_URI.get() == "ours"
    assert settings.TRACKING_URI.is_set()
    settings.TRACKING_URI.unset()
    assert settings.TRACKING_URI.get() is None


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("Off", False), ("", False)])
def test_truth(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", text)
    assert settings.ENABLE_ASYNC_LOGGING.get() is expected


def test_what_does_not_parse_names_the_variable_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "soon")
    with pytest.raises(InvalidValue, match="MLFLOW_HTTP_REQUEST_TIMEOUT holds 'soon'") as caught:
        settings.HTTP_REQUEST_TIMEOUT.get()
    assert "unset MLFLOW_HTTP_REQUEST_TIMEOUT" in str(caught.value.hint)


def test_setting_one_hands_it_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    settings.ENABLE_SYSTEM_METRICS_LOGGING.set(True)
    assert settings.ENABLE_SYSTEM_METRICS_LOGGING.get() is True


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_is_explained(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.name == name
    assert len(setting.help) > 10
    assert setting.help[-1] not in ".!"
    assert setting.variables[0] == f"MILLSTREAM_{name}"
