"""MLflow's file store (a folder ``mlruns``) as a source, and its import when it is first opened as a tracking URI.

The layout, as MLflow 1.27 to 3.17 write it: ``<experiment>/meta.yaml`` and ``tags/``; ``<experiment>/<run>/meta.yaml``,
``params/``, ``tags/``, ``metrics/`` (a file a key, slashes of the key as folders), ``inputs/``, ``outputs/`` and
``artifacts/``; ``<experiment>/datasets/`` and ``<experiment>/models/``; deleted experiments below ``.trash/``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from millstream import yaml_texts
from millstream.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    InputTag,
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    RunTag,
)
from millstream.errors import InvalidValue
from millstream.interop.mlruns_registry import read_registry
from millstream.interop.source import BATCH, RUN_NAME_TAG, Point, Series, Source, settle
from millstream.operations.imports import (
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedRegisteredModel,
    ImportedRun,
)
from millstream.stores.opening import IMPORTED

if TYPE_CHECKING:
    from millstream.interop.report import Report
    from millstream.stores.contract import Store

_META = "meta.yaml"
_TRASH = ".trash"
_REGISTRY = "models"  # beside the experiments: registered models
_FACTS = frozenset({_META, "tags", "datasets", "models", "traces"})  # in an experiment's folder: everything but runs


class FolderSource(Source):
    """The file store in ``folder``. Raises InvalidValue where none is."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self._folder = Path(folder).absolute()
        if not holds_file_store(self._folder):
            raise InvalidValue(f"{str(self._folder)!r} holds no file store of MLflow",
                               hint="name the folder that holds the experiments' folders, usually called mlruns")
        self._homes: dict[str, Path] = {}

    @property
    def title(self) -> str:
        return str(self._folder)

    def close(self) -> None:
        self._homes.clear()

    # Experiments

    def experiments(self) -> list[ImportedExperiment]:
        made = []
        names: set[str] = set()
        self._homes.clear()
        for home in self._all_homes():
            if not (meta := self._meta(home)):
                continue
            experiment_id = str(meta.get("experiment_id", home.name))
            deleted = home.parent.name == _TRASH or meta.get("lifecycle_stage") == "deleted"
            if experiment_id in self._homes:
                self.notes.append(f"{home} is left out: {self._homes[experiment_id]} has the same experiment id")
                continue
            self._homes[experiment_id] = home
            name = str(meta.get("name", experiment_id))
            if name in names:
                name = f"{name} ({experiment_id})"
                self.notes.append(f"two experiments have one name: that of id {experiment_id} is called {name!r}")
            names.add(name)
            experiment = Experiment(
                experiment_id=experiment_id, name=name, artifact_location=_root(meta.get("artifact_location"), home),
                lifecycle_stage="deleted" if deleted else "active",
                tag_list=[ExperimentTag(key, value) for key, value in _texts(home / "tags")],
                # MLflow 1 kept no times.
                creation_time=meta.get("creation_time") or int((home / _META).stat().st_mtime * 1000),
                last_update_time=meta.get("last_update_time"),
            )
            made.append(ImportedExperiment(experiment, experiment.last_update_time if deleted else None))
        return made

    def _meta(self, folder: Path) -> dict[str, Any]:
        """What ``meta.yaml`` says; nothing, with a note, where it cannot be read."""
        try:
            read = yaml_texts.read((folder / _META).read_bytes())
        except FileNotFoundError:
            self.notes.append(f"{folder} is left out: it has no {_META}")
            return {}
        except InvalidValue as error:
            self.notes.append(f"{folder} is left out: its {_META} cannot be read ({error.message})")
            return {}
        if not isinstance(read, dict):
            self.notes.append(f"{folder} is left out: its {_META} is empty")
            return {}
        return read

    # Runs

    def _run_folders(self, home: Path) -> list[Path]:
        return [folder for folder in _folders(home) if folder.name not in _FACTS]

    def count_runs(self) -> int:
        return sum(len(self._run_folders(home)) for home in self._all_homes())

    def _all_homes(self) -> list[Path]:
        """The folders of experiments, deleted ones last."""
        folders = [*_folders(self._folder), *_folders(self._folder / _TRASH)]
        return [folder for folder in folders if folder.name not in (_TRASH, _REGISTRY)]

    def batches(self, experiment: ImportedExperiment) -> Iterator[list[ImportedRun]]:
        home = self._homes[experiment.experiment.experiment_id]
        folders = self._run_folders(home)
        for start in range(0, len(folders), BATCH):
            read = (self._run(folder, home, experiment) for folder in folders[start:start + BATCH])
            if runs := [run for run in read if run is not None]:
                yield runs

    def _run(self, folder: Path, home: Path, experiment: ImportedExperiment) -> ImportedRun | None:
        meta = self._meta(folder)
        if not meta:
            return None
        run_id = str(meta.get("run_id") or meta.get("run_uuid") or folder.name)
        if run_id != folder.name:
            self.notes.append(f"{folder} is left out: its {_META} names another run, {run_id}")
            return None
        params = [Param(key, value) for key, value in _texts(folder / "params")]
        tags = [RunTag(key, value) for key, value in _texts(folder / "tags")]
        named = next((tag.value for tag in tags if tag.key == RUN_NAME_TAG), None)
        status = meta.get("status", RunStatus.RUNNING)
        info = RunInfo(
            run_id=run_id, experiment_id=experiment.experiment.experiment_id, user_id=meta.get("user_id") or "",
            status=RunStatus.to_string(status) if isinstance(status, int) else str(status),
            start_time=meta.get("start_time"), end_time=meta.get("end_time"),
            lifecycle_stage=meta.get("lifecycle_stage") or "active",
            artifact_uri=_root(meta.get("artifact_uri"), folder / "artifacts"),
            run_name=meta.get("run_name") or meta.get("name") or named,
        )
        datasets, read = self._inputs(folder, home)
        outputs = [
            LoggedModelOutput(str(output["destination_id"]), int(output.get("step") or 0))
            for place in _folders(folder / "outputs") if (output := self._meta(place))
        ]
        run = Run(info, RunData([], params, tags), RunInputs(datasets, read), RunOutputs(outputs))
        return settle(ImportedRun(run, meta.get("deleted_time")), experiment)

    def _inputs(self, folder: Path, home: Path) -> tuple[list[DatasetInput], list[LoggedModelInput]]:
        datasets: list[DatasetInput] = []
        models: list[LoggedModelInput] = []
        for place in _folders(folder / "inputs"):
            used = self._meta(place)
            if used.get("source_type") == "DATASET":
                facts = self._meta(home / "datasets" / str(used["source_id"]))
                if facts:
                    dataset = Dataset(
                        str(facts["name"]), str(facts["digest"]), str(facts["source_type"]), str(facts["source"]),
                        facts.get("schema"), facts.get("profile"),
                    )
                    tags = [InputTag(str(key), str(value)) for key, value in (used.get("tags") or {}).items()]
                    datasets.append(DatasetInput(dataset, tags))
            elif used:
                models.append(LoggedModelInput(str(used["destination_id"])))
        return datasets, models

    # Metrics

    def series(self, runs: Sequence[ImportedRun]) -> Iterator[Series]:
        for run in runs:
            info = run.run.info
            home = self._homes[info.experiment_id]
            for key, file in _files(home / info.run_id / "metrics"):
                yield Series.of(info.run_id, key, self._points(file))

    def _points(self, file: Path) -> Iterator[Point]:
        for number, line in enumerate(_lines(file), 1):
            # Timestamp, value, step; then, since MLflow 3, the dataset. MLflow before 1.0 wrote no step.
            parts = line.split(" ")
            try:
                step = int(parts[2]) if len(parts) > 2 else 0
                yield step, int(parts[0]), _value(parts[1])
            except (ValueError, IndexError):
                self.notes.append(f"{file}, line {number} is left out: {line[:80]!r} is no point of a metric")

    # Logged models

    def logged_models(self, experiment: ImportedExperiment) -> list[ImportedLoggedModel]:
        home = self._homes[experiment.experiment.experiment_id]
        made = []
        for folder in _folders(home / "models"):
            meta = self._meta(folder)
            if not meta:
                continue
            info = LoggedModelInfo(
                model_id=str(meta["model_id"]), experiment_id=experiment.experiment.experiment_id,
                name=str(meta["name"]), creation_timestamp_ms=int(meta["creation_timestamp"]),
                last_updated_timestamp_ms=int(meta["last_updated_timestamp"]),
                artifact_uri=_root(meta.get("artifact_location"), folder / "artifacts"),
                status=LoggedModelStatus.from_wire(str(meta["status"])).wire, model_type=meta.get("model_type"),
                source_run_id=meta.get("source_run_id"), status_message=meta.get("status_message"),
                tags=[LoggedModelTag(key, value) for key, value in _texts(folder / "tags")],
            )
            params = [LoggedModelParameter(key, value) for key, value in _texts(folder / "params")]
            model = LoggedModel(info, LoggedModelData(params, self._model_metrics(folder, info.model_id)))
            deleted = info.last_updated_timestamp_ms if meta.get("lifecycle_stage") == "deleted" else None
            made.append(ImportedLoggedModel(model, deleted))
        return made

    # Registered models

    def registered_models(self) -> Iterator[ImportedRegisteredModel]:
        folders = [folder for folder in _folders(self._folder / _REGISTRY) if (folder / _META).is_file()]
        return read_registry(folders, self._meta, _texts, self._absolute, self.notes)

    def _absolute(self, uri: str) -> str:
        """A place as roots are written: a path, where it is on this machine."""
        parts = urlsplit(uri)
        if parts.scheme not in ("", "file"):
            return uri
        path = unquote(parts.path) if parts.scheme else uri
        return str((self._folder.parent / path).absolute()) if path else ""

    def root_of_run(self, run_id: str) -> str | None:
        return self._root_of(Path(run_id), "artifact_uri")

    def root_of_model(self, model_id: str) -> str | None:
        return self._root_of(Path("models", model_id), "artifact_location")

    def _root_of(self, below: Path, field: str) -> str | None:
        for home in self._homes.values():
            if (home / below / _META).is_file():
                return _root(self._meta(home / below).get(field), home / below / "artifacts")
        return None

    def _model_metrics(self, folder: Path, model_id: str) -> list[Metric]:
        """The last point of each metric, dataset and run: lines of timestamp, value, step, run, dataset, digest."""
        last: dict[tuple[str, ...], Metric] = {}
        for key, file in _files(folder / "metrics"):
            for number, line in enumerate(_lines(file), 1):
                # The digest is the last word, and a dataset's name may hold spaces.
                timestamp, value, step, run_id, *dataset = line.split(" ")
                name, digest = (" ".join(dataset[:-1]), dataset[-1]) if len(dataset) > 1 else (None, None)
                try:
                    metric = Metric(key, _value(value), int(timestamp), int(step), model_id, name, digest, run_id)
                except ValueError:
                    self.notes.append(f"{file}, line {number} is left out: {line[:80]!r} is no point of a metric")
                    continue
                identity = (key, run_id, name or "", digest or "")
                before = last.get(identity)
                if before is None or (before.step, before.timestamp) <= (metric.step, metric.timestamp):
                    last[identity] = metric
        return list(last.values())


