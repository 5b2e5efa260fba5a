"""When a batch job is due, by the expressions of cron."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from millstream.errors import InvalidValue, NotSupported

__all__ = ["Schedule"]

_LONGEST = 10_000  # times that are counted as missed


class Schedule:
    """The times of a cron expression (minute, hour, day, month, weekday) in a time zone, as aware times in UTC.

    Where clocks are put forward, a time that does not exist comes when they are; where they are put back, a time that
    comes twice counts once, unless it is each hour's or minute's. Raises InvalidValue, NotSupported without cronsim.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        try:
            from cronsim import CronSim, CronSimError
        except ImportError:
            raise NotSupported("schedules are not read here, as there is no cronsim",
                               hint="pip install millstream[batch]") from None
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise InvalidValue.of("timezone", zone, "there is none of this name",
                                  hint="such as Europe/Berlin") from None
        try:
            CronSim(expression, datetime.now(self._zone))
        except CronSimError as error:
            raise InvalidValue.of("schedule", expression, str(error),
                                  hint='it has five fields: "15 2 * * *" is a quarter past two each day') from None
        self._expression, self._simulation = expression, CronSim

    def after(self, time: datetime) -> Iterator[datetime]:
        """The times after ``time``."""
        for found in self._simulation(self._expression, time.astimezone(self._zone)):
            yield found.astimezone(timezone.utc)

    def latest(self, time: datetime) -> datetime:
        """The last time that is not after ``time``."""
        local = (time + timedelta(seconds=1)).astimezone(self._zone)
        found: datetime = next(self._simulation(self._expression, local, reverse=True))
        return found.astimezone(timezone.utc)

    def between(self, begin: datetime, end: datetime) -> list[datetime]:
        """The times after ``begin`` and not after ``end``, the latest 10,000 of them at most."""
        found: list[datetime] = []
        for time in self.after(begin):
            if time > end:
                break
            found.append(time)
            if len(found) > _LONGEST:
                return self._last(end)
        return found

    def _last(self, end: datetime) -> list[datetime]:
        local = (end + timedelta(seconds=1)).astimezone(self._zone)
        times = self._simulation(self._expression, local, reverse=True)
        return sorted(next(times).astimezone(timezone.utc) for _ in range(_LONGEST))
