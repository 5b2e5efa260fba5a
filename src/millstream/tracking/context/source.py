"""Who runs what: the user, the file, and the entry point."""

from __future__ import annotations

import os
import sys
from pathlib import Path

USER = "mlflow.user"
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
ENTRY_POINT = "mlflow.project.entryPoint"

# A project run tells its process what it was started as.
ENTRY_POINT_VARIABLES = ("MILLSTREAM_PROJECT_ENTRY_POINT", "MLFLOW_PROJECT_ENTRY_POINT")


class Source:
    """The default provider: always there."""

    def in_context(self) -> bool:
        """Every process has a source."""
        return True

    def tags(self) -> dict[str, str]:
        """User, source name, source type (LOCAL or PROJECT), and the entry point where one is known."""
        tags = {SOURCE_NAME: source_name(), SOURCE_TYPE: "LOCAL"}
        name = user()
        if name:
            tags[USER] = name
        entry_point = next((os.environ[name] for name in ENTRY_POINT_VARIABLES if os.environ.get(name)), None)
        if entry_point:
            tags |= {SOURCE_TYPE: "PROJECT", ENTRY_POINT: entry_point}
        elif module := started_module():
            tags[ENTRY_POINT] = module
        return tags


def user() -> str | None:
    """The person behind this process: JupyterHub's user before the account that every notebook of a hub shares."""
    for variable in ("JUPYTERHUB_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        if name := os.environ.get(variable):
            return name
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # Windows, or a container whose user id has no account
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else None


def source_name() -> str:
    """What was started, as typed: ``train.py``, ``-c``; ``<console>`` for an interpreter at a prompt."""
    arguments = getattr(sys, "argv", None)  # an embedded interpreter has none
    return arguments[0] if arguments and arguments[0] else "<console>"


def started_module() -> str | None:
    """The dotted name after ``python -m``, None for anything else."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or not spec.name or spec.name == "__main__":
        return None
    return str(spec.name).removesuffix(".__main__")


def source_folder() -> Path:
    """Where the user's code lives: beside the started file, or the working directory when that is not the user's."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file:
        return Path.cwd()
    folder = Path(file).absolute().parent
    # A kernel launcher or a test runner is installed software; the user's code is where it was started.
    if folder.is_relative_to(sys.prefix) or folder.is_relative_to(sys.base_prefix):
        return Path.cwd()
    return folder