def _value(text: str) -> float:
    value = float(text)
    return math.nan if value != value else value


def _folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name; none where it is not."""
    try:
        with os.scandir(folder) as entries:
            return [folder / name for name in sorted(entry.name for entry in entries if entry.is_dir())]
    except FileNotFoundError:
        return []


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its path relative to it, which is the key that it keeps."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        below = os.path.relpath(place, folder)
        for name in sorted(names):
            yield (name if below == "." else f"{Path(below).as_posix()}/{name}"), Path(place, name)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for key, file in _files(folder):
        yield key, file.read_bytes().decode("utf-8", "replace")


def _lines(file: Path) -> list[str]:
    return file.read_bytes().decode("utf-8", "replace").splitlines()


def _root(uri: object, here: Path) -> str:
    """Where artifacts lie: at their recorded address, or, where a folder was moved, in their usual place in it."""
    recorded = str(uri or "")
    parts = urlsplit(recorded)
    if parts.scheme not in ("", "file"):
        return recorded
    path = Path(unquote(parts.path) if parts.scheme else recorded)
    return str(path if path.is_absolute() and path.exists() else here)


def holds_file_store(folder: str | Path) -> bool:
    """Whether a folder is one that MLflow's file store has written: it looks at names only, and quickly."""
    folder = Path(folder)
    for place in (folder, folder / _TRASH):
        try:
            with os.scandir(place) as entries:
                names = [entry.name for entry in entries if entry.is_dir() and entry.name not in (_REGISTRY, _TRASH)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        if any((place / name / _META).is_file() for name in names):
            return True
    return False


def wants_import(folder: str | Path) -> bool:
    """Whether ``folder`` holds a file store that :func:`import_folder` has not brought in yet."""
    return not os.path.exists(os.path.join(folder, IMPORTED)) and holds_file_store(folder)


def import_folder(folder: str | Path, store: Store) -> Report | None:
    """Bring the file store in ``folder`` into ``store``, which is kept in the same folder; once.

    Its artifacts stay where they lie and its files are left as they are. Of several processes that open the folder at
    once, one imports and the others wait. What was killed half-way is finished at the next opening. Returns None
    where nothing is left to do. Raises InvalidState when not everything arrived.
    """
    import fcntl

    from millstream.errors import InvalidState
    from millstream.interop.importing import Artifacts, Import

    with open(os.path.join(folder, ".millstream-import.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wants_import(folder):
            return None
        with FolderSource(folder) as source:
            report = Import(source, store, artifacts=Artifacts.LINK, look_at_files=False).run()
        if report.differences:
            raise InvalidState(
                f"the file store in {folder} did not arrive whole: {report.differences[0]}",
                hint=f"see everything with `millstream import mlflow {folder}`",
            )
        Path(folder, IMPORTED).write_text(report.to_json() + "\n")
        return report
