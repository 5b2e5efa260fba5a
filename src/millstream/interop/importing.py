"""An import: everything a source has goes into a store, and both sides are counted and compared.

Nothing is kept about how far it got: what is in the destination already, equal to the source, is recognised by what it
is, so an import that was killed goes on where it was, and one that is repeated changes nothing.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from millstream.artifacts.roots import open_root
from millstream.entities import Run
from millstream.errors import EndpointNotFound, MillstreamError, NotSupported
from millstream.interop.comparing import compare_experiment, compare_model, compare_run
from millstream.interop.copying import copy_files
from millstream.interop.registering import Registering
from millstream.interop.report import Report
from millstream.interop.source import Series, Source
from millstream.operations import GetExperiment, GetMetricHistory
from millstream.operations.imports import (
    DigestSeries,
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedRun,
    ImportedSeries,
    ImportExperiments,
    ImportLoggedModels,
    ImportMetrics,
    ImportRuns,
    ReadStored,
    StoredRun,
)
from millstream.operations.paging import pages
from millstream.stores.contract import Store
from millstream.tracking.outbox.place import shown

_POINTS_A_REQUEST = 50_000
_SERIES_A_REQUEST = 1_000
_POINTS_A_DIGEST = 1_000_000
_CHARACTERS_A_REQUEST = 4_000_000
_EXPERIMENTS_A_REQUEST = 1_000

Progress = Callable[[str, int], None]  # a kind of the report, and how many more of it are done


class Artifacts(enum.Enum):
    """What happens to files: copied under the destination's roots, left where they lie, or left out."""

    COPY = "copy"
    LINK = "link"
    NONE = "none"


