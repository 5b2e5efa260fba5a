"""The same runs in the tables of either system, written past their interfaces: through MLflow's it takes hours.

Names and types of MLflow's tables are those of a database that MLflow 3.17.2 has made.
"""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

RUNS_AT_ONCE = 5_000
START = 1_700_000_000_000


def metrics_of(run: int, count: int) -> list[float]:
    """The metrics of a run: the first is spread evenly, the others by chance that is always the same."""
    chance = random.Random(run)
    return [run * 0.618034 % 1.0, *(chance.random() for _ in range(count - 1))]


def params_of(run: int, count: int) -> list[str]:
    """The parameters of a run, a handful of values each."""
    return [str(run * (key + 1) % (5 + key)) for key in range(count)]


def run_id_of(run: int) -> str:
    """32 hexadecimal digits."""
    return f"{run * 2654435761 % 2**64:016x}{run:016x}"


def _chunks(runs: int) -> Iterator[range]:
    for start in range(0, runs, RUNS_AT_ONCE):
        yield range(start, min(start + RUNS_AT_ONCE, runs))


def seed_mlflow(database: Path, runs: int, metrics: int, params: int) -> None:
    """Fill a database whose tables MLflow has made."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for chunk in _chunks(runs):
            connection.executemany(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,"
                " start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
                " VALUES (?, ?, 'UNKNOWN', '', '', 'someone', 'FINISHED', ?, ?, '', 'active', 'a', 0)",
                [(run_id_of(run), f"run-{run}", START + run, START + run + 1) for run in chunk],
            )
            points = [
                (f"m{key}", value, START, run_id_of(run), 0, 0)
                for run in chunk
                for key, value in enumerate(metrics_of(run, metrics))
            ]
            for table in ("metrics", "latest_metrics"):
                connection.executemany(
                    f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                    points,
                )
            connection.executemany(
                "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                [
                    (f"p{key}", value, run_id_of(run))
                    for run in chunk
                    for key, value in enumerate(params_of(run, params))
                ],
            )
            connection.executemany(
                "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.runName', ?, ?)",
                [(f"run-{run}", run_id_of(run)) for run in chunk],
            )


def seed_millstream(database: Path, runs: int, metrics: int, params: int) -> None:
    """Fill a database whose tables Millstream has made."""
    with sqlite3.connect(database, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")
        names = ["mlflow.runName", *(f"m{key}" for key in range(metrics)), *(f"p{key}" for key in range(params))]
        connection.executemany("INSERT INTO keys (name) VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in names])
        key_of: dict[str, int] = dict(connection.execute("SELECT name, id FROM keys"))
        for chunk in _chunks(runs):
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO runs (id, run_id, experiment_id, run_name, user_id, status, start_time, end_time,"
                " artifact_uri) VALUES (?, ?, 0, ?, 'someone', 3, ?, ?, 'a')",
                [(run + 1, run_id_of(run), f"run-{run}", START + run, START + run + 1) for run in chunk],
            )
            values = [
                (run + 1, key_of[f"m{key}"], value)
                for run in chunk
                for key, value in enumerate(metrics_of(run, metrics))
            ]
            connection.executemany(
                "INSERT INTO metrics (run, key, experiment_id, value, step, timestamp, min_value, min_step, max_value,"
                " max_step, first_value, first_step, first_timestamp)"
                f" VALUES (?1, ?2, 0, ?3, 0, {START}, ?3, 0, ?3, 0, ?3, 0, {START})",
                values,
            )
            connection.executemany(
                "INSERT INTO metric_points (run, key, step, timestamp, value, is_nan)"
                f" VALUES (?1, ?2, 0, {START}, ?3, 0)",
                values,
            )
            connection.executemany(
                "INSERT INTO params (run, key, experiment_id, value) VALUES (?, ?, 0, ?)",
                [
                    (run + 1, key_of[f"p{key}"], value)
                    for run in chunk
                    for key, value in enumerate(params_of(run, params))
                ],
            )
            connection.executemany(
                "INSERT INTO run_tags (run, key, experiment_id, value) VALUES (?, ?, 0, ?)",
                [(run + 1, key_of["mlflow.runName"], f"run-{run}") for run in chunk],
            )
            connection.execute("COMMIT")
        connection.execute("ANALYZE")


def history(points: int) -> Iterator[tuple[int, float]]:
    """(step, value) of a long metric with one spike."""
    for step in range(points):
        yield step, 55.0 if step == points * 7 // 9 else math.sin(step / 5000)


def seed_history_of_mlflow(database: Path, run_id: str, points: int) -> None:
    """One long metric for a run that is there."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('long', ?, ?, ?, ?, 0)",
            ((value, START + step, run_id, step) for step, value in history(points)),
        )
