"""One execution of a batch job: a run that records which version of the model read and wrote which data."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from millstream import settings
from millstream.artifacts.uris import parse_model_uri, scheme
from millstream.data.dataset import Dataset
from millstream.data.dataset_source_registry import source_of
from millstream.data.delta_dataset import load_delta
from millstream.data.file_dataset import from_file
from millstream.data.meta_dataset import MetaDataset
from millstream.entities import LoggedModelInput, Run
from millstream.errors import Conflict, InvalidValue
from millstream.flavors import loading
from millstream.inference import delta, sources
from millstream.inference.batch.jobs import BatchJob, is_delta, place_of
from millstream.inference.files import predict_files
from millstream.models.mlmodel import Model
from millstream.tracking import stores
from millstream.tracking.client import MlflowClient
from millstream.tracking.experiments import experiment_of_new_runs
from millstream.tracking.logging import log_input, log_metrics, log_params, set_tags
from millstream.tracking.outbox.place import absolute, outbox_directory
from millstream.tracking.runs import start_run
from millstream.tracking.versions import chosen_version

__all__ = ["DUE", "JOB", "Execution", "execute", "finished", "last_due"]

logger = logging.getLogger("millstream")

# Tags of the run of an execution.
JOB = "millstream.batch.job"
DUE = "millstream.batch.due"
MISSED = "millstream.batch.missed"
MODEL_URI = "millstream.batch.model_uri"
MODEL_VERSION = "millstream.batch.model_version"
INPUT_VERSION = "millstream.batch.input_version"
_ROWS_OF_A_BATCH = 65_536


@dataclass(frozen=True)
class Execution:
    """What an execution did: its run, the model that it used, the rows, and where they are now."""

    run_id: str
    model_uri: str
    rows: int
    output: str
    output_version: int | None
    due: datetime


def execute(job: BatchJob, due: datetime | None = None, *, missed: int = 0) -> Execution:
    """Do a job once, as a run of its experiment, for the time ``due`` (now unless given).

    The run has the model's version, the input's version or digest and the output's as tags and data sets. An output
    file is there when it is whole; a Delta table gets what is due at one time once. A model of an alias or stage is
    resolved when the execution begins. Raises Conflict while the same job runs on this machine, and whatever fails: the
    run is FAILED then.
    """
    due = (due or datetime.now(timezone.utc)).astimezone(timezone.utc).replace(microsecond=0)
    with _alone(job):
        experiment = _experiment(job)
        tags = {JOB: job.name, DUE: _text(due), **({MISSED: str(missed)} if missed else {})}
        with start_run(experiment_id=experiment, run_name=f"{job.name} {due:%Y-%m-%d %H:%M}", tags=tags) as run:
            log_params({"model": job.model, "input": ", ".join(job.input), "output": job.output})
            model_uri = _resolved(job)
            with tempfile.TemporaryDirectory(prefix="millstream-batch-") as scratch:
                inputs, kind = _input(job, Path(scratch), model_uri)
                target = _target(job, due, Path(scratch))
                done = predict_files(
                    model_uri, inputs, target, content_type=kind, env_manager=job.env_manager, keep=job.keep,
                    params=job.params,
                )
                version = _deliver(job, due, target)
            log_metrics({"rows": done.rows, "seconds": done.seconds})
            set_tags({delta.OUTPUT_ROWS: str(done.rows)})
    output = place_of(job.output) if version is not None else str(target)
    return Execution(run.info.run_id, model_uri, done.rows, output, version, due)


def _experiment(job: BatchJob) -> str:
    if job.experiment is None:
        return experiment_of_new_runs(stores.get_tracking_uri())
    client = MlflowClient()
    found = client.get_experiment_by_name(job.experiment)
    return found.experiment_id if found is not None else client.create_experiment(job.experiment)


@contextlib.contextmanager
def _alone(job: BatchJob) -> Iterator[None]:
    """Keeps others of this machine from executing the same job meanwhile."""
    told = hashlib.sha256(repr((absolute(stores.get_tracking_uri()), job.name)).encode()).hexdigest()[:32]
    folder = Path(outbox_directory()).parent / "batch"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{told}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"the batch job {job.name!r} is being executed already",
                           hint="wait until it has ended, or give this one another name") from None
        yield


def _resolved(job: BatchJob) -> str:
    """The address of the very version that is used, which goes onto the run."""
    uri = job.model
    if scheme(uri) == "models" and (named := parse_model_uri(uri)).name is not None:
        registry = stores.store(settings.REGISTRY_URI.get() or stores.get_tracking_uri())
        version = chosen_version(named, registry)
        uri = f"models:/{named.name}/{version.version}" + (f"/{named.path}" if named.path else "")
        set_tags({MODEL_VERSION: f"{version.name}/{version.version}"})
    set_tags({MODEL_URI: uri})
    model = Model.load(loading.fetch(uri))
    if model.model_id is not None:
        with contextlib.suppress(LookupError):  # a copy of a model that another store knows
            MlflowClient().get_logged_model(model.model_id)
            log_input(model=LoggedModelInput(model.model_id))
    return uri


def _input(job: BatchJob, scratch: Path, model_uri: str) -> tuple[list[str], str | None]:
    """The files to predict, and their kind; what they are goes onto the run."""
    if not is_delta(job.input[0]):
        found = sources.find(list(job.input), None)
        files = [str(source.path) for source in found]
        log_input(_files_dataset(job, files), context="inference")
        return files, found[0].kind
    uri = place_of(job.input[0])
    table = delta.read_table(uri)
    dataset = load_delta(uri, version=table.version())
    log_input(dataset, context="inference")
    set_tags({INPUT_VERSION: str(table.version())})
    schema = Model.load(loading.fetch(model_uri)).get_input_schema()
    names = None
    if schema is not None and schema.has_input_names():
        names = list(dict.fromkeys([*schema.input_names(), *job.keep]))
    return [str(_as_parquet(table, scratch / "input.parquet", names))], "parquet"


def _files_dataset(job: BatchJob, files: list[str]) -> Dataset:
    if len(job.input) == 1 and os.path.exists(job.input[0]):
        return from_file(job.input[0])
    digests = [(path, from_file(path).digest) for path in files]
    told = hashlib.sha256(repr(digests).encode()).hexdigest()[:16]
    return MetaDataset(source_of(os.path.dirname(files[0]) or "."), name=os.path.basename(job.input[0]), digest=told)


def _as_parquet(table: Any, path: Path, names: list[str] | None) -> Path:
    """A version of a Delta table as one file, of the columns that are needed and there."""
    from pyarrow import parquet

    dataset = table.to_pyarrow_dataset()
    kept = None if names is None else [name for name in names if name in dataset.schema.names]
    scanner = dataset.scanner(columns=kept, batch_size=_ROWS_OF_A_BATCH)
    with parquet.ParquetWriter(path, scanner.projected_schema) as writer:
        for batch in scanner.to_batches():
            writer.write_batch(batch)
    return path


def _target(job: BatchJob, due: datetime, scratch: Path) -> Path:
    """The file that predictions are written to first."""
    if is_delta(job.output):
        return scratch / "predictions.parquet"
    if scheme(job.output) not in ("", "file"):
        raise InvalidValue.of("output", job.output, "predictions are written to files of this machine and Delta tables",
                              hint="name a folder, a file, or delta:" + job.output)
    path = Path(job.output)
    if job.output.endswith("/") or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return path / f"{due:%Y-%m-%dT%H%M%SZ}.parquet"
    return path


def _deliver(job: BatchJob, due: datetime, target: Path) -> int | None:
    """Bring predictions where they belong; the version of a Delta table, None for a file."""
    if not is_delta(job.output):
        dataset = from_file(target)
        log_input(dataset, context="output")
        set_tags({delta.OUTPUT_URI: str(target), delta.OUTPUT_VERSION: dataset.digest})
        return None
    import pyarrow
    from pyarrow import parquet

    with parquet.ParquetFile(target) as file:
        predictions = pyarrow.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
        return delta.write_table(predictions, place_of(job.output), mode=job.mode,
                                 app_id=f"millstream.batch/{job.name}", batch_id=int(due.timestamp()))


def _text(due: datetime) -> str:
    return f"{due.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def finished(job: BatchJob, due: datetime) -> Run | None:
    """The run that has done what was due then; None if there is none."""
    found = _runs(job, f"tags.`{DUE}` = '{_text(due)}'")
    return found[0] if found else None


def last_due(job: BatchJob) -> datetime | None:
    """The latest time for which the job was done."""
    found = _runs(job, "")
    if not found:
        return None
    return datetime.strptime(found[0].data.tags[DUE], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def _runs(job: BatchJob, also: str) -> list[Run]:
    name = job.name.replace("'", "''")
    words = [f"tags.`{JOB}` = '{name}'", "attributes.status = 'FINISHED'", *([also] if also else [])]
    return list(MlflowClient().search_runs(
        [_experiment(job)], " AND ".join(words), max_results=1, order_by=[f"tags.`{DUE}` DESC"]))
