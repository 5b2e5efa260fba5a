"""The registered models in a folder that MLflow's file store has written.

``models/<name>/meta.yaml``, with ``tags/`` and ``aliases/`` (a file each), and ``version-<number>/`` with the same two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from millstream.entities.model_registry import (
    ModelVersion,
    ModelVersionStatus,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from millstream.interop.source import NAMED, is_prompt, left_behind
from millstream.operations.imports import ImportedModelVersion, ImportedRegisteredModel

_DELETED = "Deleted_Internal"
_VERSION = re.compile(r"version-(?P<number>[1-9]\d{0,17})")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")

Meta = Callable[[Path], dict[str, Any]]
Texts = Callable[[Path], Iterator[tuple[str, str]]]


def read_registry(
    folders: list[Path], meta: Meta, texts: Texts, place: Callable[[str], str], notes: list[str]
) -> Iterator[ImportedRegisteredModel]:
    """The registered models in these folders.

    ``meta`` reads what a folder's ``meta.yaml`` says, ``texts`` the files below one, ``place`` makes an address
    absolute; ``notes`` is told what is left out.
    """
    prompts = 0
    for folder in folders:
        facts = meta(folder)
        if not facts:
            continue
        model = RegisteredModel(
            name=str(facts.get("name", folder.name)),
            creation_timestamp=facts.get("creation_timestamp"),
            last_updated_timestamp=facts.get("last_updated_timestamp"),
            description=facts.get("description") or None,
            tag_list=[RegisteredModelTag(key, text) for key, text in texts(folder / "tags")],
            alias_list=[RegisteredModelAlias(key, text.strip()) for key, text in texts(folder / "aliases")],
        )
        if is_prompt(model):
            prompts += 1
        elif _MODEL_ID.fullmatch(model.name):
            notes.append(f"the registered model {model.name!r} is left out: its name is that of a logged model here")
        else:
            found = (_VERSION.fullmatch(one.name) for one in folder.iterdir())
            numbers = sorted(int(name["number"]) for name in found if name)
            made = [_version(model.name, folder / f"version-{number}", meta, texts, place, notes) for number in numbers]
            yield ImportedRegisteredModel(model, [one for one in made if one], max(numbers, default=0))
    if prompts:
        notes.append(left_behind(prompts, "prompt"))


def _version(
    name: str, folder: Path, meta: Meta, texts: Texts, place: Callable[[str], str], notes: list[str]
) -> ImportedModelVersion | None:
    facts = meta(folder)
    if not facts or facts.get("current_stage") == _DELETED:
        return None
    number = folder.name.partition("-")[2]
    if facts.get("status", ModelVersionStatus.READY) not in (ModelVersionStatus.READY, None):
        notes.append(f"version {number} of the registered model {name!r} is {facts['status']}: it is left out")
        return None
    version = ModelVersion(
        name=name,
        version=number,
        creation_timestamp=int(facts.get("creation_timestamp") or 0),
        last_updated_timestamp=facts.get("last_updated_timestamp"),
        description=facts.get("description") or "",
        user_id=facts.get("user_id") or None,
        current_stage=facts.get("current_stage") or "None",
        source=facts.get("source"),
        run_id=facts.get("run_id") or "",
        tag_list=[ModelVersionTag(key, text) for key, text in texts(folder / "tags")],
        run_link=facts.get("run_link") or "",
        model_id=facts.get("model_id") or None,
    )
    where = str(facts.get("storage_location") or facts.get("source") or "")
    return ImportedModelVersion(version, where if where.startswith(NAMED) else place(where))
