"""The tables of monitoring.

Requests and figures belong to an endpoint by its name, whether there is a monitor or not; windows, findings and alerts
belong to a monitor and go with it. An alert is open while ``cleared_time`` is NULL, and open once.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, PrimaryKeyConstraint, Table, text

from millstream.stores.sql.schema import Id, Text, metadata

monitors = Table(
    "monitors",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint", Text, nullable=False, unique=True),
    Column("settings", Text, nullable=False),
    Column("creation_time", BigInteger, nullable=False),
    Column("last_update_time", BigInteger, nullable=False),
    Column("last_check", BigInteger),
    Column("holder", Text),
    Column("lease_until", BigInteger),
    sqlite_autoincrement=True,
)

monitor_requests = Table(
    "monitor_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("status_code", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("content_type", Text),
    Column("request", Text),
    Column("answer", Text),
    Column("outcome", Text),
    Column("outcome_time", BigInteger),
    sqlite_autoincrement=True,
)
Index(
    "uq_monitor_requests_identity",
    monitor_requests.c.endpoint,
    monitor_requests.c.request_id,
    monitor_requests.c.time,
    unique=True,
)
Index("ix_monitor_requests_order", monitor_requests.c.endpoint, monitor_requests.c.id)
Index("ix_monitor_requests_time", monitor_requests.c.endpoint, monitor_requests.c.time)

monitor_figures = Table(
    "monitor_figures",
    metadata,
    Column("endpoint", Text, nullable=False),
    Column("minute", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    # {"bucket": count} as JSON
    Column("buckets", Text, nullable=False),
    PrimaryKeyConstraint("endpoint", "minute", "model", "version", "host"),
    sqlite_with_rowid=False,
)

monitor_windows = Table(
    "monitor_windows",
    metadata,
    Column("id", Id, primary_key=True),
    Column("monitor", Id, ForeignKey("monitors.id", ondelete="CASCADE"), nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("start_time", BigInteger, nullable=False),
    Column("end_time", BigInteger, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "uq_monitor_windows_identity",
    monitor_windows.c.monitor,
    monitor_windows.c.model,
    monitor_windows.c.version,
    monitor_windows.c.last_sequence,
    unique=True,
)
Index("ix_monitor_windows_order", monitor_windows.c.monitor, monitor_windows.c.id)

monitor_findings = Table(
    "monitor_findings",
    metadata,
    Column("window_id", Id, ForeignKey("monitor_windows.id", ondelete="CASCADE"), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("statistic", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("limit_value", Double),
    Column("p_value", Double),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("window_id", "place"),
    sqlite_with_rowid=False,
)

monitor_alerts = Table(
    "monitor_alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("monitor", Id, ForeignKey("monitors.id", ondelete="CASCADE"), nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("statistic", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("limit_value", Double),
    Column("reason", Text, nullable=False),
    Column("raised_time", BigInteger, nullable=False),
    Column("cleared_time", BigInteger),
    Column("cleared_reason", Text),
    sqlite_autoincrement=True,
)
Index(
    "uq_monitor_alerts_open",
    monitor_alerts.c.monitor,
    monitor_alerts.c.model,
    monitor_alerts.c.version,
    monitor_alerts.c.statistic,
    monitor_alerts.c.column_name,
    unique=True,
    sqlite_where=text("cleared_time IS NULL"),
    postgresql_where=text("cleared_time IS NULL"),
)
Index("ix_monitor_alerts_monitor", monitor_alerts.c.monitor, monitor_alerts.c.id)

model_version_profiles = Table(
    "model_version_profiles",
    metadata,
    Column("model_version", Id, ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("profile", Text, nullable=False),
)
