"""What a backend is given: one entry point of a project, with everything that was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.environments.descriptions import Description
    from millstream.projects.commands import Command
    from millstream.projects.files import DockerEnvironment, EntryPoint, ProjectFile
    from millstream.projects.sources import Source

__all__ = ["Job", "variables_of"]


@dataclass(frozen=True)
class Job:
    """An entry point that is ready to run, and the run that it is recorded in.

    The run is there already, with the parameters and tags; a backend starts the command and says how it ended.

    ``tracking_uri`` is the store as this process knows it. ``variables`` is what the command is to find in its
    environment beside what is there anyway: the store, the run and the experiment under the names of MLflow and ours;
    for a backend of this machine they name the store by an address that every client understands. ``parameters`` are
    those of the run, defaults included, as they were given: the ``command`` has local paths for those of type ``path``
    that a backend of this machine had fetched. ``environment`` is None where the command runs in what is there.
    ``paths`` are the places on this machine that parameters of type ``path`` name there. ``folder`` is the working
    directory, on this machine. ``docker_args`` maps options of ``docker run`` to values, True for flags.
    """

    run_id: str
    experiment_id: str
    tracking_uri: str
    source: Source
    project: ProjectFile
    entry_point: EntryPoint
    parameters: Mapping[str, str]
    command: Command
    environment: Description | DockerEnvironment | None
    environment_manager: str
    variables: Mapping[str, str]
    folder: Path
    backend_config: Mapping[str, Any] = field(default_factory=dict)
    docker_args: Mapping[str, Any] = field(default_factory=dict)
    build_image: bool = False
    docker_auth: Mapping[str, Any] | None = None
    paths: tuple[str, ...] = ()


def variables_of(
    address: str, run_id: str, experiment_id: str, entry_point: str, *, is_served: bool = False
) -> dict[str, str]:
    """What tells a command where it logs to, under the names of MLflow and ours; ``address`` is the store's.

    ``is_served`` says that it ends with the run: pages at it are of no use to anybody.
    """
    named = {"TRACKING_URI": address, "RUN_ID": run_id, "EXPERIMENT_ID": experiment_id}
    if is_served:
        named["SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    twins = {f"{prefix}_{name}": text for name, text in named.items() for prefix in ("MLFLOW", "MILLSTREAM")}
    return {**twins, "MILLSTREAM_PROJECT_ENTRY_POINT": entry_point}
