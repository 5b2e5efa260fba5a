"""Makes the environments of the official mlflow clients that the tests and benchmarks run as foreign programs.

    python tools/client_envs.py [VERSION … | compat]

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


def fail(message: str, hint: str) -> None:
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


def make(version: str) -> None:
    """Makes the environment of mlflow ``version`` unless it is there already."""
    constraint = CONSTRAINTS / f"mlflow-{version}.txt"
    python = python_of(version)
    base = interpreter(INTERPRETERS[version])
    if base is None:
        fail(
            f"mlflow {version} runs on Python {' or '.join(INTERPRETERS[version])}, and this machine has none of them",
            "install one, or leave its tests out: pytest -m 'not clients'",
        )
        return
    key = hashlib.sha256(constraint.read_bytes() + str(base).encode()).hexdigest()
    stamp = python.parent.parent / ".made-from"
    if stamp.exists() and stamp.read_text() == key and python.exists():
        return
    print(f"making the environment of mlflow {version}", file=sys.stderr)
    uv = [str(ROOT / ".venv" / "bin" / "uv")]
    quiet = {"env": {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}, "check": True}
    try:
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", base, python.parent.parent], **quiet)  # type: ignore[call-overload]
        subprocess.run([*uv, "pip", "sync", "--quiet", "--python", python, constraint], **quiet)  # type: ignore[call-overload]
    except subprocess.CalledProcessError:
        fail(f"the environment of mlflow {version} could not be made", "the lines above say why; check the network")
    stamp.write_text(key)


def make_compat() -> None:
    """Makes the environment in which `import mlflow` is Millstream: this checkout, and compat/mlflow as a wheel."""
    python = python_of("compat")
    sources = [ROOT / "pyproject.toml", ROOT / "constraints" / "dev.txt"]
    sources += [path for path in sorted((ROOT / "compat" / "mlflow").rglob("*")) if path.suffix in (".py", ".toml")]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + sys.executable.encode()).hexdigest()
    stamp = python.parent.parent / ".made-from"
    if stamp.exists() and stamp.read_text() == key and python.exists():
        return
    print("making the environment of the name mlflow", file=sys.stderr)
    uv = str(ROOT / ".venv" / "bin" / "uv")
    quiet = {"env": {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}, "check": True, "cwd": ROOT}
    pins = ["-c", "constraints/dev.txt", "--build-constraints", "constraints/build.txt"]
    packages = ["-e", ".[pandas]", "matplotlib", "pillow", "scikit-learn"]
    try:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, python.parent.parent], **quiet)  # type: ignore[call-overload]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *pins, *packages], **quiet)  # type: ignore[call-overload]
        # Built anew: uv would take a wheel of the same version from its cache.
        compat = ["--reinstall-package", "millstream-mlflow", "--no-deps", "./compat/mlflow"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *pins, *compat], **quiet)  # type: ignore[call-overload]
    except subprocess.CalledProcessError:
        fail("the environment of the name mlflow could not be made", "the lines above say why; check the network")
    stamp.write_text(key)


def main() -> None:
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for version in sys.argv[1:] or [*INTERPRETERS, "compat"]:
            if version == "compat":
                make_compat()
            elif version in INTERPRETERS:
                make(version)
            else:
                fail(f"no environment for mlflow {version}", f"choose among {', '.join(INTERPRETERS)}, compat")


if __name__ == "__main__":
    main()
