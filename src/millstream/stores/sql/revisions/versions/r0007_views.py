"""Saved views of the web UI, pins, and the numbers of changes"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", Id, nullable=False),
        sa.Column("view_id", Text, nullable=False),
        sa.Column("page", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("creation_time", sa.BigInteger(), nullable=False),
        sa.Column("last_update_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("view_id", name=op.f("uq_saved_views_view_id")),
    )
    op.create_table(
        "saved_view_experiments",
        sa.Column("experiment_id", Id, nullable=False),
        sa.Column("view", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_saved_view_experiments_experiment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["view"], ["saved_views.id"], name=op.f("fk_saved_view_experiments_view"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "view", name=op.f("pk_saved_view_experiments")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_saved_view_experiments_view", "saved_view_experiments", ["view"])
    op.create_table(
        "arrangements",
        sa.Column("experiment_id", Id, autoincrement=False, nullable=False),
        sa.Column("metrics", Text, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("runs", Text, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("colours", Text, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("default_view_id", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_arrangements_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", name=op.f("pk_arrangements")),
    )
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("subject", Text, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "kind", "subject", name=op.f("pk_changes")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_runs_running", "runs", ["experiment_id"], postgresql_where=sa.text("status = 1"),
        sqlite_where=sa.text("status = 1"),
    )
