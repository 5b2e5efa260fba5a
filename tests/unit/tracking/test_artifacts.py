from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import millstream
from millstream.errors import (
    ArtifactNotFound,
    BadRequest,
    InvalidPath,
    InvalidValue,
    RegisteredModelNotFound,
    RunNotFound,
)

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("tracking")

PIXELS = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)


@pytest.fixture
def run_id() -> str:
    """A run that has ended."""
    with millstream.start_run() as run:
        return run.info.run_id


def paths(run_id: str, folder: str | None = None) -> list[str]:
    return [entry.path for entry in millstream.MlflowClient().list_artifacts(run_id, folder)]


def text(run_id: str, path: str) -> str:
    return str(millstream.artifacts.load_text(f"runs:/{run_id}/{path}"))


def test_text_and_dictionaries(run_id: str) -> None:
    millstream.log_text("hé", "a/b.txt", run_id)
    assert text(run_id, "a/b.txt") == "hé"
    values = {"z": 1, "b": [1.5, None]}
    millstream.log_dict(values, "d.json", run_id)
    assert text(run_id, "d.json") == '{\n  "z": 1,\n  "b": [\n    1.5,\n    null\n  ]\n}'
    millstream.log_dict(values, "d.yml", run_id)
    assert text(run_id, "d.yml") == "z: 1\nb:\n- 1.5\n- null\n"
    millstream.log_dict({"odd": np.float32(1.5)}, "d", run_id)
    assert text(run_id, "d") == '{\n  "odd": "1.5"\n}'
    assert millstream.artifacts.load_dict(f"runs:/{run_id}/d.json") == values
    assert paths(run_id) == ["a", "d", "d.json", "d.yml"]
    with pytest.raises(TypeError, match="text is expected"):
        millstream.log_text(5, "n.txt", run_id)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/abs.txt", "../x.txt", "a/../../x.txt", "", ".", "a\\b.txt", "%2e%2e/x", "x#y.txt"])
def test_paths_that_leave_or_can_be_read_in_two_ways_are_refused(run_id: str, path: str) -> None:
    with pytest.raises(InvalidPath):
        millstream.log_text("x", path, run_id)
    with pytest.raises(InvalidPath):
        millstream.delete_artifact(path, run_id)
    with pytest.raises(InvalidValue):
        millstream.log_text("x", None, run_id)  # type: ignore[arg-type]


def test_paths_that_only_look_odd_are_put_right(run_id: str) -> None:
    millstream.log_text("x", "a/./b//c/../d.txt", run_id)
    assert text(run_id, "a/b/d.txt") == "x"


def test_the_active_run_is_the_place_unless_one_is_named(run_id: str) -> None:
    with millstream.start_run() as run:
        millstream.log_text("inner", "x.txt")
        millstream.log_text("other", "x.txt", run_id)
        assert millstream.get_artifact_uri() == run.info.artifact_uri
        assert millstream.get_artifact_uri("a/b") == f"{run.info.artifact_uri}/a/b"
    assert text(run.info.run_id, "x.txt") == "inner"
    assert text(run_id, "x.txt") == "other"
    millstream.log_text("started", "x.txt")  # as in MLflow, a run begins by itself
    active = millstream.active_run()
    assert active is not None
    assert text(active.info.run_id, "x.txt") == "started"


def test_files_and_folders(run_id: str, tracking: Path) -> None:
    source = tracking / "loc"
    (source / "sub").mkdir(parents=True)
    (source / "one").write_text("1")
    (source / "sub" / "two").write_text("22")
    millstream.log_artifact("loc/one", run_id=run_id)
    millstream.log_artifact(source / "one", Path("p/q"), run_id)
    millstream.log_artifact("loc", "dd", run_id)
    millstream.log_artifacts("loc", "pp", run_id)
    assert paths(run_id) == ["dd", "one", "p", "pp"]
    assert text(run_id, "p/q/one") == "1"
    assert text(run_id, "dd/loc/sub/two") == "22"
    assert text(run_id, "pp/sub/two") == "22"
    for call in (millstream.log_artifact, millstream.log_artifacts):
        with pytest.raises(FileNotFoundError):
            call("nowhere", run_id=run_id)
        with pytest.raises(InvalidPath):
            call("loc", "../up", run_id)


