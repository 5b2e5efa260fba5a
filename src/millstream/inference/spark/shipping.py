"""Models and environments on their way to executors: each goes there once, as an archive that Spark unpacks."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any

from millstream.environments.building import Built
from millstream.inference.spark.executors import Place

__all__ = ["archive", "environment", "model"]

_lock = threading.Lock()
_made: dict[str, Path] = {}  # archives of this process by their names
_sent: dict[tuple[str, str], Place] = {}  # by application


def model(spark: Any, folder: Path) -> Place:
    """Where executors find the model in ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    content = hashlib.sha256(repr((folder.resolve(), facts)).encode()).hexdigest()[:24]
    if _on_this_machine(spark):
        return Place(path=str(folder.resolve()), content=content)
    return _brought(spark, f"millstream-model-{content}.tar", folder, "")


def environment(spark: Any, built: Built) -> Place:
    """Where executors find an environment that was built on this machine."""
    if _on_this_machine(spark):
        return Place(path=str(built.path))
    with built.in_use():
        return _brought(spark, f"millstream-{built.key}.tar.gz", built.path, built.key)


def archive(spark: Any, path: Path) -> Place:
    """Where executors find what is in an archive, a ``.tar.gz`` of this machine."""
    with _lock:
        return _send(spark, path)


def _on_this_machine(spark: Any) -> bool:
    """Whether executors are threads of the driver's own process, as the master ``local[…]`` has them."""
    if _is_remote(spark):
        return False
    master = str(spark.sparkContext.master)
    return master == "local" or master.startswith("local[")


def _is_remote(spark: Any) -> bool:
    return ".connect." in type(spark).__module__


def _brought(spark: Any, name: str, folder: Path, inside: str) -> Place:
    with _lock:
        if name not in _made:
            made = Path(tempfile.mkdtemp(prefix="millstream-spark-"), name)
            atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
            compressed = name.endswith(".gz")
            with tarfile.open(made, "w:gz", compresslevel=1) if compressed else tarfile.open(made, "w") as packed:
                for one in sorted(folder.iterdir()):  # an entry for the folder itself would be one outside of Spark's
                    packed.add(one, f"{inside}/{one.name}".lstrip("/"))
            _made[name] = made
        return _send(spark, _made[name])


def _send(spark: Any, path: Path) -> Place:
    if _is_remote(spark):
        key = (str(spark.session_id), str(path.resolve()))
        if key not in _sent:
            spark.addArtifacts(str(path), archive=True)
            _sent[key] = Place(archive=path.name)
        return _sent[key]
    context = spark.sparkContext
    key = (str(context.applicationId), str(path.resolve()))
    if key not in _sent:
        context.addArchive(str(path))
        _sent[key] = Place(archive=path.name)
    return _sent[key]