class Import:
    """One import of ``source`` into ``store``.

    ``overwrite`` lets the source win where both sides say something about a run that is over here. Files that are not
    copied are counted, unless not even ``look_at_files``. ``progress`` is told of kinds of the report, and how many
    more of them are done.
    """

    def __init__(
        self, source: Source, store: Store, *, artifacts: Artifacts = Artifacts.COPY, overwrite: bool = False,
        look_at_files: bool = True, progress: Progress = lambda kind, amount: None,
    ) -> None:
        self._source = source
        self._store = store
        self._artifacts = artifacts
        self._overwrite = overwrite
        self._look_at_files = look_at_files
        self._progress = progress
        self._home: dict[str, str] = {}  # the source's experiment ids → ours
        self._datasets: set[tuple[str, str, str]] = set()
        self._report = Report(source.title, shown(store.uri), artifacts.value)

    def run(self) -> Report:
        """Carry it out. Raises NotSupported when the destination does not take imports; what else is raised stops the
        import, which goes on when it is run again."""
        begun = time.monotonic()
        experiments = self._source.experiments()
        self._import_experiments(experiments)
        for experiment in experiments:
            for batch in self._source.batches(experiment):
                self._import_runs(batch)
            models = self._source.logged_models(experiment)
            for start in range(0, len(models), 200):
                self._import_models(models[start:start + 200])
        Registering(
            self._source, self._store, self._report, moved=self._artifacts is not Artifacts.LINK,
            overwrite=self._overwrite, progress=self._progress,
        ).run()
        self._report.notes += self._source.notes
        self._report.seconds = round(time.monotonic() - begun, 3)
        return self._report

    # Experiments

    def _import_experiments(self, experiments: Sequence[ImportedExperiment]) -> None:
        # New runs of an imported experiment keep their files in this store's own place, whatever the old ones do.
        sent = [replace(item, experiment=replace(item.experiment, artifact_location="")) for item in experiments]
        for start in range(0, len(sent), _EXPERIMENTS_A_REQUEST):
            part = sent[start:start + _EXPERIMENTS_A_REQUEST]
            try:
                placed = self._store.execute(ImportExperiments(part)).placed
            except EndpointNotFound:
                raise NotSupported(
                    f"{shown(self._store.uri)} does not take imports",
                    hint="import into a server or store of Millstream",
                ) from None
            for item, place in zip(part, placed, strict=True):
                self._home[place.sent_id] = place.id
                if place.sent_id != place.id:
                    self._report.notes.append(
                        f"experiment {item.experiment.name!r} has the id {place.id} here, not {place.sent_id}: "
                        + ("that id is taken" if place.created else "one of that name was here before, and took it in")
                    )
                there = self._store.execute(GetExperiment(place.id)).experiment
                compare_experiment(self._report, item.experiment, there, created=place.created)
            self._progress("experiments", len(part))

    # Runs

    def _import_runs(self, batch: list[ImportedRun]) -> None:
        before = self._stored(batch)
        wanted = [self._placed(item) for item in batch]
        missing = [item for item in wanted if not self._is_whole(item, before)]
        for part in _bounded(missing):
            self._store.execute(ImportRuns(part, overwrite=self._overwrite))
        after = before | self._stored(missing)
        for item in wanted:
            there = after.get(item.run.info.run_id)
            compare_run(self._report, item, there.run if there else None)
            self._count_datasets(item.run, there.run if there else None)
        self._import_metrics(batch, before, after)
        for item in batch:
            info = item.run.info
            if info.run_id in after:
                self._import_files(f"run {info.run_id}", info.artifact_uri, after[info.run_id].run.info.artifact_uri)
        self._progress("runs", len(batch))

    def _stored(self, items: Sequence[ImportedRun]) -> dict[str, StoredRun]:
        if not items:
            return {}
        answer = self._store.execute(ReadStored(run_ids=[item.run.info.run_id for item in items]))
        return {stored.run.info.run_id: stored for stored in answer.runs}

    def _placed(self, item: ImportedRun) -> ImportedRun:
        """The run with its experiment here and, where its files move, without a place; metrics come as series."""
        info = replace(
            item.run.info, experiment_id=self._home[item.run.info.experiment_id],
            artifact_uri=item.run.info.artifact_uri if self._artifacts is Artifacts.LINK else None,
        )
        return replace(item, run=replace(item.run, info=info, data=replace(item.run.data, metric_list=[])))

    @staticmethod
    def _is_whole(item: ImportedRun, before: dict[str, StoredRun]) -> bool:
        if item.run.info.run_id not in before:
            return False
        trial = Report("", "", "")
        compare_run(trial, item, before[item.run.info.run_id].run)
        return not trial.differences

    def _count_datasets(self, sent: Run, there: Run | None) -> None:
        known = {(used.dataset.name, used.dataset.digest) for used in there.inputs.dataset_inputs} if there else set()
        for used in sent.inputs.dataset_inputs:
            identity = (sent.info.experiment_id, used.dataset.name, used.dataset.digest)
            if identity not in self._datasets:
                self._datasets.add(identity)
                self._report.count("datasets", here=int(identity[1:] in known))

    # Metrics

    def _import_metrics(
        self, batch: list[ImportedRun], before: dict[str, StoredRun], after: dict[str, StoredRun]
    ) -> None:
        known = self._digests([run_id for run_id in before if before[run_id].run.data.metric_list])
        sent: dict[tuple[str, str], tuple[int, str]] = {}
        waiting: list[ImportedSeries] = []
        points = 0
        for series in self._source.series([item for item in batch if item.run.info.run_id in after]):
            if not len(series):
                continue
            digest = series.digest
            self._report.count("metrics", here=0)
            self._report.count("points", len(series), here=0)
            if known.get((series.run_id, series.key)) == digest:
                self._report.count("metrics", 0, here=1)
                self._report.count("points", 0, here=len(series))
                self._progress("points", len(series))
                continue
            sent[series.run_id, series.key] = (len(series), digest)
            for part in _parts(series):
                if waiting and (points + len(part.steps) > _POINTS_A_REQUEST or len(waiting) >= _SERIES_A_REQUEST):
                    self._send(waiting, points)
                    waiting, points = [], 0
                waiting.append(part)
                points += len(part.steps)
        self._send(waiting, points)
        self._verify(sent, batch)

    def _send(self, series: list[ImportedSeries], points: int) -> None:
        if series:
            self._store.execute(ImportMetrics(series))
            self._progress("points", points)

    def _digests(self, run_ids: Sequence[str]) -> dict[tuple[str, str], str]:
        if not run_ids:
            return {}
        answer = self._store.execute(DigestSeries(list(run_ids)))
        return {(one.run_id, one.key): one.digest for one in answer.series}

    def _verify(self, sent: dict[tuple[str, str], tuple[int, str]], batch: list[ImportedRun]) -> None:
        """Read back what was sent, some runs at a time, and compare."""
        sizes: dict[str, int] = {}
        for (run_id, _), (points, _) in sent.items():
            sizes[run_id] = sizes.get(run_id, 0) + points
        differing: set[tuple[str, str]] = set()
        group: list[str] = []
        for run_id in sizes:
            group.append(run_id)
            if sum(sizes[one] for one in group) >= _POINTS_A_DIGEST or run_id == list(sizes)[-1]:
                there = self._digests(group)
                for (owner, key), (points, digest) in sent.items():
                    if owner in group:
                        if there.get((owner, key)) == digest:
                            self._report.count("metrics", 0, here=1)
                            self._report.count("points", 0, here=points)
                        else:
                            differing.add((owner, key))
                group = []
        if differing:
            owners = {run_id for run_id, _ in differing}
            for series in self._source.series([item for item in batch if item.run.info.run_id in owners]):
                if (series.run_id, series.key) in differing:
                    self._name_missing_points(series)

    def _name_missing_points(self, series: Series) -> None:
        """The store has another history than was sent: points that it has beyond the source's are no loss."""
        there = Series.of(series.run_id, series.key, self._history(series))
        sent, known = set(map(repr, series.points())), set(map(repr, there.points()))
        found = len(sent & known)
        self._report.count("metrics", 0, here=int(found == len(sent)))
        self._report.count("points", 0, here=found)
        who = f"run {series.run_id}: metric {series.key!r}"
        if found == len(sent):
            self._report.notes.append(f"{who} has {len(known) - found:,} points here that the source has not")
        else:
            self._report.differs(f"{who} lacks {len(sent) - found:,} of {len(sent):,} points")

    def _history(self, series: Series) -> Iterator[tuple[int, int, float]]:
        asked = GetMetricHistory(series.run_id, series.key, max_results=25_000)
        for page in pages(self._store.execute, asked):
            for point in page.metrics:
                yield point.step, point.timestamp, point.value

    # Logged models

    def _import_models(self, models: list[ImportedLoggedModel]) -> None:
        sent = []
        for item in models:
            info = replace(
                item.model.info, experiment_id=self._home[item.model.experiment_id],
                artifact_uri=item.model.info.artifact_uri if self._artifacts is Artifacts.LINK else "",
            )
            sent.append(replace(item, model=replace(item.model, info=info)))
        self._store.execute(ImportLoggedModels(sent, overwrite=self._overwrite))
        stored = self._store.execute(ReadStored(model_ids=[item.model.model_id for item in sent])).models
        there = {one.model.model_id: one for one in stored}
        for item in models:
            model_id = item.model.model_id
            found = there.get(model_id)
            compare_model(self._report, item, found.model if found else None,
                          deleted=found is not None and found.deleted_time is not None)
            if found is not None:
                self._import_files(f"logged model {model_id}", item.model.artifact_location,
                                   found.model.artifact_location)
        self._progress("logged models", len(models))

    # Files

    def _import_files(self, who: str, source_uri: str | None, uri: str | None) -> None:
        if self._artifacts is Artifacts.NONE or not source_uri or not uri:
            return
        if source_uri == uri:
            self._count_files(who, source_uri)
            return
        try:
            with self._source.open_root(source_uri) as source, open_root(uri, self._store.uri) as destination:
                for file in copy_files(source, destination, lambda size: self._progress("bytes", size)):
                    whole = int(file.problem is None)
                    self._report.count("artifacts", here=whole)
                    self._report.count("checksums", here=whole)
                    self._report.count("bytes", file.size, here=file.size * whole)
                    if file.problem is not None:
                        self._report.differs(f"{who}: the artifact {file.path!r} did not arrive: {file.problem}")
        except MillstreamError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._report.differs(f"{who}: its artifacts cannot be read from {source_uri}: {error.message}{hint}")


    def _count_files(self, who: str, uri: str) -> None:
        """Files that stay where they lie are the same on both sides."""
        if not self._look_at_files:
            return
        try:
            with self._source.open_root(uri) as root:
                for file in root.walk():
                    self._report.count("artifacts")
                    self._report.count("bytes", file.file_size or 0)
        except MillstreamError as error:
            self._report.notes.append(f"{who}: its artifacts at {uri} cannot be seen from here: {error.message}")


def _parts(series: Series) -> Iterator[ImportedSeries]:
    for start in range(0, len(series), _POINTS_A_REQUEST):
        stop = start + _POINTS_A_REQUEST
        yield ImportedSeries(series.run_id, series.key, series.steps[start:stop].tolist(),
                             series.timestamps[start:stop].tolist(), series.values[start:stop].tolist())


def _bounded(items: Sequence[ImportedRun]) -> Iterator[list[ImportedRun]]:
    """The runs in requests of a bounded size."""
    part: list[ImportedRun] = []
    characters = 0
    for item in items:
        run = item.run
        size = 500 + sum(map(len, (*run.data.params.values(), *run.data.tags.values()))) + sum(
            len(used.dataset.source) + len(used.dataset.schema or "") + len(used.dataset.profile or "")
            for used in run.inputs.dataset_inputs
        )
        if part and characters + size > _CHARACTERS_A_REQUEST:
            yield part
            part, characters = [], 0
        part.append(item)
        characters += size
    if part:
        yield part
