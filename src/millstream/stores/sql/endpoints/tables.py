"""The tables of serving endpoints.

An endpoint goes with its registered model, and replicas with their endpoint and with their host. ``settings`` of an
endpoint is the JSON of what is desired of it; ``log`` of a replica its last lines. ``version`` of a replica is a number
that the model may not have any more: it runs until its requests are answered.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, text

from millstream.stores.sql.schema import Id, Text, metadata

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("settings", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False, server_default=text("0")),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_endpoints_model", endpoints.c.model, endpoints.c.name)

endpoint_events = Table(
    "endpoint_events",
    metadata,
    Column("endpoint", Id, ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("version", Text),
    Column("detail", Text),
    PrimaryKeyConstraint("endpoint", "sequence"),
    sqlite_with_rowid=False,
)

serving_hosts = Table(
    "serving_hosts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", Text, nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

serving_replicas = Table(
    "serving_replicas",
    metadata,
    Column("host", Id, ForeignKey("serving_hosts.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint", Id, ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("restarts", BigInteger, nullable=False),
    Column("pid", BigInteger),
    Column("port", BigInteger),
    Column("error", Text),
    Column("log", Text),
    PrimaryKeyConstraint("host", "endpoint", "version", "number"),
    sqlite_with_rowid=False,
)
Index("ix_serving_replicas_endpoint", serving_replicas.c.endpoint)
