"""The registry"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "registered_models",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("description", Text, nullable=True),
        sa.Column("creator", Text, nullable=True),
        sa.Column("last_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("activities", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("activity_hash", Text, server_default=sa.text("''"), nullable=False),
        sa.Column("activity_time", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_models")),
        sa.UniqueConstraint("name", name=op.f("uq_registered_models_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_registered_models_updated", "registered_models", [sa.text("last_updated_timestamp DESC"), "name"]
    )
    op.create_table(
        "registered_model_tags",
        sa.Column("model", Id, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["registered_models.id"], name=op.f("fk_registered_model_tags_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_registered_model_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("model", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("creation_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("last_updated_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("description", Text, nullable=True),
        sa.Column("user_id", Text, nullable=True),
        sa.Column("stage", Text, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("location", Text, nullable=False),
        sa.Column("run_id", Text, nullable=True),
        sa.Column("run_link", Text, nullable=True),
        sa.Column("model_id", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["model"], ["registered_models.id"], name=op.f("fk_model_versions_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_model_versions_version", "model_versions", ["model", "version"], unique=True)
    op.create_index("ix_model_versions_stage", "model_versions", ["model", "stage", "version"])
    op.create_index(
        "ix_model_versions_updated",
        "model_versions",
        [sa.text("last_updated_timestamp DESC"), "name", sa.text("version DESC")],
    )
    op.create_index(
        "ix_model_versions_name",
        "model_versions",
        ["name", sa.text("last_updated_timestamp DESC"), sa.text("version DESC")],
    )
    op.create_index("ix_model_versions_run_id", "model_versions", ["run_id"])
    op.create_index("ix_model_versions_model_id", "model_versions", ["model_id"])
    op.create_index("ix_model_versions_location", "model_versions", [sa.text("substr(location, 1, 128)")])
    op.create_table(
        "model_version_tags",
        sa.Column("model_version", Id, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_versions.id"],
            name=op.f("fk_model_version_tags_model_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version", "key", name=op.f("pk_model_version_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registered_model_aliases",
        sa.Column("model", Id, nullable=False),
        sa.Column("alias", Text, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["registered_models.id"], name=op.f("fk_registered_model_aliases_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_registered_model_aliases")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_activities",
        sa.Column("model", Id, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("user_id", Text, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("key", Text, nullable=True),
        sa.Column("old_value", Text, nullable=True),
        sa.Column("new_value", Text, nullable=True),
        sa.Column("others", Text, nullable=True),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("previous_hash", Text, nullable=False),
        sa.Column("hash", Text, nullable=False),
        sa.PrimaryKeyConstraint("model", "sequence", name=op.f("pk_registry_activities")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_registry_activities_name", "registry_activities", ["name", "model"])
