"""A store as large as the web UI has to bear, written past its interface: through that it takes hours.

    python benchmarks/seed_ui.py /tmp/big/store.db [--runs 100000] [--columns 500] [--points 1000000] [--keys 12000]

It holds the experiments ``two-hundred`` and ``two-thousand`` (20 columns), ``large`` (``--runs`` runs of ``--columns``
keys, half metrics, half parameters), ``long`` (one run, the metric ``spiky`` of ``--points`` steps with a spike of one
step at 7/9 of it), ``several-long`` (``--several`` such runs) and ``wide`` (20 runs with ``--keys`` metrics). The same
numbers every time.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from millstream.stores import open_store
from millstream.stores.sql.points import Point, write_points
from millstream.stores.sql.schema import metadata

START = 1_780_000_000_000
SPIKE = 55.0
_SIDE_INDEXES = ("ix_metrics_value", "ix_params_value", "ix_run_tags_value")
_OPTIMIZERS = ("adam", "sgd", "adamw", "lamb")
# Any number from one of a run and one of a key, between 0 and 1, as SQLite computes it.
_NOISE = "(((r.id * 2654435761 + k.n * 40503) % 1000003) / 1000003.0)"


def seed(
    database: Path, *, runs: int = 100_000, columns: int = 500, points: int = 1_000_000, keys: int = 12_000,
    several: int = 0,
) -> dict[str, str]:
    """Fill a new store at ``database``; returns the id of each experiment by name."""
    uri = f"sqlite:///{database}"
    open_store(uri, str(database.parent / "artifacts")).close()
    ids: dict[str, str] = {}
    with sqlite3.connect(database, isolation_level=None) as connection:
        # Without a journal each page is written once; a store that is opened next goes on in its own mode.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
        connection.execute("BEGIN")
        for name in _SIDE_INDEXES:  # making an index at the end costs a sort, keeping it costs a search a row
            connection.execute(f"DROP INDEX {name}")
        for name, count, width in (("two-hundred", 200, 20), ("two-thousand", 2_000, 20), ("large", runs, columns)):
            ids[name] = str(_table(connection, name, count, width // 2, width - width // 2))
        ids["wide"] = str(_table(connection, "wide", 20, keys, 0))
        ids["long"] = str(_long(connection, "long", 1))
        if several:
            ids["several-long"] = str(_long(connection, "several-long", several))
        for name in _SIDE_INDEXES:
            connection.execute(made[name])
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
    for name in ("long", "several-long") if several else ("long",):
        _history(database, ids[name], points)
    return ids


def _experiment(connection: sqlite3.Connection, name: str) -> int:
    made = connection.execute(
        "INSERT INTO experiments (name, artifact_location, creation_time, last_update_time)"
        " VALUES (?, 'mlflow-artifacts:/seeded', ?, ?) RETURNING id", (name, START, START),
    ).fetchone()
    return int(made[0])


def _enter(connection: sqlite3.Connection, names: list[str]) -> None:
    connection.executemany("INSERT INTO keys (name) VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in names])


def _table(connection: sqlite3.Connection, name: str, runs: int, metrics: int, params: int) -> int:
    experiment = _experiment(connection, name)
    first = connection.execute("SELECT coalesce(max(id), 0) FROM runs").fetchone()[0] + 1
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
        " INSERT INTO runs (id, run_id, experiment_id, run_name, user_id, status, start_time, end_time, artifact_uri)"
        " SELECT ? + i, printf('%016x%016x', (? + i) * 2654435761, ? + i), ?, printf('run-%d', i),"
        " CASE i % 3 WHEN 0 THEN 'ada' WHEN 1 THEN 'bo' ELSE 'cy' END, CASE WHEN i % 50 = 7 THEN 4 ELSE 3 END,"
        " ? + i * 60000, ? + i * 60000 + 1000 * (i % 5000), 'mlflow-artifacts:/seeded/' || i FROM n",
        (runs, first, first, first, experiment, START, START),
    )
    names = [*(f"metric_{index:05d}" for index in range(metrics)), *(f"param_{index:05d}" for index in range(params))]
    _enter(connection, [*names, "mlflow.runName", "team"])
    within = f"r.id >= {first} AND r.id < {first + runs}"
    for table, prefix, count in (("measured", "metric_", metrics), ("given", "param_", params)):
        # In the order of their ids, so that rows come out in the order of the tables they go into.
        number = f"CAST(substr(name, {len(prefix) + 1}) AS INTEGER)"
        connection.execute(f"CREATE TEMP TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        connection.execute(
            f"INSERT INTO {table} SELECT id, {number} FROM keys WHERE name GLOB '{prefix}*' AND {number} < {count}"
        )
    # Each run lacks a hundredth of the metrics, and a thousandth of what is there is NaN.
    value = f"CASE WHEN (r.id + k.n * 7) % 1000 = 3 THEN NULL ELSE {_NOISE} END"
    there = "(r.id + k.n) % 100 <> 99"
    connection.execute(
        "INSERT INTO metrics (run, key, experiment_id, value, step, timestamp, min_value, min_step, max_value,"
        " max_step, first_value, first_step, first_timestamp)"
        f" SELECT run, key, {experiment}, v, 0, t, v, 0, v, 0, v, 0, t FROM (SELECT r.id AS run, k.id AS key,"
        f" {value} AS v, r.start_time AS t FROM runs r CROSS JOIN measured k WHERE {within} AND {there})"
    )
    connection.execute(
        "INSERT INTO metric_points (run, key, step, timestamp, value, is_nan)"
        f" SELECT run, key, 0, timestamp, coalesce(value, 0.0), value IS NULL FROM metrics WHERE run >= {first}"
    )
    optimizer = " ".join(f"WHEN {index} THEN '{name}'" for index, name in enumerate(_OPTIMIZERS))
    connection.execute(
        "INSERT INTO params (run, key, experiment_id, value)"
        f" SELECT r.id, k.id, {experiment}, CASE WHEN k.n = 0 THEN CAST(r.id % 1000 AS TEXT)"
        f" WHEN k.n = 1 THEN CASE r.id % {len(_OPTIMIZERS)} {optimizer} END WHEN k.n % 10 = 9 THEN 'constant'"
        f" ELSE printf('%.6g', 0.0001 * (1 + (r.id + k.n) % (3 + k.n % 17))) END"
        f" FROM runs r CROSS JOIN given k WHERE {within}"
    )
    connection.execute("DROP TABLE measured")
    connection.execute("DROP TABLE given")
    for key, text in (("mlflow.runName", "r.run_name"), ("team", "CASE r.id % 2 WHEN 0 THEN 'vision' ELSE 'text' END")):
        connection.execute(
            f"INSERT INTO run_tags (run, key, experiment_id, value) SELECT r.id, (SELECT id FROM keys WHERE name = ?),"
            f" {experiment}, {text} FROM runs r WHERE {within}", (key,),
        )
    return experiment


def _long(connection: sqlite3.Connection, name: str, count: int) -> int:
    experiment = _experiment(connection, name)
    first = connection.execute("SELECT coalesce(max(id), 0) FROM runs").fetchone()[0] + 1
    connection.executemany(
        "INSERT INTO runs (id, run_id, experiment_id, run_name, user_id, status, start_time, artifact_uri)"
        " VALUES (?, ?, ?, ?, 'ada', 3, ?, 'mlflow-artifacts:/seeded/long')",
        [(first + at, f"{first + at:032x}", experiment, f"spiky-{at}", START) for at in range(count)],
    )
    _enter(connection, ["spiky"])
    return experiment


def spiky(points: int) -> Iterator[tuple[int, float]]:
    """(step, value) of a long metric with a spike of one step."""
    for step in range(points):
        yield step, SPIKE if step == points * 7 // 9 else math.sin(step / 5000)


def _history(database: Path, experiment: str, points: int) -> None:
    """The long metric goes in as every point does, so that its summaries and blocks are the store's own."""
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        found = connection.exec_driver_sql(
            "SELECT r.id, k.id FROM runs r, keys k WHERE r.experiment_id = ? AND k.name = 'spiky'", (int(experiment),)
        ).all()
        for shift, (run, key) in enumerate(found):
            chunk: list[Point] = []
            for step, value in spiky(points):
                chunk.append(Point(run, key, int(experiment), step, START + step * 100, value + shift))
                if len(chunk) == 25_600:
                    write_points(connection, chunk)
                    chunk = []
            if chunk:
                write_points(connection, chunk)
    engine.dispose()


def main() -> None:
    """Seed the file that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=12_000)
    parser.add_argument("--several", type=int, default=10)
    asked = parser.parse_args()
    assert "metric_blocks" in metadata.tables
    begun = time.monotonic()
    ids = seed(asked.database, runs=asked.runs, columns=asked.columns, points=asked.points,
               keys=asked.keys, several=asked.several)
    size = asked.database.stat().st_size / 1e9
    print(f"{ids}, {size:.1f} GB in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
