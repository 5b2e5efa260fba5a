"""The tables of the registry.

The name of a model stands beside each of its versions, so that searches filter and order by it. ``location`` is where
the files of a version are, found out once, when it was created. The rows of ``registry_activities`` outlive their
model; ``activities`` and ``activity_hash`` of a model say how many there are and how the last one ends.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, text

from millstream.stores.sql.schema import Id, Text, head, metadata

registered_models = Table(
    "registered_models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    Column("description", Text),
    Column("creator", Text),
    # The number of the newest version there ever was: none is given twice.
    Column("last_version", BigInteger, nullable=False, server_default=text("0")),
    Column("activities", BigInteger, nullable=False, server_default=text("0")),
    Column("activity_hash", Text, nullable=False, server_default=text("''")),
    Column("activity_time", BigInteger, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)
Index(
    "ix_registered_models_updated", registered_models.c.last_updated_timestamp.desc(), registered_models.c.name
)

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
    sqlite_with_rowid=False,
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    Column("description", Text),
    Column("user_id", Text),
    Column("stage", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("run_id", Text),
    Column("run_link", Text),
    Column("model_id", Text),
    sqlite_autoincrement=True,
)
Index("uq_model_versions_version", model_versions.c.model, model_versions.c.version, unique=True)
Index("ix_model_versions_stage", model_versions.c.model, model_versions.c.stage, model_versions.c.version)
Index(
    "ix_model_versions_updated",
    model_versions.c.last_updated_timestamp.desc(),
    model_versions.c.name,
    model_versions.c.version.desc(),
)
Index(
    "ix_model_versions_name",
    model_versions.c.name,
    model_versions.c.last_updated_timestamp.desc(),
    model_versions.c.version.desc(),
)
Index("ix_model_versions_run_id", model_versions.c.run_id)
Index("ix_model_versions_model_id", model_versions.c.model_id)
Index("ix_model_versions_location", head(model_versions.c.location))

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model_version", Id, ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model_version", "key"),
    sqlite_with_rowid=False,
)

registered_model_aliases = Table(
    "registered_model_aliases",
    metadata,
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("alias", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("model", "alias"),
    sqlite_with_rowid=False,
)

registry_activities = Table(
    "registry_activities",
    metadata,
    Column("model", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("version", BigInteger),
    Column("key", Text),
    Column("old_value", Text),
    Column("new_value", Text),
    # Numbers of versions, separated by commas.
    Column("others", Text),
    Column("undoes", BigInteger),
    Column("comment", Text),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("model", "sequence"),
    sqlite_with_rowid=False,
)
Index("ix_registry_activities_name", registry_activities.c.name, registry_activities.c.model)

registry_comments = Table(
    "registry_comments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("comment_id", Text, nullable=False, unique=True),
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("model_version", Id, ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_registry_comments_model", registry_comments.c.model, registry_comments.c.id)
Index("ix_registry_comments_version", registry_comments.c.model_version, registry_comments.c.id)

transition_requests = Table(
    "transition_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("model_version", Id, ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("from_stage", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("comment", Text),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("reason", Text),
    sqlite_autoincrement=True,
)
Index("ix_transition_requests_model", transition_requests.c.model, transition_requests.c.id)
Index("ix_transition_requests_version", transition_requests.c.model_version, transition_requests.c.id)

# Who has approved an open request so far.
transition_approvals = Table(
    "transition_approvals",
    metadata,
    Column("request", Id, ForeignKey("transition_requests.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    PrimaryKeyConstraint("request", "user_id"),
    sqlite_with_rowid=False,
)

# A rule is kept as JSON: nothing searches by what it says.
model_rules = Table(
    "model_rules",
    metadata,
    Column("model", Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("rule", Text, nullable=False),
    PrimaryKeyConstraint("model", "name"),
    sqlite_with_rowid=False,
)

# The signatures of versions as they were last read from their files, for rules that compare them.
model_version_signatures = Table(
    "model_version_signatures",
    metadata,
    Column("model_version", Id, ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("signature", Text, nullable=False),
    sqlite_with_rowid=False,
)
