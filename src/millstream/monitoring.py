"""Monitoring: profiles of training data, current data held against them, and outliers."""

from __future__ import annotations

from millstream.entities.monitoring import AlertAction, MonitorSettings, Threshold
from millstream.models.profile import ColumnProfile, Profile, profile
from millstream.serving.monitoring.comparing import Report, compare
from millstream.serving.monitoring.monitor import Monitoring
from millstream.serving.monitoring.outliers import outlying
from millstream.serving.monitoring.profiles import get_profile, set_profile
from millstream.serving.monitoring.recorder import Recorder

__all__ = [
    "AlertAction", "ColumnProfile", "MonitorSettings", "Monitoring", "Profile", "Recorder", "Report", "Threshold",
    "compare", "get_profile", "outlying", "profile", "set_profile",
]
