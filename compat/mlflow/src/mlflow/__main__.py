"""The command ``mlflow``: Millstream's, under this name."""

from __future__ import annotations

import sys

from mlflow.version import VERSION


def main() -> int:
    """Run one command and return its exit status."""
    from millstream._version import VERSION as OURS
    from millstream.cli import main as run

    if sys.argv[1:] == ["--version"]:
        print(f"mlflow, version {VERSION} (Millstream {OURS})")
        return 0
    return run(program="mlflow")


if __name__ == "__main__":
    sys.exit(main())
