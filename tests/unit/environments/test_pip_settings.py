"""What people have told pip is told to uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.environments.pip_settings import uv_variables

CERTIFICATES = {"UV_SYSTEM_CERTS": "true"}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """A process whose pip was told nothing."""
    return {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}


def test_nothing_said_to_pip_is_nothing_said_to_uv(bare: dict[str, str]) -> None:
    assert uv_variables(bare) == CERTIFICATES


def test_variables_of_pip_become_those_of_uv(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    told = bare | {
        "PIP_INDEX_URL": "https://a.example/simple", "PIP_EXTRA_INDEX_URL": "https://b.example https://c.example",
        "PIP_FIND_LINKS": "/wheels /more", "PIP_TRUSTED_HOST": "a.example b.example", "PIP_NO_INDEX": "1",
        "PIP_CERT": str(tmp_path / "ca.pem"),
    }
    assert uv_variables(told) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple", "UV_INDEX": "https://b.example https://c.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_FIND_LINKS": "/wheels,/more",
        "UV_INSECURE_HOST": "a.example b.example", "UV_NO_INDEX": "1", "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
    }


def test_what_uv_was_told_wins(bare: dict[str, str]) -> None:
    told = bare | {"PIP_INDEX_URL": "https://a.example", "UV_INDEX_URL": "https://uv.example", "UV_NATIVE_TLS": "false",
                   "PIP_EXTRA_INDEX_URL": "https://b.example", "UV_INDEX": "https://uv.example", "PIP_NO_INDEX": "0"}
    assert uv_variables(told) == {}


def test_files_are_read_and_variables_win_over_them(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://file.example\nfind_links =\n    /one\n    /two\n[install]\nno-index = false\n"
    )
    (tmp_path / "own.conf").write_text("[global]\nextra-index-url = https://own.example\n")
    found = uv_variables({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "own.conf"),
                          "XDG_CONFIG_DIRS": str(tmp_path), "PIP_INDEX_URL": "https://variable.example",
                          "PIP_TRUSTED_HOST": "h", "PIP_CERT": str(tmp_path / "none.pem")})
    assert found["UV_DEFAULT_INDEX"] == "https://variable.example"
    assert found["UV_FIND_LINKS"] == "/one,/two"
    assert found["UV_INDEX"] == "https://own.example"
    assert "UV_NO_INDEX" not in found
    assert "SSL_CERT_FILE" not in found


def test_a_broken_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_text("index-url = https://file.example\n")
    told = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "own.conf"), "PIP_INDEX_URL": "https://v.example"}
    assert uv_variables(told)["UV_DEFAULT_INDEX"] == "https://v.example"
