"""The result of an evaluation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import NotFound
from millstream.evaluation.contents import EvaluationArtifact, JsonEvaluationArtifact, kind_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas


class EvaluationResult:
    """Metrics by name, artifacts by name, and the run that has them."""

    def __init__(
        self, metrics: Mapping[str, Any], artifacts: Mapping[str, EvaluationArtifact], run_id: str | None = None
    ) -> None:
        self._metrics = dict(metrics)
        self._artifacts = dict(artifacts)
        self._run_id = run_id

    @property
    def metrics(self) -> dict[str, Any]:
        """Numbers by name, in the order in which they were measured."""
        return self._metrics

    @property
    def artifacts(self) -> dict[str, EvaluationArtifact]:
        """Plots and tables by name, each with its ``content`` and its ``uri``."""
        return self._artifacts

    @property
    def run_id(self) -> str | None:
        """The run that they were logged to; None for a result that was put together by hand."""
        return self._run_id

    @property
    def tables(self) -> dict[str, pandas.DataFrame]:
        """The tables of scores by row, ``eval_results_table``, when a metric gave any."""
        import pandas

        return {
            name: pandas.DataFrame(artifact.content["data"], columns=artifact.content["columns"])
            for name, artifact in self._artifacts.items()
            if isinstance(artifact, JsonEvaluationArtifact)
            and isinstance(artifact.content, dict) and artifact.content.keys() == {"columns", "data"}
        }

    def __repr__(self) -> str:
        artifacts = list(self._artifacts)
        return f"EvaluationResult(metrics={self._metrics!r}, artifacts={artifacts}, run_id={self._run_id!r})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result into a folder, which is made if need be; MLflow's ``EvaluationResult.load`` reads it too."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(self._metrics, default=float))
        (folder / "artifacts_metadata.json").write_text(json.dumps({
            name: {"uri": artifact.uri, "class_name": f"mlflow.models.evaluation.artifacts.{type(artifact).__name__}"}
            for name, artifact in self._artifacts.items()
        }))
        files = folder / "artifacts"
        files.mkdir(exist_ok=True)
        for artifact in self._artifacts.values():
            artifact.write(files / _file_name(artifact.uri))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EvaluationResult:
        """The result that :meth:`save` wrote, ours or MLflow's. Raises NotFound for a folder that holds none."""
        folder = Path(path)
        if not (folder / "metrics.json").is_file():
            raise NotFound(f"no evaluation result is saved in {str(folder)!r}: it has no metrics.json")
        described = json.loads((folder / "artifacts_metadata.json").read_text())
        artifacts = {
            name: kind_named(one["class_name"]).read(one["uri"], folder / "artifacts" / _file_name(one["uri"]))
            for name, one in described.items()
        }
        return cls(json.loads((folder / "metrics.json").read_text()), artifacts)


def _file_name(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]
