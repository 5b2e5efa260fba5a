"""A tracking server as a source: MLflow's or ours, read over the protocol that both speak."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from msgspec.structs import replace

from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.roots import open_root
from millstream.entities import Run
from millstream.entities.model_registry import ModelVersion, ModelVersionStatus, RegisteredModel
from millstream.errors import EndpointNotFound, InvalidValue, NotFound
from millstream.interop.source import (
    BATCH,
    GREATEST,
    NAMED,
    Point,
    Series,
    Source,
    is_prompt,
    left_behind,
    settle,
)
from millstream.operations import (
    GetLoggedModel,
    GetMetricHistory,
    GetModelVersionDownloadUri,
    GetRegisteredModel,
    GetRun,
    SearchExperiments,
    SearchLoggedModels,
    SearchModelVersions,
    SearchRegisteredModels,
    SearchRuns,
)
from millstream.operations.imports import (
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedModelVersion,
    ImportedRegisteredModel,
    ImportedRun,
)
from millstream.operations.paging import pages
from millstream.search.text import to_text
from millstream.search.tree import Comparison, Field
from millstream.stores.contract import Store
from millstream.tracking.outbox.place import shown

_PAGE = 25_000
_LISTED = 50  # said in so many words: a page of the size that we take for granted is not what every server does
_VERSIONS = 200
_AT_ONCE = 8


class ServerSource(Source):
    """The server behind ``store``. A server tells no times of deletion, and no logged models in the trash."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="millstream-import")

        self._address = urlsplit(store.uri)

    @property
    def title(self) -> str:
        return shown(self._store.uri)

    def open_root(self, uri: str) -> ArtifactStore:
        return open_root(uri, self._store.uri)

    def _place(self, uri: str | None) -> str:
        """An address of artifacts that names this server where it keeps them."""
        if uri and uri.startswith("mlflow-artifacts:/") and not uri.startswith("mlflow-artifacts://"):
            return f"mlflow-artifacts://{self._address.netloc.rpartition('@')[2]}{uri.removeprefix('mlflow-artifacts:')}"
        return uri or ""

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._store.close()

    def experiments(self) -> list[ImportedExperiment]:
        made = []
        try:
            for page in pages(self._store.execute, SearchExperiments(max_results=_LISTED, view_type="ALL")):
                for experiment in page.experiments:
                    deleted = experiment.last_update_time if experiment.lifecycle_stage == "deleted" else None
                    made.append(ImportedExperiment(experiment, deleted))
        except EndpointNotFound:
            raise InvalidValue(
                f"{self.title} is older than MLflow 1.28, or no tracking server",
                hint="import its database or its mlruns folder instead",
            ) from None
        return made

    def count_runs(self) -> None:
        return None

    def batches(self, experiment: ImportedExperiment) -> Iterator[list[ImportedRun]]:
        asked = SearchRuns(
            experiment_ids=[experiment.experiment.experiment_id], run_view_type="ALL", max_results=BATCH,
            order_by=["attributes.start_time ASC"],
        )
        for page in pages(self._store.execute, asked):
            if page.runs:
                # A search of MLflow's leaves out which models a run has read.
                whole = self._pool.map(self._run, [run.info.run_id for run in page.runs])
                yield [settle(ImportedRun(run), experiment) for run in whole]

    def _run(self, run_id: str) -> Run:
        run = self._store.execute(GetRun(run_id)).run
        return replace(run, info=replace(run.info, artifact_uri=self._place(run.info.artifact_uri)))

    def series(self, runs: Sequence[ImportedRun]) -> Iterator[Series]:
        wanted = [(run.run.info.run_id, metric.key) for run in runs for metric in run.run.data.metric_list]
        # A few at a time, so that the answers of a batch are not all held at once.
        for start in range(0, len(wanted), 4 * _AT_ONCE):
            yield from self._pool.map(self._history, wanted[start:start + 4 * _AT_ONCE])

    def _history(self, wanted: tuple[str, str]) -> Series:
        run_id, key = wanted
        points: list[Point] = []
        for page in pages(self._store.execute, GetMetricHistory(run_id, key, max_results=_PAGE)):
            points += [(point.step, point.timestamp, _number(point.value)) for point in page.metrics]
        return Series.of(run_id, key, points)

    def logged_models(self, experiment: ImportedExperiment) -> list[ImportedLoggedModel]:
        asked = SearchLoggedModels(experiment_ids=[experiment.experiment.experiment_id], max_results=_LISTED)
        try:
            found = [model for page in pages(self._store.execute, asked) for model in page.models]
        except EndpointNotFound:
            return []  # a server before MLflow 3 has none
        made = []
        for model in found:
            metrics = [replace(metric, value=_number(metric.value)) for metric in model.data.metrics]
            info = replace(model.info, artifact_uri=self._place(model.info.artifact_uri))
            made.append(ImportedLoggedModel(replace(model, info=info, data=replace(model.data, metrics=metrics))))
        return made

    def registered_models(self) -> Iterator[ImportedRegisteredModel]:
        asked = SearchRegisteredModels(max_results=_LISTED)
        try:
            found = [model for page in pages(self._store.execute, asked) for model in page.registered_models]
        except EndpointNotFound:
            self.notes.append(f"{self.title} has no registered models, or none that it shows")
            return
        prompts = sum(map(is_prompt, found))
        for listed in found:
            if not is_prompt(listed):
                # A search of an older MLflow's leaves out aliases.
                model = self._store.execute(GetRegisteredModel(listed.name)).registered_model
                yield from self._versions(model)
        if prompts:
            self.notes.append(left_behind(prompts, "prompt"))

    def _versions(self, model: RegisteredModel) -> Iterator[ImportedRegisteredModel]:
        named = to_text(Comparison(Field("attribute", "name"), "=", model.name))
        # Aliases come last, when every version is there.
        bare = replace(model, alias_list=[], latest_versions=[])
        for page in pages(self._store.execute, SearchModelVersions(named, _VERSIONS)):
            ready = []
            for version in page.model_versions:
                if version.status == ModelVersionStatus.READY:
                    ready.append(version)
                else:
                    self.notes.append(f"version {version.version} of the registered model {model.name!r} is "
                                      f"{version.status}: it is left out")
            yield ImportedRegisteredModel(bare, list(self._pool.map(self._version, ready)))
        if model.alias_list:
            yield ImportedRegisteredModel(replace(model, latest_versions=[]))

    def _version(self, version: ModelVersion) -> ImportedModelVersion:
        place = self._store.execute(GetModelVersionDownloadUri(version.name, version.version)).artifact_uri
        return ImportedModelVersion(version, place if place.startswith(NAMED) else self._place(place))

    def root_of_run(self, run_id: str) -> str | None:
        with contextlib.suppress(NotFound):
            return self._run(run_id).info.artifact_uri
        return None

    def root_of_model(self, model_id: str) -> str | None:
        with contextlib.suppress(NotFound, EndpointNotFound):
            return self._place(self._store.execute(GetLoggedModel(model_id)).model.info.artifact_uri)
        return None


def _number(value: float) -> float:
    """A value as it was logged: a server of MLflow on a database answers the greatest number for an infinity."""
    return float("inf") if value >= GREATEST else float("-inf") if value <= -GREATEST else value
