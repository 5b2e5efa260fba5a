"""The main job on real data: a server, models trained and logged, compared, the best found, registered and loaded back.

    python examples/demo/main.py [--folder .demo] [--port 5000]

Everything stays in the folder: a second start finds what the first one logged and adds to it. In a terminal the server
runs on until Ctrl-C; otherwise the program ends by itself.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import training
from rich.console import Console
from rich.table import Table

import millstream as mlflow

console = Console()


def free_port(wanted: int) -> int:
    """``wanted`` when nobody listens there, else a port that the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("error: there is no free port on 127.0.0.1")


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """A tracking server on an embedded store in ``folder``; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "millstream",
        "server",
        "--port",
        str(port),
        "--backend-store-uri",
        f"sqlite:///{folder}/millstream.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until_ready(address, process, folder / "server.log")
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers. Raises SystemExit with its last words when it ends instead."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"error: the server ended by itself\n\n{log.read_text()[-2000:]}")
        try:
            with urlopen(f"{address}/health", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise SystemExit(f"error: the server did not answer within 30 s\n\nhint: see {log}")


def compare(experiment: str, metric: str, ascending: bool, columns: list[str]) -> str:
    """Print the candidates of an experiment, best first; the id of the best."""
    order = f"metrics.{metric} {'ASC' if ascending else 'DESC'}"
    found = mlflow.search_runs(
        experiment_names=[experiment], filter_string=f"metrics.{metric} IS NOT NULL", order_by=[order], max_results=8
    )
    table = Table(title=f"{experiment}: candidates by {metric}", title_justify="left")
    for heading in ("run", *columns, metric):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for _, run in found.iterrows():
        cells = [run.get(f"params.{name}", run.get(f"metrics.{name}")) for name in columns]
        table.add_row(run["tags.mlflow.runName"], *map(shown, cells), f"{run[f'metrics.{metric}']:.4f}")
    console.print(table)
    return str(found.iloc[0]["run_id"])


def shown(cell: object) -> str:
    """A parameter as it is, a metric with four digits, nothing for what is not there."""
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:.4f}"
    return "" if cell is None else str(cell)


def read_back(run_id: str, metric: str, figure: str) -> None:
    """Fetch the best run's history and one of its files from the server, as any program could."""
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    history = client.get_metric_history(run_id, metric)
    picture = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=figure)
    inputs = ", ".join(
        f"{used.dataset.name} ({used.dataset.digest})"
        for used in client.get_run(run.data.tags["mlflow.parentRunId"]).inputs.dataset_inputs
    )
    console.print(
        f"  best: [bold]{run.info.run_name}[/bold], {metric} = {run.data.metrics[metric]:.4f} after "
        f"{len(history)} point(s), data {inputs}",
        soft_wrap=True,
    )
    console.print(f"  fetched back: {figure}, {Path(picture).stat().st_size:,} bytes\n")


def register(run_id: str, name: str) -> None:
    """Make the model of a run the next version of a registered model, and let that version predict."""
    version = mlflow.register_model(f"runs:/{run_id}/model", name)
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", version.version)
    uri = f"models:/{name}/{version.version}"
    split = training.Split.of("diabetes", training.datasets.load_diabetes)
    model = mlflow.pyfunc.load_model(uri)
    predicted = ", ".join(f"{value:.0f}" for value in model.predict(split.test_x[:4]))
    measured = ", ".join(f"{value:.0f}" for value in split.test_y[:4])
    console.print(f"  registered as the champion and loaded back: [bold]{uri}[/bold]", soft_wrap=True)
    console.print(f"  it predicts {predicted}; measured {measured}")
    try:
        model.predict(split.test_x.drop(columns="bmi"))
    except mlflow.MlflowException as error:
        console.print(f"  asked without a column: {error}\n", soft_wrap=True)


def command() -> str:
    """The command ``millstream`` as it is typed here."""
    installed = Path(sys.executable).with_name("millstream")
    return str(installed.relative_to(Path.cwd()) if installed.is_relative_to(Path.cwd()) else installed)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".demo"))
    parser.add_argument("--port", type=int, default=5000)
    options = parser.parse_args()
    with server(options.folder.absolute(), free_port(options.port)) as address:
        mlflow.set_tracking_uri(address)
        mlflow.environment_variables.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
        console.print(f"server ready at {address}, store in {options.folder}\n")
        began = time.perf_counter()
        training.train()
        console.print(f"trained and logged in {time.perf_counter() - began:.1f} s\n")
        best = compare("demo-digits", "accuracy", False, ["model", "macro_f1"])
        read_back(best, "accuracy", "confusion.png")
        best = compare("demo-diabetes", "rmse", True, ["model", "r2"])
        read_back(best, "rmse", "predictions.png")
        best = compare("demo-autolog", "test_rmse", True, ["training_score"])
        register(best, "demo-diabetes")
        console.print(f"open  {address}            experiments, runs and their files")
        console.print(f"open  {address}/docs       every call of the REST API")
        console.print(
            f"type  {command()} registry describe demo-diabetes "
            f"--registry-uri sqlite:///{options.folder}/millstream.db",
            soft_wrap=True,
        )
        console.print(
            f"type  {command()} server --backend-store-uri sqlite:///{options.folder}/millstream.db "
            f"--artifacts-destination {options.folder}/artifacts",
            soft_wrap=True,
        )
        if sys.stdout.isatty():
            console.print("\nCtrl-C ends the server; what was logged stays")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                console.print()


if __name__ == "__main__":
    main()
