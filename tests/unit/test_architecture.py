"""Imports run one way, heavy libraries are noticed and not imported, and the architecture page tells the truth."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "millstream"

# A room may import those before it.
ORDER = [
    "_version",
    "errors",
    "settings",
    "plugins",
    "outgoing",
    "yaml_texts",
    "names",
    "webhooks",
    "entities",
    "operations",
    "search",
    "stores",
    "artifacts",
    "environments",
    "tracking.context",
    "models",
    "data",
    "tracking",
    "flavors",
    "autolog",
    "evaluation",
    "registry",
    "projects",
    "tuning",
    "inference",
    "web",
    "serving",
    "server",
    "deploy",
    "interop",
    "testing",
    "cli",
]
# Rooms that never see each other, whatever the order says.
STRANGERS = [
    ("server", "tracking"), ("server", "serving"), ("serving", "server"), ("server", "data"), ("server", "models"),
    ("server", "flavors"), ("server", "autolog"), ("server", "evaluation"), ("server", "tuning"),
    ("server", "projects"),
]
# Where users find the functions of a library: each names what lives in flavors/ and autolog/, and no room imports it.
# So does the door to monitoring, which lives in models/ and serving/.
DOORS = {
    "catboost", "keras", "lightgbm", "monitoring", "onnx", "prophet", "pyfunc", "pyspark", "pytorch", "sklearn",
    "spark", "statsmodels", "tensorflow", "xgboost",
}
# Names that users of MLflow import from places where it has them; they only point to where things live.
FACADES = {"__init__", "__main__", "_aliases", "config", "environment_variables", "exceptions", "entities"}


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module of ours that a file imports, and whether at its top."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
            if node.module == "millstream":
                names = [f"millstream.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("millstream."):
                yield name, id(node) in top


def room(module: str) -> str:
    # A room within a room: what a run knows of itself, which data sets record too. It sees nothing of `tracking`.
    if f"{module}.".startswith("millstream.tracking.context."):
        return "tracking.context"
    return module.split(".")[1]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(".".join(("millstream", *path.relative_to(PACKAGE).with_suffix("").parts)))
    if here in DOORS or (here in FACADES and here != "entities"):
        return
    assert here in ORDER, f"{here} has no place in the order; see docs/architecture.md"
    for name, _ in imports_of(path):
        there = room(name)
        if there == here or there in FACADES - {"entities"}:
            continue
        assert there in ORDER, f"{path} imports {name}"
        assert ORDER.index(there) < ORDER.index(here), f"{path} imports {name}, which stands behind it"
        assert (here, there) not in STRANGERS, f"{path} imports {name}"


def test_the_architecture_page_draws_the_same_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    drawn = re.findall(r"^    (\w+)(?:\.py|/)? {2,}", page, re.MULTILINE)
    existing = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    assert [name for name in ORDER if name in drawn] == [name for name in drawn if name in ORDER]
    missing = {name for name in ORDER if name in existing and name != "_version"} - set(drawn)
    assert not missing, f"docs/architecture.md does not tell of {missing}"


def loaded_by(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after ``program``."""
    code = f"{program}\nimport sys, json\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {
    "pandas",
    "numpy",
    "polars",
    "pyarrow",
    "sklearn",
    "matplotlib",
    "PIL",
    "sqlalchemy",
    "alembic",
    "starlette",
    "uvicorn",
    "obstore",
    "fsspec",
    "rich",
    "psycopg",
    "scipy",
    "catboost",
    "keras",
    "lightgbm",
    "lightning",
    "onnx",
    "onnxruntime",
    "prophet",
    "pyspark",
    "shap",
    "skl2onnx",
    "skops",
    "statsmodels",
    "tensorflow",
    "torch",
    "xgboost",
    "optuna",
    "hyperopt",
    "structlog",
    "prometheus_client",
}


@pytest.mark.parametrize("door", sorted(door for door in DOORS if (PACKAGE / f"{door}.py").exists()))
def test_a_door_opens_without_its_library(door: str) -> None:
    assert not loaded_by(f"import millstream.{door}") & HEAVY


def test_importing_costs_no_library() -> None:
    assert not loaded_by("import millstream") & (HEAVY | {"urllib3", "click", "psutil", "yaml", "re2"})


def test_the_command_line_loads_what_it_was_asked_for() -> None:
    program = (
        "import sys\nfrom millstream.cli import main\nsys.argv = ['millstream', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert not loaded_by(program) & (HEAVY - {"rich"})


def test_a_script_that_logs_to_a_folder_never_pays_for_pandas(tmp_path: Path) -> None:
    program = (
        f"import millstream as m\nm.set_tracking_uri({str(tmp_path)!r})\n"
        "with m.start_run():\n    m.log_metric('loss', 0.5)\n    m.log_param('depth', 3)\n"
    )
    assert not loaded_by(program) & (HEAVY - {"sqlalchemy"})
