"""``millstream db``: the tables of a database."""

from __future__ import annotations

from pathlib import Path

import click

from millstream.cli.output import say
from millstream.errors import InvalidValue


@click.group()
def db() -> None:
    """Look after the tables of a database."""


@db.command()
@click.argument("uri")
def upgrade(uri: str) -> None:
    """Bring the tables of the database at URI to what this version needs; back the database up before.

    URI is sqlite:///file.db, postgresql://…, or a folder that keeps a store.
    """
    from millstream import settings
    from millstream.stores.opening import DATABASE_NAME, DEFAULT_URI, folder_of, scheme_of
    from millstream.stores.sql.database import Database
    from millstream.stores.sql.migrations import HEAD_REVISION
    from millstream.stores.sql.migrations import upgrade as bring_up

    root = settings.ARTIFACT_ROOT.get() or str(Path(DEFAULT_URI).absolute())
    if scheme_of(uri) in ("", "file"):
        root = str(folder_of(uri))
        uri = f"sqlite:///{root}/{DATABASE_NAME}"
    database = Database(uri)
    shown = database.url.render_as_string(hide_password=True)
    try:
        if database.is_sqlite and not database.path.is_file():
            raise InvalidValue(f"there is no database at {shown}",
                               hint="a new one needs no upgrade: it is made when it is first opened")
        before = bring_up(database, root)
    finally:
        database.close()
    if before == HEAD_REVISION:
        say(f"{shown} has the tables of revision {HEAD_REVISION} already")
    elif before:
        say(f"{shown} went from revision {before} to {HEAD_REVISION}")
    else:
        say(f"{shown} was empty; it has the tables of revision {HEAD_REVISION} now")
