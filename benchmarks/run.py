"""Measure Millstream and MLflow on the same work in one go, print ratios, write RESULTS.md.

    make bench                                  # everything, about 15 minutes
    python benchmarks/run.py --rows import,rest # some rows; the others keep what they were
    python benchmarks/run.py --rows pages,grid --grid /tmp/big/store.db   # pages, over a store of seed_ui.py
    python benchmarks/run.py --quick            # smaller numbers, nothing is written

Figures are medians; each row says what it did. Both servers run with their defaults on SQLite, on loopback.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
from peers import MLFLOW, OURS, PEERS, ROOT, THEIRS, Peer, echoing, run_client, scoring, served
from seeding import history as history_of
from seeding import run_id_of, seed_history_of_mlflow, seed_millstream, seed_mlflow


@dataclass
class Row:
    """One figure of each system. ``more_is_better`` tells rates from times; ``goal`` is the ratio aimed at, or a bound.
    ``spans`` are the lowest and the highest measurement, ours first."""

    work: str
    unit: str
    ours: float
    theirs: float | None
    goal: str = ""
    more_is_better: bool = False
    spans: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if not self.theirs or not self.ours:
            return None
        return self.ours / self.theirs if self.more_is_better else self.theirs / self.ours


@dataclass
class Bench:
    """Where the work happens, how much of it there is, and what came out."""

    place: Path
    quick: bool
    grid: Path | None = None
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keep and print a row."""
        self.rows.append(row)
        ratio = f"{row.ratio:8.1f} ×" if row.ratio else ""
        ours, theirs = cells_of(row)
        print(f"{row.work:<72} {ours:>12} {theirs or '–':>12} {row.unit:<10} {ratio}", flush=True)

    def folder(self, name: str) -> Path:
        """A fresh folder."""
        made = self.place / name
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        return made


def shown(value: float) -> str:
    """A figure with three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells_of(row: Row) -> tuple[str, str]:
    """Both figures as they are shown, each with its span."""
    cells = []
    for value, span in zip((row.ours, row.theirs), row.spans, strict=True):
        text = "" if value is None else shown(value)
        cells.append(f"{text} ({shown(span[0])}–{shown(span[1])})" if span and span[0] != span[1] else text)
    return cells[0], cells[1]


def median_of(times: int, work: Callable[[], Any]) -> float:
    """The median duration of ``work`` in milliseconds, after one run that does not count."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def pair(measure: Callable[[Peer], float]) -> tuple[float, float]:
    """A figure of each system, MLflow's second."""
    return measure(OURS), measure(THEIRS)


def start_up(bench: Bench) -> None:
    """Importing, and what the command line costs."""
    times = 3 if bench.quick else 7

    def wall(peer: Peer, *command: str) -> float:
        return median_of(
            times,
            lambda: subprocess.run(command, env=peer.environment(), cwd=bench.place, check=True, capture_output=True),
        )

    ours, theirs = pair(
        lambda peer: (
            wall(peer, str(peer.python), "-c", f"import {peer.module}") - wall(peer, str(peer.python), "-c", "pass")
        )
    )
    bench.add(Row("import, beyond starting Python", "ms", ours, theirs, "30 ×, ≤ 80 ms"))
    for option in ("--version", "--help"):
        ours, theirs = pair(lambda peer, option=option: wall(peer, *peer.command, option))
        bench.add(Row(f"command line, {option}", "ms", ours, theirs, "30 ×, ≤ 150 ms"))


def server(bench: Bench) -> None:
    """A server's start on a new store, and its memory when idle."""
    ready: dict[str, float] = {}
    memory: dict[str, tuple[float, int]] = {}
    for peer in PEERS:
        starts = []
        for attempt in range(1 if bench.quick else 3):
            with served(peer, bench.folder(f"start-{peer.module}-{attempt}")) as running:
                starts.append(running.ready_seconds * 1000)
                time.sleep(2)  # idle: let what starts late settle before its memory is read
                memory[peer.name] = running.memory()
        ready[peer.name] = statistics.median(starts)
    bench.add(
        Row("server: from its start to its first answer, new store", "ms", ready[OURS.name], ready[THEIRS.name], "20 ×")
    )
    bench.add(
        Row(
            f"server: resident memory when idle ({memory[OURS.name][1]} and {memory[THEIRS.name][1]} processes)",
            "MB",
            memory[OURS.name][0],
            memory[THEIRS.name][0],
            "20 ×, ≤ 120 MB",
        )
    )


