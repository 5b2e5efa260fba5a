"""Comments, transition requests and rules"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _of(column: str, table: str, owner: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{owner}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.add_column("registry_activities", sa.Column("comment", Text, nullable=True))
    op.create_table(
        "registry_comments",
        sa.Column("id", Id, nullable=False),
        sa.Column("comment_id", Text, nullable=False),
        sa.Column("model", Id, nullable=False),
        sa.Column("model_version", Id, nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("comment", Text, nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        _of("model", "registered_models", "registry_comments"),
        _of("model_version", "model_versions", "registry_comments"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_comments")),
        sa.UniqueConstraint("comment_id", name=op.f("uq_registry_comments_comment_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_registry_comments_model", "registry_comments", ["model", "id"])
    op.create_index("ix_registry_comments_version", "registry_comments", ["model_version", "id"])
    op.create_table(
        "transition_requests",
        sa.Column("id", Id, nullable=False),
        sa.Column("request_id", Text, nullable=False),
        sa.Column("model", Id, nullable=False),
        sa.Column("model_version", Id, nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("from_stage", Text, nullable=False),
        sa.Column("stage", Text, nullable=False),
        sa.Column("comment", Text, nullable=True),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("decided_by", Text, nullable=True),
        sa.Column("reason", Text, nullable=True),
        _of("model", "registered_models", "transition_requests"),
        _of("model_version", "model_versions", "transition_requests"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transition_requests")),
        sa.UniqueConstraint("request_id", name=op.f("uq_transition_requests_request_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transition_requests_model", "transition_requests", ["model", "id"])
    op.create_index("ix_transition_requests_version", "transition_requests", ["model_version", "id"])
    op.create_table(
        "transition_approvals",
        sa.Column("request", Id, nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        _of("request", "transition_requests", "transition_approvals"),
        sa.PrimaryKeyConstraint("request", "user_id", name=op.f("pk_transition_approvals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_rules",
        sa.Column("model", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("rule", Text, nullable=False),
        _of("model", "registered_models", "model_rules"),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_model_rules")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_version_signatures",
        sa.Column("model_version", Id, nullable=False),
        sa.Column("signature", Text, nullable=False),
        _of("model_version", "model_versions", "model_version_signatures"),
        sa.PrimaryKeyConstraint("model_version", name=op.f("pk_model_version_signatures")),
        sqlite_with_rowid=False,
    )
