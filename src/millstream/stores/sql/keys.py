"""The dictionary of key texts: each metric, parameter and tag key is a small integer inside."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select

from millstream.stores.sql.schema import keys

_FIND = select(keys.c.name, keys.c.id).where(keys.c.name.in_(bindparam("names", expanding=True)))
_CHUNK = 500


class Keys:
    """Key texts and their numbers. What is remembered here is committed, so it may be used in any transaction."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._name: dict[int, str] = {}

    def find(self, connection: Connection, names: Iterable[str]) -> dict[str, int]:
        """The numbers of those texts that have one."""
        wanted = set(names)
        found = {name: self._number[name] for name in wanted if name in self._number}
        for name, number in _read(connection, [name for name in wanted if name not in found]):
            found[name] = number
            self.remember({name: number})
        return found

    def enter(self, connection: Connection, names: Iterable[str]) -> dict[str, int]:
        """The numbers of these texts, new ones entered in the transaction of ``connection``.

        The caller passes the result to :meth:`remember` once the transaction is committed, not before.
        """
        wanted = set(names)
        found = {name: self._number[name] for name in wanted if name in self._number}
        missing = sorted(wanted - found.keys())
        if missing:
            found.update(_read(connection, missing))
            new = [(name,) for name in missing if name not in found]
            if new:
                mark = "?" if connection.dialect.name == "sqlite" else "%s"
                connection.exec_driver_sql(f"INSERT INTO keys (name) VALUES ({mark}) ON CONFLICT DO NOTHING", new)
                found.update(_read(connection, [name for (name,) in new]))
        return found

    def remember(self, numbers: dict[str, int]) -> None:
        """Keep what is committed."""
        self._number.update(numbers)
        self._name.update({number: name for name, number in numbers.items()})

    def names(self, connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
        """The texts of these numbers. The dictionary is shared: it holds others too, and is not to be changed."""
        missing = [number for number in set(numbers) if number not in self._name]
        for start in range(0, len(missing), _CHUNK):
            rows = connection.execute(
                select(keys.c.id, keys.c.name).where(keys.c.id.in_(missing[start : start + _CHUNK]))
            )
            for number, name in rows:
                self._name[number] = name
        return self._name


def _read(connection: Connection, names: list[str]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for start in range(0, len(names), _CHUNK):
        found += [(row[0], row[1]) for row in connection.execute(_FIND, {"names": names[start : start + _CHUNK]})]
    return found