def fluent(bench: Bench) -> None:
    """The fluent log_metric, into SQLite and through a server."""
    ours_count, theirs_count = ("5000", "50") if bench.quick else ("100000", "500")
    for where in ("SQLite", "a server"):
        found: dict[str, dict[str, float]] = {}
        for peer, count in ((OURS, ours_count), (THEIRS, theirs_count)):
            place = bench.folder(f"fluent-{peer.module}")
            if where == "SQLite":
                found[peer.name] = json.loads(
                    run_client(peer, place, "fluent", count, uri=f"sqlite:///{place}/store.db")
                )
            else:
                with served(peer, place) as running:
                    found[peer.name] = json.loads(run_client(peer, place, "fluent", count, uri=running.address))
        ours, theirs = found[OURS.name], found[THEIRS.name]
        bench.add(
            Row(f"fluent log_metric to {where}, median", "µs", ours["median"], theirs["median"], "200 ×, ≤ 10 µs")
        )
        bench.add(Row(f"fluent log_metric to {where}, 99th percentile", "µs", ours["p99"], theirs["p99"], "≤ 50 µs"))
        bench.add(
            Row(
                f"fluent log_metric to {where}, until all is in the store",
                "points/s",
                ours["per_second"],
                theirs["per_second"],
                "",
                True,
            )
        )


