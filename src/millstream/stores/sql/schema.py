"""The tables, as SQLAlchemy Core knows them. The truth of a live database is the migrations; a test compares both.

Identifiers are small integers inside and MLflow's texts outside: ``runs.id`` / ``runs.run_id``, ``keys.id`` /
``keys.name``. Whatever a search filters or orders by carries the experiment's id beside it, so that one index holds a
key's values of one experiment in order. Times are in milliseconds since the epoch. NaN is NULL in ``metrics`` (it
compares to nothing and sorts last there) and ``is_nan`` in ``metric_points`` (where it is part of the identity of a
point).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    func,
    literal_column,
    text,
)
from sqlalchemy import Text as AnyText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives row ids only to a column typed exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# Texts are ordered by their bytes, on every machine and whatever language a database was made for: an index of texts
# serves searches and stays valid when the system's idea of a language changes.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")

# Indexes hold this many characters of a text: PostgreSQL refuses index entries beyond a third of a page.
HEAD = 128


def head(column: Column[str]) -> ColumnElement[str]:
    """The indexed beginning of a text column; conditions must spell it this way for the index to serve."""
    return func.substr(column, literal_column("1"), literal_column(str(HEAD)))


experiments = Table(
    "experiments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("artifact_location", Text, nullable=False),
    Column("creation_time", BigInteger, nullable=False),
    Column("last_update_time", BigInteger, nullable=False),
    Column("deleted_time", BigInteger),
    Column("creator", Text),
    sqlite_autoincrement=True,
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("experiment_id", "key"),
    sqlite_with_rowid=False,
)

# The text of every metric, parameter and tag key, once.
keys = Table(
    "keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("experiment_id", Id, ForeignKey("experiments.id"), nullable=False),
    Column("run_name", Text),
    Column("user_id", Text),
    Column("status", SmallInteger, nullable=False),
    Column("start_time", BigInteger),
    Column("end_time", BigInteger),
    Column("artifact_uri", Text, nullable=False),
    Column("deleted_time", BigInteger),
    # Set when the run was deleted with its experiment, so that restoring the experiment brings it back.
    Column("deleted_with_experiment", Boolean, nullable=False, server_default=text("false")),
    # Until when its process is believed alive; NULL for a run that does not beat.
    Column("lease_until", BigInteger),
    sqlite_autoincrement=True,
)
Index("ix_runs_order", runs.c.experiment_id, runs.c.start_time.desc(), runs.c.run_id)
Index(
    "ix_runs_lease",
    runs.c.lease_until,
    postgresql_where=runs.c.lease_until.is_not(None),
    sqlite_where=runs.c.lease_until.is_not(None),
)
Index(
    "ix_runs_deleted",
    runs.c.experiment_id,
    postgresql_where=runs.c.deleted_time.is_not(None),
    sqlite_where=runs.c.deleted_time.is_not(None),
)

# One row a run and metric: the last point (greatest step, timestamp, value), and what its history amounts to.
metrics = Table(
    "metrics",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Id, nullable=False),
    Column("experiment_id", Id, nullable=False),
    Column("value", Double),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("min_value", Double),
    Column("min_step", BigInteger),
    Column("max_value", Double),
    Column("max_step", BigInteger),
    Column("first_value", Double),
    Column("first_step", BigInteger, nullable=False),
    Column("first_timestamp", BigInteger, nullable=False),
    Column("model_id", Text),
    Column("dataset_name", Text),
    Column("dataset_digest", Text),
    PrimaryKeyConstraint("run", "key"),
    sqlite_with_rowid=False,
)
Index("ix_metrics_value", metrics.c.experiment_id, metrics.c.key, metrics.c.value, metrics.c.run)

# Every point. Its whole content is its identity, so a point that is sent twice is there once.
metric_points = Table(
    "metric_points",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Id, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("is_nan", SmallInteger, nullable=False),
    PrimaryKeyConstraint("run", "key", "step", "timestamp", "value", "is_nan"),
    sqlite_with_rowid=False,
)

# Summaries of BLOCK_STEPS steps each, kept for steps from BLOCK_STEPS on, so that a chart of a long history reads
# thousands of rows, not millions. Values are NULL where every point of the block is NaN.
BLOCK_STEPS = 256
metric_blocks = Table(
    "metric_blocks",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Id, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("first_timestamp", BigInteger, nullable=False),
    Column("first_value", Double),
    Column("last_step", BigInteger, nullable=False),
    Column("last_timestamp", BigInteger, nullable=False),
    Column("last_value", Double),
    Column("min_step", BigInteger),
    Column("min_timestamp", BigInteger),
    Column("min_value", Double),
    Column("max_step", BigInteger),
    Column("max_timestamp", BigInteger),
    Column("max_value", Double),
    PrimaryKeyConstraint("run", "key", "block"),
    sqlite_with_rowid=False,
)

params = Table(
    "params",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Id, nullable=False),
    Column("experiment_id", Id, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run", "key"),
    sqlite_with_rowid=False,
)
Index("ix_params_value", params.c.experiment_id, params.c.key, head(params.c.value), params.c.run)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Id, nullable=False),
    Column("experiment_id", Id, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run", "key"),
    sqlite_with_rowid=False,
)
Index("ix_run_tags_value", run_tags.c.experiment_id, run_tags.c.key, head(run_tags.c.value), run_tags.c.run)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
)
Index("uq_datasets_identity", datasets.c.experiment_id, datasets.c.name, datasets.c.digest, unique=True)

# What a run has read. A dataset stands once a run and context; tags are those of the use, not of the dataset.
dataset_inputs = Table(
    "dataset_inputs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("dataset", Id, ForeignKey("datasets.id"), nullable=False),
    Column("context", Text),
)
Index("uq_dataset_inputs", dataset_inputs.c.run, dataset_inputs.c.dataset, unique=True)
Index("ix_dataset_inputs_dataset", dataset_inputs.c.dataset)

dataset_input_tags = Table(
    "dataset_input_tags",
    metadata,
    Column("input", Id, ForeignKey("dataset_inputs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("input", "key"),
    sqlite_with_rowid=False,
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model_id", Text, nullable=False, unique=True),
    Column("experiment_id", Id, ForeignKey("experiments.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("model_type", Text),
    Column("status", Text, nullable=False),
    Column("status_message", Text),
    Column("source_run_id", Text),
    Column("artifact_uri", Text, nullable=False),
    Column("creation_timestamp_ms", BigInteger, nullable=False),
    Column("last_updated_timestamp_ms", BigInteger, nullable=False),
    Column("deleted_time", BigInteger),
    sqlite_autoincrement=True,
)
Index(
    "ix_logged_models_order",
    logged_models.c.experiment_id,
    logged_models.c.creation_timestamp_ms.desc(),
    logged_models.c.model_id,
)
Index("ix_logged_models_source_run_id", logged_models.c.source_run_id)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model", Id, ForeignKey("logged_models.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
    sqlite_with_rowid=False,
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model", Id, ForeignKey("logged_models.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
    sqlite_with_rowid=False,
)

# The last point of each metric measured on a model, by the dataset and the run it was measured in.
logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model", Id, ForeignKey("logged_models.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("dataset_name", Text, nullable=False, server_default=text("''")),
    Column("dataset_digest", Text, nullable=False, server_default=text("''")),
    Column("run_id", Text, nullable=False),
    Column("value", Double),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    PrimaryKeyConstraint("model", "key", "dataset_name", "dataset_digest", "run_id"),
    sqlite_with_rowid=False,
)

# Which models a run has read ("input") or made ("output").
model_links = Table(
    "model_links",
    metadata,
    Column("run", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("step", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("run", "direction", "model_id", "step"),
    sqlite_with_rowid=False,
)
Index("ix_model_links_model_id", model_links.c.model_id)