def test_streams(run_id: str) -> None:
    stream = io.BytesIO(b"-" + b"x" * 3_000_000)
    stream.read(1)
    millstream.log_stream(stream, "s/x.bin", run_id)
    [file] = millstream.MlflowClient().list_artifacts(run_id, "s")
    assert (file.path, file.is_dir, file.file_size) == ("s/x.bin", False, 3_000_000)
    with pytest.raises(TypeError, match="bytes"):
        millstream.log_stream(io.StringIO("text"), "s/y.txt", run_id)  # type: ignore[arg-type]
    assert paths(run_id, "s") == ["s/x.bin"]


def test_figures() -> None:
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([1, 2])
    with millstream.start_run() as run:
        millstream.log_figure(figure, "f.png")
        millstream.log_figure(figure, "x/f.svg", save_kwargs={"dpi": 30})
        with pytest.raises(TypeError):
            millstream.log_figure(5, "f.png")
    image = millstream.artifacts.load_image(f"runs:/{run.info.run_id}/f.png")
    assert image.size == (640, 480)
    assert "<svg" in text(run.info.run_id, "x/f.svg")


def test_images() -> None:
    with millstream.start_run() as run:
        millstream.log_image(PIXELS, "i.png")
        millstream.log_image(millstream.Image(PIXELS), "m.png")
        millstream.log_image(Image.fromarray(PIXELS), key="a/b c", step=3, timestamp=77, synchronous=True)
        for arguments in ({"artifact_file": "i.png", "key": "k"}, {"artifact_file": "i.png", "step": 1}, {}):
            with pytest.raises(TypeError):
                millstream.log_image(PIXELS, **arguments)
    loaded = millstream.artifacts.load_image(f"runs:/{run.info.run_id}/i.png")
    assert np.array_equal(np.asarray(loaded), PIXELS)
    thumbnail, image = paths(run.info.run_id, "images")
    assert image.startswith("images/a~b c+step+3+timestamp+77+")
    assert thumbnail.endswith("+compressed.webp")
    assert millstream.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"


def test_tables_grow_and_are_read_over_runs() -> None:
    runs = []
    for number in range(2):
        with millstream.start_run(run_name=f"run {number}") as run:
            millstream.log_param("number", number)
            millstream.log_table({"a": [number], "b": ["x"]}, "t.json")
            millstream.log_table(pd.DataFrame({"a": [5], "c": [1.5]}), "t.json")
            millstream.log_table({"other": [1]}, "o.json")
            runs.append(run.info.run_id)
    with millstream.start_run():
        pass
    assert json.loads(text(runs[0], "t.json")) == {"columns": ["a", "b", "c"], "data": [[0, "x", None], [5, None, 1.5]]}
    tag = millstream.get_run(runs[0]).data.tags["mlflow.loggedArtifacts"]
    assert json.loads(tag) == [{"path": "t.json", "type": "table"}, {"path": "o.json", "type": "table"}]
    frame = millstream.load_table("t.json", run_ids=runs, extra_columns=["run_id", "run_name", "params.number"])
    assert list(frame.columns) == ["a", "b", "c", "run_id", "run_name", "params.number"]
    assert list(frame["a"]) == [0, 5, 1, 5]
    assert list(frame["params.number"]) == ["0", "0", "1", "1"]
    with pytest.raises(ArtifactNotFound):
        millstream.load_table("nope.json", run_ids=runs)
    with pytest.raises(InvalidValue, match="zz"):
        millstream.load_table("t.json", run_ids=runs, extra_columns=["zz"])


def test_tables_of_an_experiment() -> None:
    for number in range(3):
        with millstream.start_run():
            if number:
                millstream.log_table({"a": [number]}, "it's_é.json")
    assert sorted(millstream.load_table("it's_é.json")["a"]) == [1, 2]
    with pytest.raises(ArtifactNotFound):
        millstream.load_table("s_e.json")


@pytest.mark.parametrize(("data", "error"), [([1], TypeError), ("text", TypeError)])
def test_what_is_no_table(data: Any, error: type[Exception]) -> None:
    with millstream.start_run():
        with pytest.raises(error):
            millstream.log_table(data, "t.json")
        with pytest.raises(InvalidValue, match=r"\.parquet"):
            millstream.log_table({"a": [1]}, "t.csv")


