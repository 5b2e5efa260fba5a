"""The tables of webhooks.

A delivery is written in the transaction of the change that it tells of, with the text that will be sent. A lane is what
one webhook hears of one registered model: its deliveries go out one after the other, in the order of their numbers.
``due_time`` of a lane is when its next delivery may be tried, NULL when nothing waits; ``lease_until`` is until when
one process has it to itself. ``secret`` and ``authorization`` are encrypted when there is a key to do it with.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, text

from millstream.stores.sql.schema import Id, Text, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("url", Text, nullable=False),
    # Names of events, separated by commas.
    Column("events", Text, nullable=False),
    # The name of the registered model that it is about; NULL for all of them.
    Column("model", Text),
    Column("status", Text, nullable=False),
    Column("payload_format", Text, nullable=False),
    Column("secret", Text),
    Column("authorization", Text),
    Column("verify_tls", Boolean, nullable=False, server_default=text("true")),
    # The job that is started at a workspace, whose address is ``url``; NULL for a plain call.
    Column("job_id", Text),
    Column("creator", Text),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_webhooks_model", webhooks.c.model)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Text, nullable=False, unique=True),
    Column("webhook", Id, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("lane", Text, nullable=False),
    Column("model", Text),
    Column("event", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("tries", BigInteger, nullable=False, server_default=text("0")),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_try_time", BigInteger),
    # When it may be tried; NULL when it is done with.
    Column("next_try_time", BigInteger),
    Column("answer_status", BigInteger),
    Column("answer_excerpt", Text),
    Column("error", Text),
    # The delivery_id of the one that this is sent for again.
    Column("replay_of", Text),
    sqlite_autoincrement=True,
)
Index(
    "ix_webhook_deliveries_lane",
    webhook_deliveries.c.webhook,
    webhook_deliveries.c.lane,
    webhook_deliveries.c.status,
    webhook_deliveries.c.id,
)
Index("ix_webhook_deliveries_status", webhook_deliveries.c.status, webhook_deliveries.c.id)
Index("ix_webhook_deliveries_last_try_time", webhook_deliveries.c.last_try_time)
Index("ix_webhook_deliveries_model", webhook_deliveries.c.model, webhook_deliveries.c.id)

webhook_lanes = Table(
    "webhook_lanes",
    metadata,
    Column("webhook", Id, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("lane", Text, nullable=False),
    Column("due_time", BigInteger),
    Column("lease_until", BigInteger),
    Column("holder", Text),
    PrimaryKeyConstraint("webhook", "lane"),
    sqlite_with_rowid=False,
)
Index("ix_webhook_lanes_due", webhook_lanes.c.due_time)
