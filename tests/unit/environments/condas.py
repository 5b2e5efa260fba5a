"""A stand-in for conda, mamba and micromamba, which no package index has: the protocol is their command line.

It keeps what it was asked, and makes an environment with uv where it was asked to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from millstream.environments import interpreters

_PROGRAM = """\
#!{python}
import json, os, pathlib, subprocess, sys
import yaml
words = sys.argv[1:]
prefix = pathlib.Path(words[words.index("--prefix") + 1])
content = yaml.safe_load(pathlib.Path(words[words.index("--file") + 1]).read_text())
told = {{"words": words, "content": content, "yes": os.environ.get("CONDA_ALWAYS_YES"),
         "input": sys.stdin.read(), "prefix": os.environ.get("CONDA_PREFIX"), "prefix_existed": prefix.exists()}}
pathlib.Path({record!r}).write_text(json.dumps(told))
if "unknown" in content["dependencies"]:
    print("ResolvePackageNotFound:\\n  - unknown")
    prefix.mkdir()
    sys.exit(1)
if any(item.startswith(("python", "pip")) for item in content["dependencies"]):
    subprocess.run([{uv!r}, "venv", "--quiet", "--no-project", "--python", sys.executable, prefix], check=True)
scripts = prefix / "etc" / "conda" / "activate.d"
scripts.mkdir(parents=True)
(scripts / "java.sh").write_text('export JAVA_HOME="$CONDA_PREFIX/lib/jvm"\\nexport PATH="/elsewhere:$PATH"\\n')
(prefix / "conda-meta").mkdir()
(prefix / "bin").mkdir(exist_ok=True)
(prefix / "bin" / "dot").symlink_to("/bin/true")
"""


def stand_in(folder: Path, name: str = "conda") -> Path:
    """A program of that name in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(_PROGRAM.format(python=sys.executable, record=str(_record(path)), uv=interpreters.uv()))
    path.chmod(0o755)
    return path


def asked(program: Path) -> dict[str, Any]:
    """What the program was asked last."""
    told = json.loads(_record(program).read_text())
    assert isinstance(told, dict)
    return told


def _record(program: Path) -> Path:
    return program.with_name(f"{program.name}.json")
