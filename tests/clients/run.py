"""Runs the foreign programs of programs/ in the environments of the official clients."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("1.27.0", "2.14.3", "3.17.2")

# The first client that has what a program is about.
PROGRAMS = {
    "experiments": "1.27.0",
    "runs": "1.27.0",
    "values": "1.27.0",
    "search": "1.27.0",
    "artifacts": "1.27.0",
    "big_artifact": "1.27.0",
    "datasets": "2.14.3",
    "logged_models": "3.17.2",
    "registry": "2.14.3",
}

# Programs of the newest client whose trainings are logged by themselves; they need libraries that only its environment
# and ours have.
TRAININGS = ["boosters", "statistics", "networks", "lightning", "grid"]


def programs(client: str) -> list[str]:
    """The programs that ``client`` can run."""
    return [program for program, since in PROGRAMS.items() if CLIENTS.index(since) <= CLIENTS.index(client)]


def python_of(client: str) -> Path:
    """The interpreter of the environment of this client; `make clients` makes it."""
    python = ROOT / ".envs" / f"mlflow-{client}" / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"no environment for mlflow {client}; run: make clients")
    return python


def client_environment(tracking_uri: str, place: Path) -> dict[str, str]:
    """The variables of a foreign program: nothing of this process's own MLflow settings, no calls home."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_", "PYTEST_"))
    }
    return {
        **clean,
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "GIT_PYTHON_REFRESH": "quiet",
        "MPLCONFIGDIR": str(place),
        "TMPDIR": str(place),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
    }


def run_program(
    program: str,
    client: str,
    tracking_uri: str,
    place: Path,
    python: Path | None = None,
    seconds: float = 280,
    **environment: str,
) -> dict[str, Any]:
    """The document of ``program``, run by ``python`` (of the client's environment unless given) below ``place``."""
    folder = place / f"{program}-{client}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    document = folder / "document.json"
    done = subprocess.run(
        [python or python_of(client), "-m", f"tests.clients.programs.{program}", document],
        cwd=folder,
        env={**client_environment(tracking_uri, folder), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{program} with client {client} failed:\n{done.stderr[-4000:]}")
    loaded: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return loaded
