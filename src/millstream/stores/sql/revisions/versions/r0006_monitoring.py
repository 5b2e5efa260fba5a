"""The request log, figures, monitors, findings, alerts and profiles"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "monitors",
        sa.Column("id", Id, nullable=False),
        sa.Column("endpoint", Text, nullable=False),
        sa.Column("settings", Text, nullable=False),
        sa.Column("creation_time", sa.BigInteger(), nullable=False),
        sa.Column("last_update_time", sa.BigInteger(), nullable=False),
        sa.Column("last_check", sa.BigInteger(), nullable=True),
        sa.Column("holder", Text, nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitors")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_monitors_endpoint")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "monitor_requests",
        sa.Column("id", Id, nullable=False),
        sa.Column("endpoint", Text, nullable=False),
        sa.Column("request_id", Text, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("status_code", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("content_type", Text, nullable=True),
        sa.Column("request", Text, nullable=True),
        sa.Column("answer", Text, nullable=True),
        sa.Column("outcome", Text, nullable=True),
        sa.Column("outcome_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitor_requests")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_monitor_requests_order", "monitor_requests", ["endpoint", "id"])
    op.create_index("ix_monitor_requests_time", "monitor_requests", ["endpoint", "time"])
    op.create_index("uq_monitor_requests_identity", "monitor_requests", ["endpoint", "request_id", "time"], unique=True)
    op.create_table(
        "monitor_figures",
        sa.Column("endpoint", Text, nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("host", Text, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("buckets", Text, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "minute", "model", "version", "host", name=op.f("pk_monitor_figures")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "monitor_windows",
        sa.Column("id", Id, nullable=False),
        sa.Column("monitor", Id, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor"], ["monitors.id"], name=op.f("fk_monitor_windows_monitor"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitor_windows")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_monitor_windows_order", "monitor_windows", ["monitor", "id"])
    op.create_index(
        "uq_monitor_windows_identity", "monitor_windows", ["monitor", "model", "version", "last_sequence"], unique=True
    )
    op.create_table(
        "monitor_findings",
        sa.Column("window_id", Id, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("statistic", Text, nullable=False),
        sa.Column("column_name", Text, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("limit_value", sa.Double(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("state", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["window_id"], ["monitor_windows.id"], name=op.f("fk_monitor_findings_window_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("window_id", "place", name=op.f("pk_monitor_findings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "monitor_alerts",
        sa.Column("id", Id, nullable=False),
        sa.Column("monitor", Id, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("statistic", Text, nullable=False),
        sa.Column("column_name", Text, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("limit_value", sa.Double(), nullable=True),
        sa.Column("reason", Text, nullable=False),
        sa.Column("raised_time", sa.BigInteger(), nullable=False),
        sa.Column("cleared_time", sa.BigInteger(), nullable=True),
        sa.Column("cleared_reason", Text, nullable=True),
        sa.ForeignKeyConstraint(
            ["monitor"], ["monitors.id"], name=op.f("fk_monitor_alerts_monitor"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitor_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_monitor_alerts_monitor", "monitor_alerts", ["monitor", "id"])
    op.create_index(
        "uq_monitor_alerts_open",
        "monitor_alerts",
        ["monitor", "model", "version", "statistic", "column_name"],
        unique=True,
        sqlite_where=sa.text("cleared_time IS NULL"),
        postgresql_where=sa.text("cleared_time IS NULL"),
    )
    op.create_table(
        "model_version_profiles",
        sa.Column("model_version", Id, nullable=False),
        sa.Column("profile", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_versions.id"],
            name=op.f("fk_model_version_profiles_model_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version", name=op.f("pk_model_version_profiles")),
    )
