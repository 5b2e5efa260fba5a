"""The databases of the tests of searches serve here too, with all tables."""

import millstream.stores.sql.migrations  # noqa: F401 - enters every table
from tests.unit.stores.sql.conftest import either, postgres, sqlite

__all__ = ["either", "postgres", "sqlite"]
