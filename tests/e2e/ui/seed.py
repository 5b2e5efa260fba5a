"""Fills a server with what the pages are tested on, by the real client: ``python seed.py`` with the server's address in
MILLSTREAM_TRACKING_URI. Prints the ids that tests need as JSON.

- ``image-classifier``: nested runs, curves, parameters, tags, artifacts of every kind, a failed and a running run;
- ``churn``: runs of scikit-learn as autologging leaves them, their models registered as ``churn`` and ``churn-small``
  with versions, stages and aliases;
- ``empty``; and ``old``, which is in the trash.
"""

from __future__ import annotations

import base64
import json
import math
import os
import random
import struct
import sys
import tempfile
import zlib
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")

import millstream as mlflow

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" \
       b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n"


def png(width: int, height: int) -> bytes:
    """A picture of a gradient."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 160)) for x in range(width)) for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds: float) -> bytes:
    """A tone."""
    rate = 8000
    samples = b"".join(
        struct.pack("<h", int(9000 * math.sin(2 * math.pi * 440 * at / rate))) for at in range(int(rate * seconds))
    )
    return b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16
    ) + b"data" + struct.pack("<I", len(samples)) + samples


def files(place: Path) -> None:
    """One artifact of each kind."""
    text: dict[str, str] = {
        "notes/readme.md": "# Notes\n\nA *run* on `CIFAR`.\n\n| what | value |\n|---|---|\n| classes | 10 |\n",
        "notes/log.txt": "".join(f"line {number}: loss {1 / number:.4f}\n" for number in range(1, 3001)),
        "code/train.py": "import millstream as mlflow\n\n\ndef train(epochs: int = 10) -> float:\n    return 0.9\n",
        "config.yaml": "optimizer:\n  name: adam\n  lr: 0.001\nepochs: 10\n",
        "facts.json": json.dumps({"classes": [{"id": at, "name": f"class {at}"} for at in range(200)], "ok": True}),
        "tables/confusion.csv": "actual,predicted,count\n" + "".join(
            f"{a},{b},{(a * 7 + b * 3) % 50}\n" for a in range(10) for b in range(10)
        ),
        "tables/confusion.tsv": "a\tb\n1\t2\n",
        "report.html": "<h1 id='t'>Report</h1><script>document.getElementById('t').textContent += ' ran'</script>",
        "plots/curve.svg": "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'>"
                           "<path d='M0 100L200 0' stroke='green'/></svg>",
        "explore.ipynb": json.dumps({
            "cells": [
                {"cell_type": "markdown", "metadata": {}, "source": ["# Exploration"]},
                {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["1 + 1"], "outputs": [
                    {"output_type": "execute_result", "execution_count": 1, "metadata": {},
                     "data": {"text/plain": ["2"]}},
                ]},
            ], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5,
        }),
    }
    binary = {
        "images/sample.png": png(96, 64), "images/other.png": png(64, 96),
        "paper.pdf": PDF, "audio/tone.wav": wav(0.5),
        "weights.bin": bytes(range(256)) * 8,
        "images/dot.gif": base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
    }
    for name, content in text.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, data in binary.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def classifier(told: dict[str, object]) -> None:
    """The runs of ``image-classifier``."""
    chance = random.Random(7)
    experiment = mlflow.set_experiment("image-classifier")
    told["experiment"] = experiment.experiment_id
    mlflow.set_experiment_tag("team", "vision")
    runs: list[str] = []
    for number in range(12):
        with mlflow.start_run(run_name=f"amber-{number}") as run:
            runs.append(run.info.run_id)
            rate = [0.1, 0.01, 0.001, 0.0003][number % 4]
            mlflow.log_params({
                "lr": rate, "optimizer": ["adam", "sgd", "lion"][number % 3], "batch_size": 2 ** (4 + number % 4),
                "seed": number, "dataset": "cifar-10", "depth": 18,
            })
            speed = 0.02 + 0.1 * chance.random()
            for step in range(60):
                fall = math.exp(-speed * step)
                mlflow.log_metrics({
                    "train/loss": 2.3 * fall + 0.05 * chance.random(),
                    "val/loss": 2.3 * fall + 0.1 + 0.1 * chance.random(),
                    "val/accuracy": 0.95 - 0.85 * fall - 0.02 * chance.random(),
                    "grad_norm": 40.0 if step == 33 and number == 3 else 1 + chance.random(),
                }, step=step)
            mlflow.log_metric("accuracy", 0.9 + 0.008 * number)
            mlflow.set_tag("team", "growth" if number % 2 else "core")
            mlflow.set_tag("mlflow.note.content", f"Run **{number}** of the sweep.")
            if number == 0:
                with tempfile.TemporaryDirectory() as place:
                    files(Path(place))
                    mlflow.log_artifacts(place)
            if number == 5:
                mlflow.log_metric("grad_norm", float("nan"), step=60)
    with mlflow.start_run(run_name="sweep") as parent:
        told["parent"] = parent.info.run_id
        mlflow.log_param("lr", "search")
        for number in range(3):
            with mlflow.start_run(run_name=f"trial-{number}", nested=True):
                mlflow.log_param("lr", 0.1 / (number + 1))
                mlflow.log_metric("accuracy", 0.8 + number / 50)
    with mlflow.start_run(run_name="broken") as failed:
        mlflow.log_param("lr", "1e9")
        mlflow.log_metric("train/loss", float("inf"))
    client = mlflow.MlflowClient()
    client.set_terminated(failed.info.run_id, status="FAILED")
    going = client.create_run(experiment.experiment_id, run_name="going")
    client.log_metric(going.info.run_id, "train/loss", 1.5, step=0)
    gone = client.create_run(experiment.experiment_id, run_name="deleted-run")
    client.set_terminated(gone.info.run_id)
    client.delete_run(gone.info.run_id)
    told["runs"], told["running"], told["failed"] = runs, going.info.run_id, failed.info.run_id


def churn(told: dict[str, object]) -> None:
    """The runs and models of ``churn``."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    experiment = mlflow.set_experiment("churn")
    told["churn"] = experiment.experiment_id
    source = np.random.default_rng(1)
    table = pd.DataFrame({
        "age": source.integers(18, 80, 200), "balance": source.normal(1000, 300, 200),
        "region": source.integers(0, 4, 200),
    })
    left = (table["age"] * 0.02 + source.normal(0, 0.4, 200) > 1).astype(int)
    mlflow.sklearn.autolog(log_input_examples=True, log_model_signatures=True)
    versions: list[str] = []
    for number, model in enumerate([
        LogisticRegression(max_iter=200), RandomForestClassifier(n_estimators=5, random_state=1),
        RandomForestClassifier(n_estimators=9, random_state=1),
    ]):
        with mlflow.start_run(run_name=f"fit-{number}") as run:
            model.fit(table, left)
            mlflow.log_metric("val_auc", 0.8 + 0.03 * number)
        versions.append(run.info.run_id)
    mlflow.sklearn.autolog(disable=True)
    client = mlflow.MlflowClient()
    for run_id in versions:
        mlflow.register_model(f"runs:/{run_id}/model", "churn")
    mlflow.register_model(f"runs:/{versions[0]}/model", "churn-small")
    client.update_registered_model("churn", description="Who leaves within a month.")
    client.set_registered_model_tag("churn", "owner", "growth")
    client.set_registered_model_alias("churn", "champion", "2")
    client.set_registered_model_alias("churn", "challenger", "3")
    client.transition_model_version_stage("churn", "2", "Production")
    client.transition_model_version_stage("churn", "3", "Staging")
    client.set_model_version_tag("churn", "2", "reviewed", "yes")
    told["churn_runs"] = versions


def main() -> None:
    told: dict[str, object] = {}
    classifier(told)
    churn(told)
    mlflow.create_experiment("empty")
    old = mlflow.create_experiment("old")
    mlflow.delete_experiment(old)
    told["old"] = old
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
