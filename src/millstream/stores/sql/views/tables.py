"""The tables of saved views, of what is pinned, and of changes.

``changes`` is a log of who was changed, not of what: one row a transaction and thing. ``seq`` orders transactions: a
count on SQLite, where one writes at a time, the transaction's own number on PostgreSQL. A row of the empty kind says up
to which number the log was cut.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, text

from millstream.stores.sql.schema import Id, Text, metadata, runs

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", Id, primary_key=True),
    Column("view_id", Text, nullable=False, unique=True),
    Column("page", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("creation_time", BigInteger, nullable=False),
    Column("last_update_time", BigInteger, nullable=False),
)

saved_view_experiments = Table(
    "saved_view_experiments",
    metadata,
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("view", Id, ForeignKey("saved_views.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("experiment_id", "view"),
    sqlite_with_rowid=False,
)
Index("ix_saved_view_experiments_view", saved_view_experiments.c.view)

# Lists as JSON text: they are read and written whole.
arrangements = Table(
    "arrangements",
    metadata,
    Column(
        "experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("metrics", Text, nullable=False, server_default=text("'[]'")),
    Column("runs", Text, nullable=False, server_default=text("'[]'")),
    Column("colours", Text, nullable=False, server_default=text("'[]'")),
    Column("default_view_id", Text),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("seq", "kind", "subject"),
    sqlite_with_rowid=False,
)

# How many runs of each experiment are under way, without a look at all the others.
Index(
    "ix_runs_running",
    runs.c.experiment_id,
    postgresql_where=runs.c.status == 1,
    sqlite_where=runs.c.status == 1,
)
