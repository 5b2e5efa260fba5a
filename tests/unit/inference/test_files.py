"""Files go through a model: in parts, beside kept columns, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import millstream.pyfunc
from millstream import models
from millstream.cli import main
from millstream.errors import AlreadyExists, BadRequest, FunctionFailed, InvalidValue, NotFound, SchemaMismatch
from millstream.inference import job
from millstream.inference.files import predict_files
from millstream.inference.job import Done
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, Schema
from tests.isolation import isolated
from tests.servers.processes import wait_until

ROWS = 10


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield tmp_path


def saved(folder: Path, function: Callable[..., Any], *columns: str) -> str:
    signature = ModelSignature(Schema([ColSpec("double", name) for name in columns])) if columns else None
    millstream.pyfunc.save_model(folder, python_model=function, signature=signature, pip_requirements=["pandas"])
    return str(folder)


@pytest.fixture
def double(tmp_path: Path) -> str:
    """A model of one column; it counts its calls on a line each."""

    def predict(model_input):  # type: ignore[no-untyped-def]
        import pathlib

        assert list(model_input.columns) == ["x"]
        with pathlib.Path("calls").open("a") as stream:
            stream.write(f"{len(model_input)}\n")
        print("said by the model")
        return (model_input["x"] * 2).to_numpy()

    return saved(tmp_path / "double", predict, "x")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("id,x\n" + "".join(f"00{place},{place / 4}\n" for place in range(ROWS)))
    return tmp_path / "rows.csv"


DOUBLES = [place / 2 for place in range(ROWS)]


def local(model: str, inputs: Any, output: Any = None, **options: Any) -> Done:
    return predict_files(model, inputs, output, env_manager="local", **options)


class TestForms:
    @pytest.mark.parametrize("rows", [None, 0, 1, 3, ROWS])
    def test_the_answer_is_the_same_whatever_the_chunks(
        self, rows: int | None, double: str, table: Path, tmp_path: Path
    ) -> None:
        done = local(double, table, tmp_path / "out.json", chunk_rows=rows)
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": DOUBLES}
        assert (done.rows, done.files) == (ROWS, 1)
        calls = [int(line) for line in (tmp_path / "calls").read_text().split()]
        assert sum(calls) == ROWS and max(calls) == (rows or ROWS)

    def test_kept_columns_go_beside_the_predictions_in_every_form(
        self, double: str, table: Path, tmp_path: Path
    ) -> None:
        for kind in ("json", "jsonl", "csv", "parquet"):
            local(double, table, tmp_path / f"out.{kind}", keep=["id", "x"], chunk_rows=4)
        expected = [{"id": f"00{place}", "x": place / 4, "prediction": place / 2} for place in range(ROWS)]
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": expected}
        assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == expected
        assert pd.read_csv(tmp_path / "out.csv", dtype={"id": str}).to_dict("records") == expected
        assert pd.read_parquet(tmp_path / "out.parquet").to_dict("records") == expected

    def test_a_kept_column_is_what_it_was_in_every_chunk(self, double: str, tmp_path: Path) -> None:
        (tmp_path / "land.csv").write_text("land,x\nNA,1\nnull,2\n,0.5\n")
        for kind in ("csv", "parquet"):
            local(double, tmp_path / "land.csv", tmp_path / f"out.{kind}", keep=["land", "x"], chunk_rows=1)
        text = "land,x,prediction\nNA,1.0,2.0\nnull,2.0,4.0\n,0.5,1.0\n"
        assert (tmp_path / "out.csv").read_text().replace('""', "") == text
        assert pd.read_parquet(tmp_path / "out.parquet").to_dict("list") == {
            "land": ["NA", "null", ""], "x": [1.0, 2.0, 0.5], "prediction": [2.0, 4.0, 1.0]}

    def test_many_files_are_one_answer(self, double: str, table: Path, tmp_path: Path) -> None:
        (tmp_path / "parts").mkdir()
        for place in (2, 10):
            (tmp_path / "parts" / f"{place}.csv").write_text(f"x\n{place}\n")
        done = local(double, tmp_path / "parts", tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == "prediction\n4.0\n20.0\n"
        assert (done.rows, done.files) == (2, 2)
        (tmp_path / "bodies").mkdir()
        for place in (1, 2):
            body = json.dumps({"dataframe_records": [{"x": place}]})
            (tmp_path / "bodies" / f"{place}.json").write_text(body)
        local(double, f"{tmp_path}/bodies/*.json", tmp_path / "out.json")
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": [2.0, 4.0]}

    @pytest.mark.parametrize(("answer", "header", "first"), [
        ("pandas.DataFrame({'a': data.x, 'b': 1})", ["a", "b"], {"a": 0.0, "b": 1}),
        ("pandas.Series(data.x, name='q')", ["q"], {"q": 0.0}),
        ("data[['x', 'x']].to_numpy()", ["prediction_0", "prediction_1"], {"prediction_0": 0.0, "prediction_1": 0.0}),
        ("{'m': data.x.to_numpy(), 's': data[['x']].to_numpy()}", ["m", "s_0"], {"m": 0.0, "s_0": 0.0}),
        ("[{'label': 'no', 'score': x} for x in data.x]", ["label", "score"], {"label": "no", "score": 0.0}),
        ("['text'] * len(data)", ["prediction"], {"prediction": "text"}),
        ("[[x, 1] for x in data.x]", ["prediction"], {"prediction": [0.0, 1]}),
    ])
    def test_predictions_of_every_kind_become_columns(
        self, answer: str, header: list[str], first: dict[str, Any], table: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "model.py").write_text(
            "import pandas\nfrom millstream.pyfunc import PythonModel\nfrom millstream.models import set_model\n"
            f"class M(PythonModel):\n    def predict(self, context, data):\n        return {answer}\nset_model(M())\n"
        )
        signature = ModelSignature(Schema([ColSpec("double", "x")]))
        millstream.pyfunc.save_model(tmp_path / "any", python_model=str(tmp_path / "model.py"), signature=signature,
                                     pip_requirements=["pandas"])
        for kind in ("csv", "jsonl", "parquet"):
            local(str(tmp_path / "any"), table, tmp_path / f"out.{kind}", chunk_rows=4)
        assert list(pd.read_csv(tmp_path / "out.csv").columns) == header
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert lines[0] == first and len(lines) == ROWS
        assert len(pd.read_parquet(tmp_path / "out.parquet")[header]) == ROWS

    def test_what_is_missing_is_null(self, tmp_path: Path, table: Path) -> None:
        model = saved(tmp_path / "none", lambda model_input: [float("nan")] * len(model_input))
        local(model, table, tmp_path / "out.json", chunk_rows=5)
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": [None] * ROWS}

    def test_a_table_without_rows_has_no_predictions(self, double: str, tmp_path: Path) -> None:
        (tmp_path / "empty.jsonl").write_text("\n")
        for kind in ("json", "jsonl", "csv", "parquet"):
            local(double, tmp_path / "empty.jsonl", tmp_path / f"out.{kind}")
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": []}
        assert pd.read_parquet(tmp_path / "out.parquet").empty

    def test_a_model_of_all_rows_together_gets_them_where_that_is_asked(self, table: Path, tmp_path: Path) -> None:
        model = saved(tmp_path / "sum", lambda model_input: {"total": float(model_input["x"].sum())}, "x")
        with pytest.raises(FunctionFailed, match="1 predictions for rows 1 to 4 of"):
            local(model, table, tmp_path / "out.json", chunk_rows=4)
        local(model, table, tmp_path / "out.json", chunk_rows=0)
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": {"total": 11.25}}
        with pytest.raises(FunctionFailed, match="no table"):
            local(model, table, tmp_path / "out.csv")


class TestOutput:
    def test_predictions_alone_are_printed(
        self, double: str, table: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        models.predict(double, input_path=table, env_manager="local", chunk_rows=3)
        printed = capsys.readouterr()
        assert json.loads(printed.out) == {"predictions": DOUBLES}
        assert "said by the model" in printed.err

    def test_a_terminal_is_told_how_far_it_is_and_nothing_else_is(
        self, double: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(job, "_SECONDS_BETWEEN", 0.0)
        local(double, table, tmp_path / "out.json", chunk_rows=4)
        assert "rows" not in capsys.readouterr().err
        screen, device = os.openpty()
        with open(device, "w") as terminal, open(screen, "rb", buffering=0) as shown:
            monkeypatch.setattr(sys, "stderr", terminal)
            local(double, table, tmp_path / "out.json", chunk_rows=4)
            text = shown.read(4096).decode()
        assert [count for count in ("4 rows, ", "8 rows, ", "10 rows, ") if count not in text] == []
        assert text.endswith("\r\x1b[K")

    def test_an_output_that_is_there_is_kept_unless_it_may_be_overwritten(
        self, double: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "out.json").write_text("mine")
        words = ["models", "predict", "-m", double, "-i", str(table), "-o", "out.json", "--env-manager", "local"]
        assert main(words) == 1
        assert "--force" in capsys.readouterr().err
        assert (tmp_path / "out.json").read_text() == "mine"
        assert main([*words, "--force"]) == 0
        assert json.loads((tmp_path / "out.json").read_text()) == {"predictions": DOUBLES}
        with pytest.raises(AlreadyExists):
            local(double, table, tmp_path / "out.json", overwrite=False)
        models.predict(double, input_path=table, output_path=tmp_path / "out.json", env_manager="local")

    def test_a_failure_leaves_what_was_there(self, tmp_path: Path, double: str) -> None:
        (tmp_path / "bad.csv").write_text("x\n" + "1\n" * 7 + "many\n")
        (tmp_path / "out.json").write_text("mine")
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(SchemaMismatch, match=r"row 8 of .*bad\.csv: the column 'x' should be double, found 'many'"):
            local(double, tmp_path / "bad.csv", tmp_path / "out.json", chunk_rows=5)
        assert (tmp_path / "out.json").read_text() == "mine"
        assert set(os.listdir(tmp_path)) - set(before) <= {"calls"}

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_an_interrupted_job_leaves_no_half_file(self, number: int, tmp_path: Path) -> None:
        def slow(model_input):  # type: ignore[no-untyped-def]
            import pathlib
            import threading

            pathlib.Path("begun").write_text("")
            if model_input["x"].iloc[0] > 1:
                threading.Event().wait(60)
            return model_input["x"].to_numpy()

        model = saved(tmp_path / "slow", slow, "x")
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / "rows.csv").write_text("x\n1\n2\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "millstream", "models", "predict", "-m", model, "-i", "rows.csv", "-o", "out.json",
             "--env-manager", "local", "--chunk-rows", "1"], cwd=tmp_path / "work",
        )
        try:
            wait_until((tmp_path / "work" / "begun").exists, 60, "the model's first prediction")
            process.send_signal(number)
            assert process.wait(60) == 128 + number
        finally:
            process.kill()
            process.wait()
        assert sorted(os.listdir(tmp_path / "work")) == ["begun", "rows.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most that a program held, without its parent")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # Of the process that predicts: the most that it ever held, for a file and for one twenty times as long.
    model = saved(tmp_path / "first", lambda model_input: model_input["a"].to_numpy(), *"abcdefghij")
    program = ("import pathlib, re, sys\nfrom millstream.inference.files import predict_files\n"
               "predict_files(*sys.argv[1:], env_manager='local', chunk_rows=5000)\n"
               "print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])")
    held = []
    for times in (1, 20):
        (tmp_path / "rows.csv").write_text("a,b,c,d,e,f,g,h,i,j\n" + "0.5,1,2,3,4,5,6,7,8,9\n" * 20_000 * times)
        done = subprocess.run([sys.executable, "-c", program, model, "rows.csv", "out.json"], cwd=tmp_path, check=True,
                              capture_output=True, text=True)
        held.append(int(done.stdout) // 1000)
        assert len(json.loads((tmp_path / "out.json").read_text())["predictions"]) == 20_000 * times
    assert held[1] - held[0] < 16, held  # the longer table alone has 32 MB of numbers


class TestErrors:
    @pytest.mark.parametrize(("name", "content", "said"), [
        ("a.jsonl", '{"x": 1}\n{"x": "2"}\n', r"row 2 of .*a\.jsonl: the column 'x' should be double, found '2'"),
        ("a.csv", "y\n1\n", r"rows 1 to 1 of .*a\.csv: .*'x' is missing"),
        ("a.json", "none", r"a\.json: the body is not JSON"),
        ("a.json", '{"rows": []}', r"a\.json: the body has 'rows'"),
    ])
    def test_they_name_file_and_row(self, name: str, content: str, said: str, double: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(content)
        with pytest.raises((SchemaMismatch, BadRequest), match=said):
            local(double, tmp_path / name)

    def test_a_whole_number_that_is_missing_is_found(self, tmp_path: Path) -> None:
        model = tmp_path / "whole"
        millstream.pyfunc.save_model(model, python_model=lambda model_input: [1] * len(model_input),
                                     signature=ModelSignature(Schema([ColSpec("long", "n")])), pip_requirements=[])
        (tmp_path / "a.csv").write_text("n,m\n1,1\n2,1\n,1\n")
        with pytest.raises(SchemaMismatch, match="row 3 of .*'n' should be long, found nothing"):
            local(str(model), tmp_path / "a.csv")

    def test_a_model_that_fails_is_told_with_its_rows(self, tmp_path: Path, table: Path) -> None:
        def fail(model_input):  # type: ignore[no-untyped-def]
            if model_input["x"].iloc[-1] > 1:
                raise ZeroDivisionError("too much")
            return model_input["x"].to_numpy()

        model = saved(tmp_path / "fails", fail, "x")
        with pytest.raises(FunctionFailed, match=r"rows 4 to 6 of .*rows\.csv: ZeroDivisionError: too much") as caught:
            local(model, table, chunk_rows=3)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_arguments_that_make_no_sense_are_refused(self, double: str, table: Path, tmp_path: Path) -> None:
        senseless: list[tuple[dict[str, Any], type[Exception]]] = [
            ({"chunk_rows": -1}, InvalidValue), ({"content_type": "xml"}, InvalidValue),
            ({"output_type": "xml"}, InvalidValue), ({"keep": ["z"]}, BadRequest),
            ({"output_path": tmp_path}, InvalidValue), ({"output_path": tmp_path / "no" / "out"}, NotFound),
            ({"extra_envs": {"A": "b"}}, InvalidValue),
        ]
        for options, error in senseless:
            with pytest.raises(error):
                local(double, table, options.pop("output_path", None), **options)
        with pytest.raises(InvalidValue, match="are for files"):
            models.predict(double, {"inputs": [1]}, keep=["id"], env_manager="local")
        assert main(["models", "predict", "-m", double, "-i", str(table), "--env", "A"]) == 2
        assert main(["models", "predict", "-m", double, "-i", str(table), "--params", "[]"]) == 2
