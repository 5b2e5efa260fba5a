"""Webhooks and their deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", Id, nullable=False),
        sa.Column("webhook_id", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("description", Text, nullable=True),
        sa.Column("url", Text, nullable=False),
        sa.Column("events", Text, nullable=False),
        sa.Column("model", Text, nullable=True),
        sa.Column("status", Text, nullable=False),
        sa.Column("payload_format", Text, nullable=False),
        sa.Column("secret", Text, nullable=True),
        sa.Column("authorization", Text, nullable=True),
        sa.Column("verify_tls", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("job_id", Text, nullable=True),
        sa.Column("creator", Text, nullable=True),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("webhook_id", name=op.f("uq_webhooks_webhook_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhooks_model", "webhooks", ["model"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("delivery_id", Text, nullable=False),
        sa.Column("webhook", Id, nullable=False),
        sa.Column("lane", Text, nullable=False),
        sa.Column("model", Text, nullable=True),
        sa.Column("event", Text, nullable=False),
        sa.Column("payload", Text, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_try_time", sa.BigInteger(), nullable=True),
        sa.Column("next_try_time", sa.BigInteger(), nullable=True),
        sa.Column("answer_status", sa.BigInteger(), nullable=True),
        sa.Column("answer_excerpt", Text, nullable=True),
        sa.Column("error", Text, nullable=True),
        sa.Column("replay_of", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_webhook_deliveries_delivery_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_deliveries_lane", "webhook_deliveries", ["webhook", "lane", "status", "id"])
    op.create_index("ix_webhook_deliveries_status", "webhook_deliveries", ["status", "id"])
    op.create_index("ix_webhook_deliveries_last_try_time", "webhook_deliveries", ["last_try_time"])
    op.create_index("ix_webhook_deliveries_model", "webhook_deliveries", ["model", "id"])
    op.create_table(
        "webhook_lanes",
        sa.Column("webhook", Id, nullable=False),
        sa.Column("lane", Text, nullable=False),
        sa.Column("due_time", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("holder", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook"], ["webhooks.id"], name=op.f("fk_webhook_lanes_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("webhook", "lane", name=op.f("pk_webhook_lanes")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_webhook_lanes_due", "webhook_lanes", ["due_time"])
