"""Which kind of source a text names, and which one a recorded source is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import InvalidValue, NotFound
from millstream.plugins import load_all

if TYPE_CHECKING:
    from millstream.data.dataset import Dataset
    from millstream.entities import Dataset as DatasetEntity
    from millstream.entities import DatasetInput

GROUPS = ("millstream.dataset_source", "mlflow.dataset_source")

_registered: list[type[DatasetSource]] = []


def register_dataset_source(source: type[DatasetSource]) -> None:
    """Let texts and recorded sources be of the kind ``source``; the last one registered is asked first."""
    _registered.insert(0, source)


def get_registered_sources() -> list[type[DatasetSource]]:
    """Every kind of source, in the order in which they are asked: registered, from plug-ins, our own."""
    from millstream.data.sources import BUILT_IN

    return [*_registered, *(kind for _, kind in load_all(*GROUPS)), *BUILT_IN]


def resolve_dataset_source(
    raw_source: Any, candidate_sources: list[type[DatasetSource]] | None = None
) -> DatasetSource:
    """The source that ``raw_source`` (a path, an address) names.

    Only the kinds of ``candidate_sources`` are asked when they are given. Raises NotFound when no kind knows it.
    """
    kinds = get_registered_sources()
    for kind in kinds:
        if candidate_sources and not issubclass(kind, tuple(candidate_sources)):
            continue
        if kind._can_resolve(raw_source):
            return kind._resolve(raw_source)
    raise NotFound(
        f"no kind of dataset source knows {raw_source!r}",
        hint="give a path, an address such as https://… or s3://…, or a DatasetSource",
    )


def get_dataset_source_from_json(source_json: str, source_type: str) -> DatasetSource:
    """The source with a recorded type and text. Raises NotFound for an unknown type, InvalidValue for another text."""
    for kind in get_registered_sources():
        if kind._get_source_type() == source_type:
            return kind.from_json(source_json)
    raise NotFound(
        f"no kind of dataset source has the type {source_type!r}",
        hint="install the plug-in that recorded it; it registers under the entry point millstream.dataset_source",
    )


def source_of(source: Any) -> DatasetSource:
    """``source`` itself, what it names, or for None the running code, with the tags that its runs get."""
    if source is None:
        from millstream.data.code_dataset_source import CodeDatasetSource
        from millstream.tracking.context import collect_tags

        return CodeDatasetSource(tags=collect_tags())
    return source if isinstance(source, DatasetSource) else resolve_dataset_source(source)


def get_source(dataset: Dataset | DatasetEntity | DatasetInput) -> DatasetSource:
    """The source of a data set, also of one that a run recorded. Raises InvalidValue for anything else, NotFound for a
    recorded type that nothing here knows."""
    from millstream.data.dataset import Dataset
    from millstream.entities import Dataset as DatasetEntity
    from millstream.entities import DatasetInput

    if isinstance(dataset, DatasetInput):
        dataset = dataset.dataset
    if isinstance(dataset, DatasetEntity):
        return get_dataset_source_from_json(dataset.source, dataset.source_type)
    if isinstance(dataset, Dataset):
        return dataset.source
    raise InvalidValue.of("dataset", dataset, "expected a dataset, or one that a run recorded")
