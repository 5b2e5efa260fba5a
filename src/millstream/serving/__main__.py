"""``python -m millstream.serving``: the scoring server in the environment of its model."""

from __future__ import annotations

import sys

from millstream.serving.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
