"""Registered models brought in: their files are where those of their runs and logged models went."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from millstream.artifacts.uris import join_uri
from millstream.entities.model_registry import ModelVersion, RegisteredModel
from millstream.errors import EndpointNotFound, InvalidValue, NotFound
from millstream.interop.report import Report
from millstream.interop.source import NAMED, Source
from millstream.operations import GetModelVersion, GetRegisteredModel
from millstream.operations.imports import (
    ImportedModelVersion,
    ImportedRegisteredModel,
    ImportRegisteredModels,
    ReadStored,
)
from millstream.stores.contract import Store

VERSIONS_A_REQUEST = 500
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_COPIED = re.compile(r"models:/+(?P<name>[^/@]+)[/@]")
_MODEL_FACTS = ("description", "creation_timestamp", "last_updated_timestamp")
_VERSION_FACTS = ("description", "creation_timestamp", "current_stage", "run_id", "user_id", "run_link")


class Registering:
    """Brings the registered models of ``source`` into ``store``, and tells ``report`` what arrived.

    ``moved`` says whether files went to the destination's own places; others stay where they lie.
    """

    def __init__(
        self, source: Source, store: Store, report: Report, *, moved: bool, overwrite: bool,
        progress: Callable[[str, int], None],
    ) -> None:
        self._source = source
        self._store = store
        self._report = report
        self._moved = moved
        self._overwrite = overwrite
        self._progress = progress
        self._roots: dict[str, tuple[str, str] | None] = {}  # an id → where its files were, and where they are

    def run(self) -> None:
        """Carry it out, model by model; a model that is refused is a difference."""
        before: dict[str, bool] = {}  # by name: whether it was here, of those that are counted
        for item in self._in_order():
            name = item.model.name
            first = name not in before
            known = before.setdefault(name, self._there(name) is not None)
            versions = [self._placed(one) for one in item.versions]
            try:
                # With the last part of the versions, so that what an alias stands for is there.
                bare = replace(item.model, alias_list=[])
                for start in range(0, len(versions), VERSIONS_A_REQUEST):
                    self._send(bare, versions[start:start + VERSIONS_A_REQUEST])
                self._send(item.model, [], item.last_version)
            except EndpointNotFound:
                self._report.notes.append("the destination takes no registered models; they are left out")
                return
            except InvalidValue as error:
                self._report.differs(f"the registered model {name!r} is refused: {error.message}")
                self._report.count("registered models", int(first), here=0)
                self._report.count("model versions", len(versions), here=0)
                continue
            self._compare(item, first=first, known=known)
            self._progress("registered models", int(first))

    def _in_order(self) -> Iterator[ImportedRegisteredModel]:
        """What the source has, copies of versions of other models behind those."""
        done: set[str] = set()
        waiting: list[ImportedRegisteredModel] = []
        for item in self._source.registered_models():
            if _copied_from(item) <= done:
                done.add(item.model.name)
                yield item
            else:
                waiting.append(item)
        while waiting:
            # Of copies in a circle, which nobody can untangle, the first goes first.
            item = next((one for one in waiting if _copied_from(one) <= done), waiting[0])
            waiting.remove(item)
            done.add(item.model.name)
            yield item

    def _send(self, model: RegisteredModel, versions: list[ImportedModelVersion], last_version: int = 0) -> None:
        sent = ImportedRegisteredModel(replace(model, latest_versions=[]), versions, last_version)
        self._store.execute(ImportRegisteredModels([sent], overwrite=self._overwrite))

    def _there(self, name: str) -> RegisteredModel | None:
        try:
            return self._store.execute(GetRegisteredModel(name)).registered_model
        except NotFound:
            return None

    # Places

    def _placed(self, one: ImportedModelVersion) -> ImportedModelVersion:
        """The version with its place here. One that is named by its run or logged model is looked up by the store."""
        version, place = replace(one.version, aliases=[], params=None, metrics=None), one.location or ""
        if place.startswith(NAMED):
            return ImportedModelVersion(version, None if place == version.source else self._named(place))
        found = _MODEL_ID.search(version.source or "") or _MODEL_ID.search(place)
        ids = [version.model_id or (found.group() if found else ""), version.run_id or ""]
        for owner in filter(None, ids):
            roots = self._roots_of(owner)
            if roots and (place == roots[0] or place.startswith(roots[0].rstrip("/") + "/")):
                here = join_uri(roots[1], place[len(roots[0]):].strip("/"))
                source = here if version.source and not version.source.startswith(NAMED) else version.source
                return ImportedModelVersion(replace(version, source=source), here)
        return ImportedModelVersion(version, place or None)

    def _named(self, place: str) -> str | None:
        """A place that names a logged model, for a version whose source is another one's number."""
        found = _MODEL_ID.search(place)
        roots = self._roots_of(found.group()) if found else None
        return roots[1] if roots else None

    def _roots_of(self, owner: str) -> tuple[str, str] | None:
        if owner not in self._roots:
            is_model = _MODEL_ID.fullmatch(owner) is not None
            before = self._source.root_of_model(owner) if is_model else self._source.root_of_run(owner)
            asked = ReadStored(model_ids=[owner]) if is_model else ReadStored(run_ids=[owner])
            stored = self._store.execute(asked)
            after = [one.model.info.artifact_uri for one in stored.models]
            after += [one.run.info.artifact_uri or "" for one in stored.runs]
            self._roots[owner] = (before, after[0] if self._moved else before) if before and after else None
        return self._roots[owner]

    # Comparing

    def _compare(self, item: ImportedRegisteredModel, *, first: bool, known: bool) -> None:
        """Count what is there as it was sent. A model that was here before keeps its own words: that is a note."""
        name, there = item.model.name, self._there(item.model.name)
        who = f"registered model {name!r}"
        facts = () if known and not self._overwrite else _MODEL_FACTS
        said = [] if there is None else _differences(who, facts, item.model, there)
        if there is not None:
            for what, sent, here in (
                ("tag", item.model.tags, there.tags), ("alias", item.model.aliases, there.aliases)
            ):
                said += [f"{who}: the {what} {key!r} is {here.get(key)!r} here, {value!r} in the source"
                         for key, value in sent.items() if here.get(key) != value]
        self._tell(said, known)
        if first:
            self._report.count("registered models", here=int(there is not None and (known or not said)))
        for one in item.versions:
            self._compare_version(one.version, known)

    def _compare_version(self, sent: ModelVersion, known: bool) -> None:
        who = f"version {sent.version} of the registered model {sent.name!r}"
        try:
            there = self._store.execute(GetModelVersion(sent.name, sent.version)).model_version
        except NotFound:
            self._report.differs(f"{who} is not here")
            self._report.count("model versions", here=0)
            return
        said = _differences(who, _VERSION_FACTS, sent, there)
        said += [f"{who}: the tag {key!r} is {there.tags.get(key)!r} here, {value!r} in the source"
                 for key, value in sent.tags.items() if there.tags.get(key) != value]
        self._tell(said, known)
        self._report.count("model versions", here=int(known or not said))

    def _tell(self, said: list[str], known: bool) -> None:
        for difference in said:
            if known:
                self._report.notes.append(f"{difference}; it was here before and stays as it is")
            else:
                self._report.differs(difference)


def _copied_from(item: ImportedRegisteredModel) -> set[str]:
    """The names of the other registered models that versions were copied from."""
    found = (_COPIED.match(one.version.source or "") for one in item.versions)
    return {copy["name"] for copy in found if copy} - {item.model.name}


def _differences(who: str, names: tuple[str, ...], sent: object, there: object) -> list[str]:
    return [
        f"{who}: its {name} is {getattr(there, name)!r} here, {getattr(sent, name)!r} in the source" for name in names
        if (getattr(sent, name) or None) not in (None, getattr(there, name) or None)
    ]
