"""``MLproject``: every field of the format, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.errors import InvalidValue
from millstream.projects.files import DockerEnvironment, EntryPoint, Parameter, SparkJob, find_file, parse

WHOLE = """
name: loan
python_env: files/python_env.yaml
entry_points:
  main:
    parameters:
      data: path
      source: uri
      alpha: {type: float, default: 0.5}
      model_type: {type: str, default: rf}
      seed: {type: int, default: 3}
      verbose: {default: true}
      bare:
    command: "python train.py {data} {alpha}"
  prepare: python prepare.py
  train:
    command: python train.py
    needs: [prepare.table, main]
    makes: {model: out/model.pkl}
    code: ["*.py"]
    data: data/raw.csv
"""


def test_every_field_of_an_entry_point() -> None:
    project = parse(WHOLE)
    assert (project.name, project.python_env) == ("loan", "files/python_env.yaml")
    main = project.entry_points["main"]
    assert main.command == "python train.py {data} {alpha}"
    assert list(main.parameters.values()) == [
        Parameter("data", "path"), Parameter("source", "uri"), Parameter("alpha", "float", "0.5"),
        Parameter("model_type", "string", "rf"), Parameter("seed", "string", "3"),
        Parameter("verbose", "string", "True"), Parameter("bare", "string"),
    ]
    assert project.entry_points["prepare"] == EntryPoint("prepare", "python prepare.py")
    assert project.entry_points["train"] == EntryPoint(
        "train", "python train.py", needs=("prepare.table", "main"), makes={"model": "out/model.pkl"}, code=("*.py",),
        data=("data/raw.csv",),
    )


def test_docker_and_spark() -> None:
    project = parse("""
        name: d
        docker_env:
          image: repo/image:1
          volumes: ["/data:/data:ro"]
          environment: [["A", "1"], "B"]
        databricks_spark_job: {python_file: job.py, parameters: [a, 2], python_libraries: [numpy==1.26.0]}
    """)
    assert project.docker_env == DockerEnvironment("repo/image:1", ("/data:/data:ro",), (("A", "1"), ("B", None)))
    assert project.databricks_spark_job == SparkJob("job.py", ("a", "2"), ("numpy==1.26.0",))
    assert parse("conda_env: conda.yaml").conda_env == "conda.yaml"
    assert parse("").entry_points == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "the file: names with values are expected, not a list"),
        ("name: [a]", "name: a text is expected"),
        ("entry_points: main", "entry_points: names with values are expected, not 'main'"),
        ("entry_points: {main: {parameters: {a: float}}}", "entry_points.main.command: an entry point needs a command"),
        ("entry_points: {main: {command: x, parameters: [a]}}", "entry_points.main.parameters: names with values"),
        ("entry_points: {main: {command: x, parameters: {a: {type: [float]}}}}", "entry_points.main.parameters.a.type"),
        ("entry_points: {main: {command: x, needs: 3}}", "entry_points.main.needs: a list is expected, not 3"),
        ("docker_env: {volumes: []}", "docker_env.image: a docker environment needs an image"),
        ("docker_env: {image: a, environment: [[a, b, c]]}", "docker_env.environment[0]: a pair is a name and a value"),
        ("python_env: a\nconda_env: b", "a project has one environment, and this one names python_env and conda_env"),
        ("a: b: c", "line 1"),
    ],
)
def test_errors_name_the_file_and_the_field(text: str, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(text, Path("/p/MLproject"))
    assert caught.value.message.startswith("/p/MLproject: ")
    assert said in caught.value.message
    assert caught.value.hint


def test_unknown_fields_are_told_and_have_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    project = parse("nam: x\nentry_points: {main: {command: a, parameter: {}}}")
    assert project.name is None
    assert [record.getMessage().split(" is ")[0] for record in caplog.records] == [
        "MLproject: nam", "MLproject: entry_points.main.parameter",
    ]


@pytest.mark.parametrize("name", ["MLproject", "mlproject", "MLPROJECT", "MlProject"])
def test_the_file_is_found_in_any_letter_case(name: str, tmp_path: Path) -> None:
    assert find_file(tmp_path) is None
    (tmp_path / name).write_text("name: a")
    assert find_file(tmp_path) == tmp_path / name


def test_two_files_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "mlproject").touch()
    (tmp_path / "MLPROJECT").touch()
    with pytest.raises(InvalidValue, match="several project files"):
        find_file(tmp_path)
    (tmp_path / "MLproject").touch()
    assert find_file(tmp_path) == tmp_path / "MLproject"
