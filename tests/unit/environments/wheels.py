"""Small wheels, written by hand, for environments that are built without any package index."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path


def wheel(folder: Path, name: str, version: str, *, requires: Sequence[str] = (), code: str = "") -> Path:
    """A wheel of one module, ``name``, with a program of the same name that prints its version.

    The format is https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code or f"version = {version!r}\ndef main():\n    print({name!r}, version)\n",
        f"{metadata}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}",
             *(f"Requires-Dist: {line}" for line in requires), ""]
        ),
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{metadata}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{metadata}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{metadata}/RECORD"]))
    return path