def test_artifacts_are_removed(run_id: str) -> None:
    millstream.log_text("x", "a/b.txt", run_id)
    millstream.log_text("x", "a/c.txt", run_id)
    millstream.delete_artifact("a/b.txt", run_id)
    assert paths(run_id, "a") == ["a/c.txt"]
    millstream.MlflowClient().delete_artifact(run_id, "a")
    assert paths(run_id) == []
    with pytest.raises(ArtifactNotFound):
        millstream.delete_artifact("a", run_id)


def test_fetching_keeps_the_last_name(run_id: str, tracking: Path) -> None:
    millstream.log_text("x", "a/b/c.txt", run_id)
    fetch = millstream.artifacts.download_artifacts
    client = millstream.MlflowClient()
    out = str(tracking / "out")
    root = millstream.get_run(run_id).info.artifact_uri
    assert client.download_artifacts(run_id, "a/b/c.txt", out) == f"{out}/c.txt"
    assert client.download_artifacts(run_id, "a/b", "out") == f"{out}/b"
    assert fetch(f"runs:/{run_id}/a/b/c.txt", dst_path=f"{out}/4") == f"{out}/4/c.txt"
    assert fetch(run_id=run_id, artifact_path="a/b/c.txt", dst_path=f"{out}/5") == f"{out}/5/c.txt"
    assert fetch(run_id=run_id, dst_path=f"{out}/6") == f"{out}/6"
    assert fetch(f"{root}/a/b", dst_path=f"{out}/8") == f"{out}/8/b"
    assert fetch(f"file://{root}/a", dst_path=f"{out}/9") == f"{out}/9/a"
    found = sorted(str(file.relative_to(out)) for file in Path(out).rglob("*") if file.is_file())
    assert found == ["4/c.txt", "5/c.txt", "6/a/b/c.txt", "8/b/c.txt", "9/a/b/c.txt", "b/c.txt", "c.txt"]
    assert fetch(run_id=run_id, artifact_path="a/b/c.txt") == f"{root}/a/b/c.txt"
    assert fetch(run_id=run_id) == root


def test_listing_by_address(run_id: str) -> None:
    millstream.log_text("x", "a/b/c.txt", run_id)
    look = millstream.artifacts.list_artifacts
    assert [entry.path for entry in look(run_id=run_id)] == ["a"]
    assert [entry.path for entry in look(run_id=run_id, artifact_path="a/b")] == ["a/b/c.txt"]
    assert [entry.path for entry in look(f"runs:/{run_id}/a/b")] == ["b/c.txt"]
    assert [entry.path for entry in look(f"{millstream.get_run(run_id).info.artifact_uri}/a")] == ["a/b"]
    assert look(f"runs:/{run_id}/a/b/c.txt") == look(f"runs:/{run_id}/zzz") == []


@pytest.mark.parametrize("function", [millstream.artifacts.download_artifacts, millstream.artifacts.list_artifacts])
def test_addresses_that_are_none(run_id: str, function: Any) -> None:
    for arguments in ({}, {"artifact_uri": "x", "run_id": run_id}, {"artifact_uri": "x", "artifact_path": "y"},
                      {"artifact_uri": 5}, {"artifact_uri": "runs:/"}):
        with pytest.raises(InvalidValue):
            function(**arguments)
    with pytest.raises(RunNotFound):
        function(run_id="nobody", artifact_path="a")
    with pytest.raises(RegisteredModelNotFound):
        function("models:/net/1")
    with pytest.raises(InvalidPath):
        function(run_id=run_id, artifact_path="../..")


def test_what_is_not_there(run_id: str) -> None:
    fetch = millstream.artifacts.download_artifacts
    for arguments in ({"run_id": run_id, "artifact_path": "no"}, {"artifact_uri": f"runs:/{run_id}/no"},
                      {"artifact_uri": "/nowhere/no"}):
        with pytest.raises(ArtifactNotFound):
            fetch(**arguments)
    with pytest.raises(ArtifactNotFound):
        text(run_id, "no.txt")


def test_what_is_something_else(run_id: str) -> None:
    millstream.log_stream(io.BytesIO(b"\xff\xfe"), "b.bin", run_id)
    address = f"runs:/{run_id}/b.bin"
    for load in (millstream.artifacts.load_text, millstream.artifacts.load_dict, millstream.artifacts.load_image):
        with pytest.raises(BadRequest, match=r"b\.bin"):
            load(address)
