from __future__ import annotations

from pathlib import Path

import pytest

from millstream.tracking.outbox.place import absolute, outbox_directory, shown


def test_the_folder_is_named_by_the_setting_or_lies_in_the_user_s_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("MILLSTREAM_OUTBOX_DIR", raising=False)
    assert outbox_directory() == str(tmp_path / "home/.local/state/millstream/outbox")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert outbox_directory() == str(tmp_path / "state/millstream/outbox")
    monkeypatch.setenv("XDG_STATE_HOME", "relative: to be ignored, says its specification")
    assert outbox_directory() == str(tmp_path / "home/.local/state/millstream/outbox")
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", "here")
    assert outbox_directory() == str(tmp_path / "here")


@pytest.mark.parametrize(("uri", "meant"), [
    ("mlruns", "{here}/mlruns"),
    ("file:mlruns", "{here}/mlruns"),
    ("file:///srv/runs", "/srv/runs"),
    ("sqlite:///runs.db", "sqlite:///{here}/runs.db"),
    ("sqlite:////srv/runs.db", "sqlite:////srv/runs.db"),
    ("sqlite:///:memory:", "sqlite:///:memory:"),
    ("http://host:5000/x", "http://host:5000/x"),
    ("databricks://profile", "databricks://profile"),
    ("databricks", "databricks"),
])
def test_a_tracking_uri_means_the_same_from_anywhere(
    uri: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute(uri) == meant.format(here=tmp_path)


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host:5432/runs") == "postgresql://me:***@host:5432/runs"
    assert shown("http://host:5000") == "http://host:5000"
    assert shown("/srv/runs") == "/srv/runs"
