"""Jobs of Kubernetes: a template that a user wrote, and the manifest of one run. Pure: nothing is read or sent."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from millstream.errors import InvalidValue

__all__ = ["LABEL", "job_name", "label_of", "labels_of", "manifest"]

LABEL = "millstream.run_id"
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LONGEST = 63  # of a DNS label, which names of jobs are: their pods carry it as a label


def manifest(
    template: Any, shown: str, *, name: str, container: str, image: str, command: Sequence[str],
    variables: Mapping[str, str], labels: Mapping[str, str], namespace: str | None = None,
) -> dict[str, Any]:
    """The manifest of a job: the template with the name, and with image, command and variables in its first container.

    Whatever else the template says stays: resources, node selectors, volumes, further containers, variables from
    secrets. What it leaves open is decided for a training: a pod is not restarted, and a failed one not replaced.
    Raises InvalidValue, naming ``shown`` and the field, for a template that is no job of batch/v1.
    """
    made: dict[str, Any] = copy.deepcopy(_mapping(template, shown, "the file"))
    for field, wanted in (("apiVersion", "batch/v1"), ("kind", "Job")):
        if made.get(field, wanted) != wanted:
            _wrong(shown, field, f"it is {made[field]!r}, and a job's is {wanted!r}")
        made[field] = wanted
    metadata = made["metadata"] = dict(_mapping(made.get("metadata") or {}, shown, "metadata"))
    metadata.pop("generateName", None)
    metadata["name"] = name
    metadata["namespace"] = namespace or metadata.get("namespace") or "default"
    spec = _mapping(made.get("spec"), shown, "spec")
    spec.setdefault("backoffLimit", 0)
    pod = _mapping(spec.get("template"), shown, "spec.template")
    for where, holder in (("metadata", made), ("spec.template.metadata", pod)):
        told = holder["metadata"] = dict(_mapping(holder.get("metadata") or {}, shown, where))
        told["labels"] = {**_mapping(told.get("labels") or {}, shown, f"{where}.labels"), **labels}
    inner = _mapping(pod.get("spec"), shown, "spec.template.spec")
    inner.setdefault("restartPolicy", "Never")
    containers = inner.get("containers")
    if not isinstance(containers, list) or not containers:
        _wrong(shown, "spec.template.spec.containers", "a job has a container at least")
    first = _mapping(containers[0], shown, "spec.template.spec.containers[0]")
    first["name"] = container
    first["image"] = image
    first["command"] = list(command)
    first.pop("args", None)
    given = first.get("env") or []
    if not isinstance(given, list):
        _wrong(shown, "spec.template.spec.containers[0].env", "a list is expected")
    kept = [one for one in given if not (isinstance(one, dict) and one.get("name") in variables)]
    first["env"] = [*kept, *({"name": each, "value": value} for each, value in variables.items())]
    return made


def job_name(project: str | None, run_id: str) -> str:
    """A name for a job of a run, which no other has: lower-case letters, digits and dashes, 63 at most."""
    tail = f"-{label_of(run_id)[:8]}-{secrets.token_hex(3)}"
    return label_of(project)[:_LONGEST - len(tail)].rstrip("-") + tail


def label_of(text: str | None) -> str:
    """A text as Kubernetes takes names of containers and jobs (DNS-1123 labels)."""
    plain = re.sub(r"[^a-z0-9]+", "-", (text or "").lower()).strip("-")[:_LONGEST].strip("-")
    return plain or "project"


def labels_of(run_id: str) -> dict[str, str]:
    """The label that finds a run's job and pods; none for a run id that is no value of a label."""
    return {LABEL: run_id} if _LABEL_VALUE.fullmatch(run_id) else {}


def _mapping(value: Any, shown: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _wrong(shown, where, f"names with values are expected, not {type(value).__name__ if value else 'nothing'}")
    return value


def _wrong(shown: str, where: str, reason: str) -> NoReturn:
    raise InvalidValue(f"the job template {shown}: {where}: {reason}",
                       hint="it is the YAML of a Job of batch/v1; docs/guides/backends.md has one to start from")
