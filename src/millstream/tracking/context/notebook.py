"""The notebook that a kernel belongs to.

A Jupyter server of the last years tells its kernels (``JPY_SESSION_NAME``), and so do VS Code and papermill. Where
nobody told, the servers that run under the same runtime folder are asked which of their sessions is this kernel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"


class Notebook:
    """The provider for a Jupyter kernel."""

    def in_context(self) -> bool:
        """Whether this process is a kernel."""
        return hasattr(_shell(), "kernel")

    def tags(self) -> dict[str, str]:
        """Source type NOTEBOOK, and the notebook's path where it is known without asking anyone."""
        path = notebook_path()
        return {SOURCE_TYPE: "NOTEBOOK", **({SOURCE_NAME: path} if path else {})}

    def late_tags(self, timeout: float) -> dict[str, str]:
        """The notebook's path from a Jupyter server, when nothing nearer knew it."""
        path = None if notebook_path() else notebook_path_from_server(timeout)
        return {SOURCE_NAME: path} if path else {}


def notebook_path() -> str | None:
    """The notebook of this kernel as the environment tells it, None outside of notebooks or when it does not."""
    shell = _shell()
    if not hasattr(shell, "kernel"):
        return None
    told = shell.user_ns.get("__vsc_ipynb_file__")
    for variable in ("JPY_SESSION_NAME", "PAPERMILL_OUTPUT_PATH", "PAPERMILL_INPUT_PATH"):
        told = told or os.environ.get(variable)
    return str(told) if told else None


def notebook_path_from_server(timeout: float = 2.0) -> str | None:
    """The notebook of this kernel as a Jupyter server on this machine knows it: an absolute path where possible.

    Each server is given ``timeout`` seconds; None when no server knows the kernel.
    """
    kernel_module = sys.modules.get("ipykernel.connect")
    if kernel_module is None or not hasattr(_shell(), "kernel"):  # a program may import ipykernel and be no kernel
        return None
    connection = Path(kernel_module.get_connection_file())
    kernel_id = connection.stem.removeprefix("kernel-")
    for server in _servers(connection.parent):
        for session in _sessions(server, timeout):
            if session.get("kernel", {}).get("id") == kernel_id:
                path = str(session.get("path") or session.get("notebook", {}).get("path") or "")
                root = server.get("root_dir") or server.get("notebook_dir")
                return os.path.join(root, path) if root and path else path or None
    return None


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def _servers(runtime: Path) -> Iterator[dict[str, Any]]:
    import json

    files = [*runtime.glob("jpserver-*.json"), *runtime.glob("nbserver-*.json")]
    parent = os.environ.get("JPY_PARENT_PID")
    for file in sorted(files, key=lambda file: file.stem.rpartition("-")[2] != parent):  # the one that started us first
        try:
            server = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            yield server


def _sessions(server: dict[str, Any], timeout: float) -> list[dict[str, Any]]:
    import json
    import urllib.request

    token = server.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN")
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(server["url"].rstrip("/") + "/api/sessions", headers=headers)
    if request.type not in ("http", "https"):
        return []
    # A proxy of the environment is for the network outside; the server is on this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=timeout) as answer:
            sessions = json.load(answer)
    except (OSError, ValueError):
        return []
    return sessions if isinstance(sessions, list) else []
