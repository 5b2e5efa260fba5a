"""Endpoints and the hosts that serve them"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("model", Id, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings", Text, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["registered_models.id"], name=op.f("fk_endpoints_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
        sa.UniqueConstraint("name", name=op.f("uq_endpoints_name")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_endpoints_model", "endpoints", ["model", "name"])
    op.create_table(
        "endpoint_events",
        sa.Column("endpoint", Id, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("version", Text, nullable=True),
        sa.Column("detail", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint"], ["endpoints.id"], name=op.f("fk_endpoint_events_endpoint"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("endpoint", "sequence", name=op.f("pk_endpoint_events")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "serving_hosts",
        sa.Column("id", Id, nullable=False),
        sa.Column("host", Text, nullable=False),
        sa.Column("address", Text, nullable=False),
        sa.Column("node", Text, nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_hosts")),
        sa.UniqueConstraint("host", name=op.f("uq_serving_hosts_host")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "serving_replicas",
        sa.Column("host", Id, nullable=False),
        sa.Column("endpoint", Id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("restarts", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=True),
        sa.Column("port", sa.BigInteger(), nullable=True),
        sa.Column("error", Text, nullable=True),
        sa.Column("log", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["host"], ["serving_hosts.id"], name=op.f("fk_serving_replicas_host"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint"], ["endpoints.id"], name=op.f("fk_serving_replicas_endpoint"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "host", "endpoint", "version", "number", name=op.f("pk_serving_replicas")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_serving_replicas_endpoint", "serving_replicas", ["endpoint"])
