"""One artifact of MILLSTREAM_TEST_BIG_MB (1024) megabytes, up and down, with its checksum."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

MEGABYTES = int(os.environ.get("MILLSTREAM_TEST_BIG_MB", "1024"))


def checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def main() -> None:
    report = Report()
    client = MlflowClient()
    mlflow.set_experiment(f"{report.token} big")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big = folder / "big.bin"
        block = hashlib.shake_256(b"a megabyte").digest(1 << 20)
        with big.open("wb") as file:
            for index in range(MEGABYTES):
                file.write(index.to_bytes(8, "big"))
                file.write(block[8:])
        sent = checksum(big)
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(big), "large")
        big.unlink()
        report.keep("listed", [[item.path, item.file_size] for item in client.list_artifacts(run.info.run_id, "large")])
        if version(mlflow.__version__) >= (2, 0):
            fetched = Path(
                mlflow.artifacts.download_artifacts(
                    run_id=run.info.run_id, artifact_path="large/big.bin", dst_path=name
                )
            )
        else:
            fetched = Path(client.download_artifacts(run.info.run_id, "large/big.bin", name))
        report.keep("size", fetched.stat().st_size)
        report.keep("same", checksum(fetched) == sent)
    report.show()


main()
