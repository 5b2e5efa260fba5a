"""Makes the environments of the official mlflow clients that the tests and benchmarks run as foreign programs.

    python tools/client_envs.py [VERSION …] [compat]

Each version has a constraint file in constraints/clients/ and lives in .envs/mlflow-VERSION. An environment is made
again when its constraint file or interpreter changes; otherwise this does nothing and needs no network. Interpreters
are found, never downloaded. The environment .envs/mlflow-compat has our own package in it under the name mlflow.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints" / "clients"
ENVIRONMENTS = ROOT / ".envs"

# The interpreters that each version runs on, best first.
INTERPRETERS = {
    "1.27.0": ["3.11", "3.10"],
    "2.14.3": ["3.11", "3.10", "3.12"],
    "3.17.2": ["3.11", "3.12", "3.13", "3.10"],
}


def python_of(version: str) -> Path:
    """The interpreter of the environment of mlflow ``version``, whether or not it is there."""
    return ENVIRONMENTS / f"mlflow-{version}" / "bin" / "python"


def fail(message: str, hint: str) -> NoReturn:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    raise SystemExit(1)


def interpreter(wanted: list[str]) -> Path | None:
    """The first interpreter of this machine whose version is in ``wanted``, or None."""
    for version in wanted:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            return Path(sys.executable).resolve()
        pyenvs = [Path(root) / "versions" for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv") if root]
        found = [path for pyenv in pyenvs for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
        on_path = shutil.which(f"python{version}")
        for candidate in [*found, *([Path(on_path)] if on_path else [])]:
            # A pyenv shim is on the PATH for versions that it then refuses to run.
            asked = subprocess.run(
                [candidate, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False
            )
            if asked.returncode == 0:
                return Path(asked.stdout.strip())
    return None


def make(name: str, base: Path, key: str, *installs: list[str | Path]) -> None:
    """Makes the environment of ``name`` by uv's ``installs``, unless it is there already with this ``key``."""
    python = python_of(name)
    folder = python.parent.parent
    stamp = folder / ".made-from"
    if stamp.exists() and stamp.read_text() == key and python.exists():
        return
    print(f"making the environment {folder.name}", file=sys.stderr)
    uv = ROOT / ".venv" / "bin" / "uv"
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_COMPILE_BYTECODE": "true"}
    # A folder of wheels that the machine has for pip (a torch for processors, say) counts for uv too.
    if folders := environment.get("PIP_FIND_LINKS"):
        environment.setdefault("UV_FIND_LINKS", ",".join(folders.split()))
    commands: list[list[str | Path]] = [["venv", "--quiet", "--clear", "--python", base, folder]]
    commands += [["pip", words[0], "--quiet", "--python", python, *words[1:]] for words in installs]
    for command in commands:
        if subprocess.run([uv, *command], env=environment, cwd=ROOT, check=False).returncode != 0:
            fail(f"the environment {folder.name} could not be made", "the lines above say why; check the network")
    stamp.write_text(key)


def make_client(version: str) -> None:
    """The environment of the official mlflow ``version``."""
    constraint = CONSTRAINTS / f"mlflow-{version}.txt"
    base = interpreter(INTERPRETERS[version])
    if base is None:
        fail(
            f"mlflow {version} runs on Python {' or '.join(INTERPRETERS[version])}, and this machine has none of them",
            "install one, or leave its tests out: pytest -m 'not clients'",
        )
    make(version, base, _key([constraint], base), ["install", "-r", constraint])


def make_compat() -> None:
    """The environment in which `import mlflow` is Millstream: this checkout, and compat/mlflow as a wheel."""
    base = Path(sys.executable)
    compat = ROOT / "compat" / "mlflow"
    sources = [ROOT / "pyproject.toml", ROOT / "constraints" / "dev.txt"]
    sources += [path for path in sorted(compat.rglob("*")) if path.suffix in (".py", ".toml")]
    pins: list[str | Path] = ["-c", "constraints/dev.txt", "--build-constraints", "constraints/build.txt"]
    make(
        "compat",
        base,
        _key(sources, base),
        ["install", *pins, "-e", ".[pandas]", "matplotlib", "pillow", "scikit-learn"],
        # Built anew: uv would take a wheel of the same version from its cache.
        ["install", *pins, "--reinstall-package", "millstream-mlflow", "--no-deps", "./compat/mlflow"],
    )


def _key(sources: list[Path], base: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources) + str(base).encode()).hexdigest()


def main() -> None:
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for version in sys.argv[1:] or [*INTERPRETERS, "compat"]:
            if version == "compat":
                make_compat()
            elif version in INTERPRETERS:
                make_client(version)
            else:
                fail(f"no environment for mlflow {version}", f"choose among {', '.join(INTERPRETERS)}, compat")


if __name__ == "__main__":
    main()
