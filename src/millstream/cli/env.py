"""``millstream env``: the virtual environments that were built for models and projects."""

from __future__ import annotations

import sys
import time

import click

from millstream.cli.garbage import milliseconds
from millstream.cli.output import bytes_text, say, show_json, show_table, time_text, with_json, with_tracking_uri


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
                    "last_used": one.last_used, "bytes": size, "requirements": one.requirements}
                   for one, size in found])
        return
    show_table(["Environment", "Python", "Last used", "Bytes", "Requirements"], [
        [one.key, one.python_version, time_text(round(one.last_used * 1000)), bytes_text(size),
         ", ".join(one.requirements)]
        for one, size in found
    ], right=["Bytes"])


@env.command()
@click.option("--older-than", metavar="SPAN", default="30d", show_default=True,
              help="Only those that were not used for so long: 30d, 1d12h, 0s.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would go.")
def gc(older_than: str, dry_run: bool) -> None:
    """Remove environments that were not used for some time; those in use stay.

    They are built again when they are needed. Status 1 says that one in use had to stay.
    """
    from millstream.environments import building

    before = time.time() - milliseconds(older_than) / 1000
    removed = freed = stayed = 0
    for one in building.built():
        if one.last_used > before:
            continue
        size = building.size_of(one)
        if dry_run or building.remove(one):
            removed, freed = removed + 1, freed + size
            say(f"{one.key}: Python {one.python_version}, {bytes_text(size)}")
        else:
            stayed += 1
            say(f"{one.key} stays: a process uses it")
    if not dry_run:
        building.sweep()
    say(f"{'would remove' if dry_run else 'removed'} {removed} environment{'' if removed == 1 else 's'}, "
        f"{bytes_text(freed)}")
    if stayed:
        sys.exit(1)


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