def rest(bench: Bench) -> None:
    """Requests of one client and of eight, each answered after a durable commit (ours; MLflow's SQLite default too)."""
    seconds = 2 if bench.quick else 8
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for peer in PEERS:
        with served(peer, bench.folder(f"rest-{peer.module}")) as running:
            run_id = post(running.address, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
            for kind in ("log-metric", "create"):
                for clients in (1, 8):
                    command = [
                        "wrk",
                        "-t1",
                        f"-c{clients}",
                        f"-d{seconds}s",
                        "--timeout",
                        "60s",
                        "-s",
                        str(ROOT / "benchmarks" / "load.lua"),
                        running.address,
                        "--",
                        kind,
                        run_id,
                    ]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    said = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
                    found[peer.name, kind, clients] = json.loads(said[5:])
    for kind, words in (("log-metric", "REST log-metric"), ("create", "REST runs/create")):
        for clients in (1, 8):
            ours, theirs = found[OURS.name, kind, clients], found[THEIRS.name, kind, clients]
            assert not ours["errors"], f"{ours['errors']} errors of {kind}"
            bench.add(
                Row(
                    f"{words}, {clients} client{'s' if clients > 1 else ''}",
                    "requests/s",
                    rate(ours),
                    rate(theirs),
                    "50 ×",
                    True,
                )
            )
            bench.add(
                Row(
                    f"{words}, {clients} client{'s' if clients > 1 else ''}, 99th percentile",
                    "ms",
                    ours["p99"] / 1000,
                    theirs["p99"] / 1000,
                )
            )


def rate(measured: dict[str, float]) -> float:
    """Requests a second."""
    return measured["requests"] / measured["microseconds"] * 1e6


def ingestion(bench: Bench) -> None:
    """Batches of 1,000 points through the client and a server."""
    found = {}
    for peer, count in ((OURS, "20" if bench.quick else "200"), (THEIRS, "2" if bench.quick else "10")):
        place = bench.folder(f"batches-{peer.module}")
        with served(peer, place) as running:
            found[peer.name] = json.loads(run_client(peer, place, "batches", count, uri=running.address))["per_second"]
    bench.add(
        Row(
            "ingestion, log_batch of 1,000 points through a server",
            "points/s",
            found[OURS.name],
            found[THEIRS.name],
            "50 ×",
            True,
        )
    )


SEARCHES: dict[str, dict[str, Any]] = {
    "page of 50, ordered by a metric": {"max_results": 50, "order_by": ["metrics.m1 DESC"]},
    "page of 50, filter on a metric and a parameter, ordered by another metric": {
        "max_results": 50,
        "filter": "metrics.m0 > 0.3 AND params.p1 = '2'",
        "order_by": ["metrics.m1 DESC"],
    },
    "page of 50, selective filter": {
        "max_results": 50,
        "filter": "metrics.m0 < 0.001",
        "order_by": ["metrics.m1 DESC"],
    },
    "page of 50, newest first": {"max_results": 50},
}


def search(bench: Bench) -> None:
    """Searches over 10,000 runs with 20 metrics and 20 parameters, by HTTP."""
    runs, width = (1_000, 20) if bench.quick else (10_000, 20)
    found: dict[tuple[str, str], float] = {}
    searches = SEARCHES | {"page of 1,000": {"max_results": 1000}}
    for peer in PEERS:
        place = bench.folder(f"search-{peer.module}")
        with served(peer, place):
            pass  # makes the tables
        (seed_millstream if peer is OURS else seed_mlflow)(place / "store.db", runs, width, width)
        with served(peer, place) as running:
            for words, body in searches.items():
                times = 3 if bench.quick or peer is THEIRS else 15
                found[peer.name, words] = median_of(
                    times,
                    lambda body=body, at=running.address: post(at, "runs/search", {"experiment_ids": ["0"], **body}),
                )
    for words in searches:
        bench.add(
            Row(
                f"search of {runs:,} runs × {width} metrics × {width} parameters: {words}",
                "ms",
                found[OURS.name, words],
                found[THEIRS.name, words],
                "30 ×",
            )
        )


def million(bench: Bench) -> None:
    """The same searches over 1,000,000 runs, ours only: MLflow's answer takes minutes."""
    runs = 20_000 if bench.quick else 1_000_000
    place = bench.folder("million")
    with served(OURS, place):
        pass
    seed_millstream(place / "store.db", runs, 10, 10)
    size = (place / "store.db").stat().st_size / 1e9
    with served(OURS, place) as running:
        for words, body in SEARCHES.items():
            taken = median_of(
                9, lambda body=body: post(running.address, "runs/search", {"experiment_ids": ["0"], **body})
            )
            bench.add(Row(f"search of {runs:,} runs × 10 × 10 ({size:.1f} GB): {words}", "ms", taken, None, "≤ 20 ms"))
    shutil.rmtree(place)


def history(bench: Bench) -> None:
    """One metric of 1,000,000 points, reduced to what a chart of it needs."""
    points = 50_000 if bench.quick else 1_000_000
    found = {}
    for peer in PEERS:
        place = bench.folder(f"history-{peer.module}")
        with served(peer, place) as running:
            run_id = post(running.address, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
            if peer is OURS:
                for batch in batched(history_of(points), 1000):
                    post(
                        running.address,
                        "runs/log-batch",
                        {
                            "run_id": run_id,
                            "metrics": [
                                {"key": "long", "value": value, "timestamp": step, "step": step}
                                for step, value in batch
                            ],
                        },
                    )
            else:
                seed_history_of_mlflow(place / "store.db", run_id, points)
            query = f"metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=long&max_results=320"
            found[peer.name] = median_of(3, lambda at=running.address, query=query: get(at, query))
    bench.add(
        Row(
            f"history of {points:,} points, reduced to 320 for a chart",
            "ms",
            found[OURS.name],
            found[THEIRS.name],
            "20 ×",
        )
    )


def models(bench: Bench) -> None:
    """Logging a model, fitting with autolog, and predicting, on a SQLite store."""

    def both(work: str, ours: str, theirs: str) -> tuple[dict[str, float], dict[str, float]]:
        found = []
        for peer, times in ((OURS, ours), (THEIRS, theirs)):
            place = bench.folder(f"{work}-{peer.module}")
            said = run_client(
                peer, place, work, times, uri=f"sqlite:///{place}/store.db", program="client_models.py"
            )
            found.append(json.loads(said))
        return found[0], found[1]

    ours, theirs = both("log_model", "10" if bench.quick else "30", "1" if bench.quick else "5")
    bench.add(Row("log_model of a small scikit-learn pipeline, with an input example", "ms", ours["log_model"],
                  theirs["log_model"], "30 ×, ≤ 150 ms"))
    ours, theirs = both("autolog", "10" if bench.quick else "30", "1" if bench.quick else "5")
    bench.add(Row("fit of the same with sklearn.autolog(), its own run and model included", "ms",
                  ours["autologged"], theirs["autologged"], "30 ×, ≤ 150 ms"))
    ours, theirs = both("loop", "1000" if bench.quick else "10000", "1000" if bench.quick else "10000")
    bench.add(Row("xgboost.autolog() over 10,000 rounds: overhead of a round with its metric", "µs",
                  ours["microseconds"], theirs["microseconds"]))
    ours, theirs = both("predict", "200" if bench.quick else "1000", "200" if bench.quick else "1000")
    for key, words in (("row", "one row"), ("million", "1,000,000 rows")):
        bench.add(Row(f"pyfunc predict of {words}, signature checked", "ms", ours[key], theirs[key]))
        bench.add(Row(f"the same of {words} by the estimator itself", "ms", ours[f"{key} bare"], theirs[f"{key} bare"]))


def serving(bench: Bench) -> None:
    """Scoring servers with one worker: the time until one answers, and single rows from one client and sixteen.

    The limits are a bare server that sends back what it gets, and a bare Python that loads the model.
    """
    seconds = 2 if bench.quick else 8
    starts = 1 if bench.quick else 3
    for kind, words in (("sklearn", "a scikit-learn pipeline"), ("xgboost", "XGBoost, 100 trees")):
        found: dict[tuple[str, int], dict[str, float]] = {}
        ready: dict[str, list[float]] = {peer.name: [] for peer in PEERS}
        folders: dict[str, Path] = {}
        columns = ""
        for peer in PEERS:
            place = bench.folder(f"serving-{kind}-{peer.module}")
            folders[peer.name] = place / "model"
            said = run_client(peer, place, "save", kind, str(place / "model"), program="client_models.py")
            columns = ",".join(json.loads(said)["columns"])
        for attempt in range(starts):
            for peer in PEERS:
                with scoring(peer, folders[peer.name].parent, folders[peer.name]) as running:
                    ready[peer.name].append(running.ready_seconds * 1000)
                    for clients in (1, 16) if attempt == starts - 1 else ():
                        scored(running.address, columns, clients, 1)  # warms up
                        found[peer.name, clients] = scored(running.address, columns, clients, seconds)
        command = [str(OURS.python), "-c", BARE[kind], str(folders[OURS.name])]
        bare = median_of(starts, functools.partial(subprocess.run, command, check=True, capture_output=True))
        ours_ready, theirs_ready = (statistics.median(ready[peer.name]) for peer in PEERS)
        start = f"scoring server, {words}: from its start to its first answer"
        bench.add(Row(start, "ms", ours_ready, theirs_ready, "8 ×"))
        bench.add(Row(f"the limit: a bare Python that loads the model ({words})", "ms", bare, None))
        for clients, goal in ((1, "5 ×"), (16, "30 ×")):
            ours, theirs = found[OURS.name, clients], found[THEIRS.name, clients]
            assert not ours["errors"], f"{ours['errors']} errors"
            who = f"scoring of single rows, {words}, {clients} client{'s' if clients > 1 else ''}"
            bench.add(Row(who, "requests/s", rate(ours), rate(theirs), goal, True))
            bench.add(Row(f"{who}, median", "ms", ours["p50"] / 1000, theirs["p50"] / 1000, "lower"))
            bench.add(Row(f"{who}, 99th percentile", "ms", ours["p99"] / 1000, theirs["p99"] / 1000, "lower"))
    with echoing(bench.folder("echo")) as running:
        for clients in (1, 16):
            scored(running.address, columns, clients, 1)
            limit = scored(running.address, columns, clients, seconds)
            who = f"the limit: a bare server's echo of the same requests, {clients} client{'s' if clients > 1 else ''}"
            bench.add(Row(who, "requests/s", rate(limit), None, "", True))
            bench.add(Row(f"{who}, 99th percentile", "ms", limit["p99"] / 1000, None))


# What loads a model's library and the model, and does nothing else.
BARE = {
    "sklearn": "import pickle, sys; pickle.load(open(sys.argv[1] + '/model.pkl', 'rb'))",
    "xgboost": "import sys, xgboost; xgboost.XGBRegressor().load_model(sys.argv[1] + '/model.ubj')",
}


def scored(address: str, columns: str, clients: int, seconds: int) -> dict[str, float]:
    """What so many clients measure that ask for predictions of single rows for so many seconds."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s",
               str(ROOT / "benchmarks" / "score.lua"), address, "--", columns]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    measured: dict[str, float] = json.loads(line[5:])
    return measured


def files(bench: Bench) -> None:
    """``models predict`` of a CSV file by a scikit-learn pipeline, in this environment: the command and its memory."""
    rows = 20_000 if bench.quick else 1_000_000
    measured = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); " \
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    found: dict[str, tuple[float, float]] = {}
    answers: dict[str, list[float]] = {}
    for peer in PEERS:
        place = bench.folder(f"files-{peer.module}")
        run_client(peer, place, "save", "sklearn", str(place / "model"), program="client_models.py")
        run_client(peer, place, "file", str(rows), str(place / "rows.csv"), program="client_models.py")
        command = [*peer.command, "models", "predict", "-m", "model", "-i", "rows.csv", "-t", "csv", "-o", "out.json",
                   "--env-manager", "local"]
        environment = peer.environment()
        environment["PATH"] = f"{peer.python.parent}{os.pathsep}{environment['PATH']}"
        times, memory = [], 0.0
        for _ in range(3):
            (place / "out.json").unlink(missing_ok=True)
            began = time.perf_counter()
            done = subprocess.run([str(peer.python), "-c", measured, *command], cwd=place, env=environment, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            times.append(time.perf_counter() - began)
            memory = max(memory, int(done.stdout.split()[-1]) / 1000)
        found[peer.name] = statistics.median(times), memory
        answers[peer.name] = json.loads((place / "out.json").read_text())["predictions"]
    pairs = zip(answers[OURS.name], answers[THEIRS.name], strict=True)
    assert max(abs(one - other) for one, other in pairs) < 1e-6
    (ours, our_memory), (theirs, their_memory) = found[OURS.name], found[THEIRS.name]
    bench.add(Row(f"models predict of a CSV file of {rows:,} rows: the whole command", "s", ours, theirs))
    bench.add(Row("the same: most memory of a process", "MB", our_memory, their_memory))


@dataclass(frozen=True)
class _Page:
    """A page of each system, ours first: its address, and an XPath of what makes it ready."""

    addresses: tuple[str, str]
    ready: tuple[str, str]
    goal: str = ""


_COMPARED = 10


def _pages(runs: int) -> dict[str, _Page]:
    run = run_id_of(runs - 1)
    several = [run_id_of(number) for number in range(runs - _COMPARED, runs)]
    compared = urlencode({"runs": json.dumps(several), "experiments": '["0"]'})
    rows = '//*[@role="row"]//a[contains(@href, "/{}/")]'
    named = '//text()[normalize-space(.)="{}"]'
    table = {f"table of {runs:,} runs": _Page(
        ("/exp/0", "/#/experiments/0/runs"), (rows.format("run"), rows.format("runs")),
        "6.7 ×" if runs > 200 else "4 ×",
    )}
    if runs > 200:
        return table
    return {
        "list of experiments": _Page(("/", "/#/experiments"), (rows.format("exp"), rows.format("experiments")), "4 ×"),
        **table,
        "a run": _Page((f"/run/{run}", f"/#/experiments/0/runs/{run}"), (named.format("m9"), named.format("m9"))),
        f"{_COMPARED} runs compared": _Page(
            (f"/compare?sel={','.join(several)}", f"/#/compare-runs?{compared}"),
            (named.format(f"run-{runs - 1}"),) * 2,
        ),
    }


def pages(bench: Bench) -> None:
    """Pages in a browser with an empty cache, over the same runs."""
    from browser import Figure, chromium, loaded

    times = 1 if bench.quick else 5
    found: dict[str, tuple[list[dict[str, Figure]], str]] = {}
    for peer, seed in ((OURS, seed_millstream), (THEIRS, seed_mlflow)):
        empty = bench.folder(f"pages-{peer.module}")
        with served(peer, empty):
            pass  # it makes its tables
        for runs in (200, 2_000):
            place = bench.folder(f"pages-{peer.module}-{runs}")
            shutil.copy(empty / "store.db", place / "store.db")
            seed(place / "store.db", runs, 10, 10)
            with served(peer, place) as running, chromium() as browser:
                for name, page in _pages(runs).items():
                    at = PEERS.index(peer)
                    figures = loaded(browser, running.address + page.addresses[at], page.ready[at], times)
                    found.setdefault(name, ([], page.goal))[0].append(figures)
    for name, ((ours, theirs), goal) in found.items():
        for figure, work, unit, by, aim in (
            ("interactive", "until it is interactive", "ms", 1, goal),
            ("blocked", "blocked on load", "ms", 1, "≤ 50 ms"),
            ("bytes", "bytes on the wire", "kB", 1e3, ""), ("requests", "requests", "", 1, ""),
            ("memory", "JavaScript's memory", "MB", 1e6, ""),
        ):
            one, other = (Figure(f.median / by, f.low / by, f.high / by) for f in (ours[figure], theirs[figure]))
            bench.add(Row(
                f"web UI, {name}: {work}", unit, one.median, other.median, aim,
                spans=((one.low, one.high), (other.low, other.high)),
            ))


def projects(bench: Bench) -> None:
    """``run`` of a project by the command line, its environment made by uv: the systems take turns."""
    from projects import Project, Taken, middle

    firsts, times = (1, 2) if bench.quick else (3, 7)
    both = [Project(peer, bench.folder(f"projects-{peer.module}"), ["scikit-learn"]) for peer in PEERS]

    def in_turns(count: int, work: Callable[[Project], Taken]) -> tuple[Taken, Taken]:
        found = [[work(project) for project in both] for _ in range(count)]
        ours, theirs = (middle([turn[place] for turn in found]) for place in range(2))
        return ours, theirs

    first = in_turns(firsts, Project.first)
    again, bare = in_turns(times, Project.again), in_turns(times, Project.bare)
    cached = "run of a project whose environment is there, beyond its command"
    wall = [(one.wall - command.wall) * 1000 for one, command in zip(again, bare, strict=True)]
    bench.add(Row(cached, "ms", *wall, goal="10 ×, ≤ 300 ms"))
    busy = [(one.processor - command.processor) * 1000 for one, command in zip(again, bare, strict=True)]
    bench.add(Row(f"{cached}: processor time", "ms", *busy))
    making = "first run of a project with scikit-learn, its environment made from uv's cache"
    bench.add(Row(making, "s", *(one.wall for one in first)))
    bench.add(Row(f"{making}: processor time", "s", *(one.processor for one in first)))


def grid(bench: Bench) -> None:
    """The pages over as much data as they have to bear: seed_ui.py makes it in six minutes, unless it is there."""
    from browser import chromium
    from grid import grid as measured

    database = bench.grid or bench.folder("grid") / "store.db"
    if not database.exists():
        from seed_ui import seed

        sizes = {"runs": 3_000, "columns": 100, "points": 100_000, "keys": 2_000} if bench.quick else {}
        seed(database, **sizes, several=10)
    with sqlite3.connect(database) as connection:
        ids = {name: str(number) for number, name in connection.execute("SELECT id, name FROM experiments")}
    with served(OURS, bench.folder("grid-served"), database) as running, chromium() as browser:
        for one in measured(browser, running.address, ids, 2 if bench.quick else 5):
            figure = one.figure
            bench.add(Row(f"web UI, {one.work}", one.unit, figure.median, None, one.goal,
                          spans=((figure.low, figure.high), None)))


def spark(bench: Bench) -> None:
    """``pyfunc.spark_udf`` of a scikit-learn pipeline over ten columns of doubles, on two threads of one machine."""
    rows = 100_000 if bench.quick else 1_000_000
    found: dict[str, dict[str, float]] = {}
    for peer in PEERS:
        place = bench.folder(f"spark-{peer.module}")
        run_client(peer, place, "save", "sklearn", str(place / "model"), program="client_models.py")
        said = run_client(peer, place, str(place / "model"), str(rows), program="client_spark.py")
        found[peer.name] = json.loads(said)
    ours, theirs = found[OURS.name], found[THEIRS.name]
    assert abs(ours["sum"] - theirs["sum"]) < 1e-6 * abs(ours["sum"])
    who = f"spark_udf of a scikit-learn pipeline over {rows:,} rows"
    bench.add(Row(f"{who}: the first query", "rows/s", ours["cold"], theirs["cold"], "2 ×", True))
    bench.add(Row(f"{who}: later queries", "rows/s", ours["warm"], theirs["warm"], "1.3 ×", True))
    limit = "the limit: a bare mapInArrow with the estimator's own numbers"
    bench.add(Row(limit, "rows/s", ours["bare"], theirs["bare"], "", True))


def batched(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Lists of ``size`` items."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


_connections: dict[str, http.client.HTTPConnection] = {}


def ask(address: str, method: str, call: str, body: bytes | None) -> Any:
    """One request on a connection that is kept; raises RuntimeError for anything but 200."""
    connection = _connections.setdefault(address, http.client.HTTPConnection(urlsplit(address).netloc, timeout=600))
    for attempt in range(2):
        try:
            connection.request(method, f"/api/2.0/mlflow/{call}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            break
        except http.client.RemoteDisconnected:  # a server closes what has been idle while tables were filled
            connection.close()
            if attempt:
                raise
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{call}: {answer.status} {content[:300]!r}")
    return json.loads(content)


def post(address: str, call: str, body: object) -> Any:
    """POST JSON."""
    return ask(address, "POST", call, json.dumps(body).encode())


def get(address: str, call: str) -> Any:
    """GET JSON."""
    return ask(address, "GET", call, None)


ROWS: dict[str, Callable[[Bench], None]] = {
    "import": start_up,
    "server": server,
    "fluent": fluent,
    "rest": rest,
    "ingestion": ingestion,
    "search": search,
    "history": history,
    "models": models,
    "serving": serving,
    "files": files,
    "spark_udf": spark,
    "projects": projects,
    "pages": pages,
    "grid": grid,
    "million": million,
}

# What a throw-away prototype reached on this kind of machine: how near the limit we are.
LIMITS = """\
A prototype of nothing but the hot path showed on this kind of machine, as the near limit: 4,000 durable `log-metric` a
second from one client and 20,000 from eight; at 1,000,000 runs a page of 50 filtered on a metric and a parameter and
ordered by a third key in 7 ms, ordered only in under 1 ms; a selective filter from its own index in 0.1 ms; appending a
point to a file 1.3 µs."""


def machine() -> str:
    """The machine in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} × {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite"
    )


def report(bench: Bench, before: str) -> str:
    """The page with the results: of ``before``, the page as it was, the rows that were not measured again stay."""
    lines = [
        "# Results",
        "",
        f"Millstream beside MLflow {MLFLOW}, measured by `make bench`, both systems in one go; each row as it was when "
        "it was measured last.",
        "",
        f"Machine: {machine()}. Medians; both servers with their defaults, on SQLite, on loopback; load from `wrk` on "
        "the same machine. Ratios say how many times better ours is.",
        "",
        "| work | unit | Millstream | MLflow | ratio | goal | on |",
        "|---|---|--:|--:|--:|---|---|",
    ]
    table = {line.split(" | ")[0]: line for line in before.splitlines() if line.startswith("| ") and " | " in line[2:]}
    table.pop("| work", None)
    for row in bench.rows:
        ratio = f"{row.ratio:,.1f} ×" if row.ratio else ""
        cells = (row.work, row.unit, *cells_of(row), ratio, row.goal, time.strftime("%Y-%m-%d"))
        table[f"| {row.work}"] = f"| {' | '.join(cells)} |"
    lines += table.values()
    notes = ROOT / "benchmarks" / "NOTES.md"
    return "\n".join([*lines, "", LIMITS, "", notes.read_text() if notes.exists() else ""]).rstrip() + "\n"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated: " + ", ".join(ROWS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--grid", type=Path, help="a store that seed_ui.py has made, for the rows grid")
    options = parser.parse_args()
    if not THEIRS.python.exists():
        raise SystemExit("error: MLflow's environment is missing\n\nhint: run `make bench`, which makes it")
    if not shutil.which("wrk"):
        raise SystemExit("error: the load generator wrk is missing\n\nhint: apt-get install wrk")
    chosen = options.rows.split(",")
    with tempfile.TemporaryDirectory(prefix="millstream-bench-") as place:
        bench = Bench(Path(place), options.quick, options.grid)
        for name in chosen:
            ROWS[name](bench)
            _connections.clear()
    if not options.quick:
        page = ROOT / "benchmarks" / "RESULTS.md"
        page.write_text(report(bench, page.read_text() if page.exists() and chosen != list(ROWS) else ""))


if __name__ == "__main__":
    main()
