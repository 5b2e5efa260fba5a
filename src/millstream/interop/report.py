"""What an import says at its end: how much the source has, how much of it is here, and what differs by name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

# In the order of the table.
KINDS = ("experiments", "runs", "params", "tags", "metrics", "points", "datasets", "inputs", "outputs", "logged models",
         "registered models", "model versions",
         "artifacts", "bytes", "checksums")
_NAMED = 1_000


@dataclass
class Line:
    """How many the source has, and how many of these are here with the same content."""

    source: int = 0
    here: int = 0


@dataclass
class Report:
    """The two counts of each kind, and what to know.

    ``differences`` name what did not arrive as it was, ``unnamed`` says how many more there are; ``notes`` tell what
    was decided on the way. An import is whole when nothing differs.
    """

    source: str
    destination: str
    artifacts: str
    counts: dict[str, Line] = field(default_factory=lambda: {kind: Line() for kind in KINDS})
    differences: list[str] = field(default_factory=list)
    unnamed: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, kind: str, source: int = 1, here: int | None = None) -> None:
        """Add to the two counts of a kind; ``here`` is as many as in the source unless given."""
        line = self.counts[kind]
        line.source += source
        line.here += source if here is None else here

    def differs(self, what: str) -> None:
        """Name something that did not arrive as it was."""
        if len(self.differences) < _NAMED:
            self.differences.append(what)
        else:
            self.unnamed += 1

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)
