"""A package whose build waits, so that a test can do something meanwhile. It needs nothing but Python."""

from __future__ import annotations

from pathlib import Path

_BACKEND = """\
import pathlib, time, zipfile
HERE = pathlib.Path({place!r})

def build_wheel(folder, config_settings=None, metadata_directory=None):
    (HERE / "started").touch()
    while not (HERE / "go-on").exists():
        time.sleep(0.02)
    name = "slow-1.0-py3-none-any.whl"
    files = {{"slow.py": "x = 1\\n",
             "slow-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n",
             "slow-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr("slow-1.0.dist-info/RECORD", "".join(f"{{file}},,\\n" for file in files))
    return name
"""
_PROJECT = """\
[project]
name = "slow"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def slow_package(folder: Path, signals: Path) -> Path:
    """A package in ``folder`` whose build makes ``signals/started`` and waits for ``signals/go-on``."""
    folder.mkdir(parents=True)
    signals.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "backend.py").write_text(_BACKEND.format(place=str(signals)))
    return folder
