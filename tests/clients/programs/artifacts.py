"""Artifacts of every kind: logged, listed, read back, downloaded, refused."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

VERSION = version(mlflow.__version__)


def main() -> None:
    report = Report()
    client = MlflowClient()
    mlflow.set_experiment(f"{report.token} artifacts")
    folder = Path(tempfile.mkdtemp())

    def listed(run_id: str, path: str | None = None) -> list[list[Any]]:
        return [[item.path, item.is_dir, item.file_size] for item in client.list_artifacts(run_id, path)]

    def fetch(run_id: str, path: str) -> Path:
        if VERSION >= (2, 0):
            return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path))
        return Path(client.download_artifacts(run_id, path))

    with mlflow.start_run() as run:
        run_id = report.name(run.info.run_id, "run")
        report.keep("nothing yet", listed(run_id))
        small = folder / "small.bin"
        small.write_bytes(bytes(range(256)) * 4)
        mlflow.log_artifact(str(small))
        mlflow.log_artifact(str(small), "deep/er")
        odd = folder / "Größe + & more, (1).txt"
        odd.write_text("odd name")
        mlflow.log_artifact(str(odd), "odd names/ü")
        (folder / "empty.txt").write_bytes(b"")
        mlflow.log_artifact(str(folder / "empty.txt"), "nothing in it")
        tree = folder / "tree"
        for index in range(3):
            (tree / f"branch {index}").mkdir(parents=True)
            (tree / f"branch {index}" / "leaf.txt").write_text(f"leaf {index}")
        (tree / "root.txt").write_text("root")
        mlflow.log_artifacts(str(tree))
        mlflow.log_artifacts(str(tree), "planted")
        mlflow.log_text("some text\nż", "texts/note.txt")
        mlflow.log_text("<b>bold</b>", "texts/page.html")
        mlflow.log_dict({"a": 1, "b": [1, 2, None]}, "dicts/d.json")
        mlflow.log_dict({"a": 1, "b": [1, 2, None]}, "dicts/d.yaml")
        client.log_text(run_id, "by the client", "texts/client.txt")

        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots()
        axes.plot([1, 2, 3])
        mlflow.log_figure(figure, "figures/line.png")
        import numpy
        from PIL import Image

        mlflow.log_image(numpy.zeros((4, 6, 3), dtype=numpy.uint8), "images/array.png")
        mlflow.log_image(Image.new("RGB", (5, 5), "red"), "images/pillow.png")
        if VERSION >= (2, 0):
            mlflow.log_table({"question": ["q1", "q2"], "answer": ["a1", "a2"]}, "tables/t.json")
            mlflow.log_table({"question": ["q3"], "answer": ["a3"]}, "tables/t.json")
            table = mlflow.load_table("tables/t.json", run_ids=[run_id])
            report.keep("table", table.to_dict("list"))
            with_id = mlflow.load_table("tables/t.json", run_ids=[run_id], extra_columns=["run_id"])
            report.keep("table with the run", list(with_id["run_id"]))
        report.keep(
            "active run's uri",
            mlflow.get_artifact_uri("texts/note.txt").endswith(f"/{run_id}/artifacts/texts/note.txt"),
        )

    # Before there was a way to wait for them, images of a key came some time later.
    if hasattr(mlflow, "flush_artifact_async_logging"):
        # A run of its own, as some of the random names that MLflow makes here cannot be downloaded by its own client.
        with mlflow.start_run() as run:
            mlflow.log_image(Image.new("RGB", (5, 5), "blue"), key="seen", step=1, timestamp=1_700_000_000_000)
            mlflow.flush_artifact_async_logging()
        report.keep("images by key", sorted(Path(path).suffix for path, _, _ in listed(run.info.run_id, "images")))

    report.keep("root", listed(run_id))
    for path in (
        "deep",
        "deep/er",
        "odd names",
        "odd names/ü",
        "branch 0",
        "planted",
        "planted/branch 2",
        "texts",
        "dicts",
        "tables",
    ):
        if path != "tables" or VERSION >= (2, 0):
            report.keep(f"list {path}", listed(run_id, path))
    report.keep("list an empty file", listed(run_id, "nothing in it"))
    report.keep("list a file", listed(run_id, "small.bin"))
    report.keep("list what is absent", listed(run_id, "nothing/here"))

    report.keep("bytes", hashlib.sha256(fetch(run_id, "small.bin").read_bytes()).hexdigest())
    report.keep("deep bytes", fetch(run_id, "deep/er/small.bin").stat().st_size)
    report.keep("odd text", fetch(run_id, "odd names/ü/Größe + & more, (1).txt").read_text())
    report.keep("empty", fetch(run_id, "nothing in it/empty.txt").read_bytes().hex())
    report.keep("text", fetch(run_id, "texts/note.txt").read_text(encoding="utf-8"))
    report.keep("dict", json.loads(fetch(run_id, "dicts/d.json").read_text()))
    report.keep("yaml", fetch(run_id, "dicts/d.yaml").read_text())
    with Image.open(fetch(run_id, "images/array.png")) as picture:
        report.keep("image", [picture.size, picture.format])
    with Image.open(fetch(run_id, "figures/line.png")) as picture:
        report.keep("figure", picture.format)
    planted = fetch(run_id, "planted")
    report.keep(
        "a folder", sorted(path.relative_to(planted).as_posix() for path in planted.rglob("*") if path.is_file())
    )
    everything = fetch(run_id, "")
    report.keep("everything", (everything / "deep/er/small.bin").stat().st_size)
    if VERSION >= (2, 0):
        uri = f"runs:/{run_id}/texts/note.txt"
        report.keep("by a runs: address", mlflow.artifacts.load_text(uri))
        report.keep("loaded dict", mlflow.artifacts.load_dict(f"runs:/{run_id}/dicts/d.json"))
        report.keep("loaded image", mlflow.artifacts.load_image(f"runs:/{run_id}/images/pillow.png").size)
        found = mlflow.artifacts.list_artifacts(artifact_uri=f"runs:/{run_id}/planted")
        report.keep("listed by address", [item.path.split("/artifacts/")[-1] for item in found])
        target = folder / "target"
        target.mkdir()
        client.download_artifacts(run_id, "planted/branch 1", str(target))
        report.keep(
            "downloaded to", sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
        )

    # A newer client reports any failed download as one error, so only that it fails is compared.
    def fails(call: Any, *args: object) -> bool:
        try:
            call(*args)
        except Exception:
            return True
        return False

    report.keep("download what is absent", fails(fetch, run_id, "nothing.txt"))
    report.keep("download from an absent run", fails(fetch, "0" * 32, "small.bin"))
    for wrong in ("../outside", "/etc/passwd", "a/../../b", "%2e%2e/b"):
        report.keep(f"list {wrong}", fails(client.list_artifacts, run_id, wrong))
        report.keep(f"fetch {wrong}", fails(fetch, run_id, wrong))
        report.keep(f"write {wrong}", fails(client.log_text, run_id, "x", f"{wrong}/x.txt"))

    mlflow.delete_run(run_id)
    report.keep("of a deleted run", fetch(run_id, "texts/note.txt").read_text(encoding="utf-8"))
    client.restore_run(run_id)
    report.keep("of a restored run", len(listed(run_id, "texts")))
    report.show()


main()
