"""``millstream env``: the virtual environments that were built for models and projects."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from millstream.cli.garbage import milliseconds
from millstream.cli.output import bytes_text, say, show_json, show_table, time_text, with_json, with_tracking_uri
from millstream.errors import InvalidValue, NotFound

if TYPE_CHECKING:
    from millstream.environments.building import Built


@click.group()
def env() -> None:
    """Look after the environments that were built for models and projects."""


@env.command("list")
@with_json
def list_(as_json: bool) -> None:
    """List the environments, the one used last first.

    Bytes count every file; most are shared with uv's cache.
    """
    from millstream.environments import building

    found = [(one, building.size_of(one)) for one in building.built()]
    if as_json:
        show_json([{"key": one.key, "path": str(one.path), "python": one.python_version, "created": one.created,
                    "last_used": one.last_used, "bytes": size, "requirements": _shown(one)}
                   for one, size in found])
        return
    show_table(["Environment", "Python", "Last used", "Bytes", "Requirements"], [
        [one.key, one.python_version, time_text(round(one.last_used * 1000)), bytes_text(size),
         ", ".join(line.partition(" --hash")[0] for line in _shown(one))]
        for one, size in found
    ], right=["Bytes"])


def _shown(environment: Built) -> list[str]:
    """Its requirements, without the passwords of package indexes."""
    return [re.sub(r"(?<=://)[^/@\s]+:[^/@\s]+(?=@)", "…", line) for line in environment.requirements]


@env.command()
@click.option("--older-than", metavar="SPAN",
              help="Those that were not used for so long: 30d, 1d12h, 0s.  [default: 30d without --max-size]")
@click.option("--max-size", metavar="SIZE",
              help="Those used longest ago, until all together are no bigger: 20GB, 500MB.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would go.")
def gc(older_than: str | None, max_size: str | None, dry_run: bool) -> None:
    """Remove environments that were not used for some time, or the oldest of too many; those in use stay.

    They are built again when they are needed. Status 1 says that one in use had to stay.
    """
    from millstream.environments import building

    if older_than is None and max_size is None:
        older_than = "30d"
    before = None if older_than is None else time.time() - milliseconds(older_than) / 1000
    most = None if max_size is None else _bytes(max_size)
    found = [(one, building.size_of(one)) for one in building.built()]
    total, gone = 0, []
    for one, size in found:  # the one used last first
        total += size
        if (before is not None and one.last_used <= before) or (most is not None and total > most):
            gone.append((one, size))
    stayed = _removed(gone, dry_run)
    if not dry_run:
        building.sweep()
    if stayed:
        sys.exit(1)


@env.command()
@click.argument("keys", nargs=-1, required=True)
def remove(keys: tuple[str, ...]) -> None:
    """Remove environments by the names that `millstream env list` shows.

    Status 1 says that one in use had to stay.
    """
    from millstream.environments import building

    known = {one.key: one for one in building.built()}
    missing = [key for key in keys if key not in known]
    if missing:
        raise NotFound(f"there is no environment {', '.join(missing)}", hint="see `millstream env list`")
    if _removed([(known[key], building.size_of(known[key])) for key in dict.fromkeys(keys)], dry_run=False):
        sys.exit(1)


def _removed(environments: Sequence[tuple[Built, int]], dry_run: bool) -> int:
    """Remove environments, the last first, telling of each; how many had to stay."""
    from millstream.environments import building

    removed = freed = stayed = 0
    for one, size in reversed(environments):
        if dry_run or building.remove(one):
            removed, freed = removed + 1, freed + size
            say(f"{one.key}: {f'Python {one.python_version}' if one.python_version else 'conda'}, {bytes_text(size)}")
        else:
            stayed += 1
            say(f"{one.key} stays: a process uses it")
    say(f"{'would remove' if dry_run else 'removed'} {removed} environment{'' if removed == 1 else 's'}, "
        f"{bytes_text(freed)}")
    return stayed


def _bytes(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    if found is None:
        raise InvalidValue.of("--max-size", text, "it is no size", hint="write 500MB, 20GB or 20GiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2].upper() or " "))


@env.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--env-manager", "manager", metavar="NAME", help="uv (the default), virtualenv or conda.")
def build(folder: str, manager: str | None) -> None:
    """Build the environment of the project in FOLDER, unless it is there, and print its folder.

    The project is described by an MLproject file, or by python_env.yaml, conda.yaml, requirements.txt or
    pyproject.toml.
    """
    from millstream.environments.descriptions import describe
    from millstream.environments.preparing import managed, prepare
    from millstream.projects.native import project_in

    project = project_in(Path(folder))
    described = describe(folder, python_env=project.python_env, conda_env=project.conda_env)
    if described is None:
        raise NotFound(f"no file in {Path(folder).absolute()} says what environment its code needs",
                       hint="add a requirements.txt or a python_env.yaml")
    print(prepare(described, manager=managed(manager)).path)


@env.command()
@click.argument("model_uri", required=False)
@click.option("--build", is_flag=True, help="Build it if it is not there.")
@with_tracking_uri
def path(model_uri: str | None, build: bool, tracking_uri: str | None) -> None:
    """Print the folder of a model's environment, or of all environments.

    Status 1 says that the model's environment is not built yet.
    """
    from millstream.environments import building

    if model_uri is None:
        print(building.environments_folder())
        return
    from millstream.flavors.isolated import built_for, environment_of
    from millstream.flavors.loading import fetch
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    folder = fetch(model_uri)
    wanted = environment_of(folder)
    if build:
        print(built_for(folder, wanted).path)
        return
    place = building.environments_folder() / building.key_of(wanted)
    print(place)
    if not any(one.path == place for one in building.built()):
        say("it is not built yet; --build does that")
        sys.exit(1)
