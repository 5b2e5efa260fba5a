from __future__ import annotations

import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import ViewType
from millstream.errors import AlreadyExists, ExperimentNotFound, InvalidValue, NotFound
from millstream.tracking import experiments

pytestmark = pytest.mark.usefixtures("tracking")


def experiment_of_a_run() -> str:
    with millstream.start_run() as run:
        return run.info.experiment_id


def test_there_is_a_default_experiment() -> None:
    default = millstream.get_experiment("0")
    assert (default.name, default.lifecycle_stage) == ("Default", "active")
    assert experiment_of_a_run() == "0"


def test_an_experiment_is_made_when_it_is_first_set() -> None:
    made = millstream.set_experiment("first")
    assert made.name == "first"
    assert made.artifact_location == str(Path.cwd() / "runs" / made.experiment_id)
    assert experiment_of_a_run() == made.experiment_id
    assert millstream.set_experiment("first").experiment_id == made.experiment_id
    assert millstream.set_experiment(experiment_id="0").name == "Default"
    assert experiment_of_a_run() == "0"
    number: Any = int(made.experiment_id)
    assert millstream.set_experiment(experiment_id=number).name == "first"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"experiment_name": "a", "experiment_id": "0"}, {"experiment_name": ""}, {"experiment_name": 3}],
)
def test_exactly_one_sound_name_or_id_is_set(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        millstream.set_experiment(**arguments)


def test_an_id_that_nobody_has() -> None:
    with pytest.raises(ExperimentNotFound):
        millstream.set_experiment(experiment_id="99")
    with pytest.raises(ExperimentNotFound):
        millstream.get_experiment("99")
    assert millstream.get_experiment_by_name("nobody") is None


def test_a_deleted_experiment_takes_no_runs() -> None:
    made = millstream.create_experiment("old")
    millstream.delete_experiment(made)
    for arguments in ({"experiment_name": "old"}, {"experiment_id": made}):
        with pytest.raises(InvalidValue, match="deleted") as caught:
            millstream.set_experiment(**arguments)
        assert f"restore_experiment('{made}')" in str(caught.value.hint)
    found = millstream.get_experiment_by_name("old")
    assert found is not None
    assert found.lifecycle_stage == "deleted"
    with pytest.raises(AlreadyExists):
        millstream.create_experiment("old")
    millstream.restore_experiment(made)
    assert millstream.set_experiment("old").experiment_id == made


@pytest.mark.parametrize("name", [None, "", 5, "x" * 501])
def test_names_that_no_experiment_has(name: Any) -> None:
    with pytest.raises(InvalidValue):
        millstream.create_experiment(name)


def test_tags() -> None:
    made = millstream.create_experiment("tagged", tags={"team": "red", "size": 3})
    assert millstream.get_experiment(made).tags == {"team": "red", "size": "3"}
    millstream.set_experiment("tagged")
    millstream.set_experiment_tag("size", 4)
    millstream.set_experiment_tags({"a": 1, "b": None})
    millstream.delete_experiment_tag("team")
    assert millstream.get_experiment(made).tags == {"size": "4", "a": "1", "b": "None"}
    with pytest.raises(NotFound):
        millstream.delete_experiment_tag("team")


def test_an_experiment_is_renamed() -> None:
    made = millstream.create_experiment("before")
    millstream.MlflowClient().rename_experiment(made, "after")
    assert millstream.get_experiment(made).name == "after"
    with pytest.raises(InvalidValue):
        millstream.MlflowClient().rename_experiment(made, "")


def test_experiments_are_found() -> None:
    names = {millstream.create_experiment(f"found {number}"): f"found {number}" for number in range(5)}
    gone = next(iter(names))
    millstream.delete_experiment(gone)
    found = millstream.search_experiments(filter_string="name LIKE 'found%'", order_by=["name DESC"])
    assert [one.name for one in found] == ["found 4", "found 3", "found 2", "found 1"]
    assert [one.name for one in millstream.search_experiments(ViewType.DELETED_ONLY)] == [names[gone]]
    assert len(millstream.search_experiments(ViewType.ALL)) == 6
    assert len(millstream.search_experiments(max_results=2)) == 2
    client = millstream.MlflowClient()
    first = client.search_experiments(max_results=2, order_by=["name ASC"])
    second = client.search_experiments(max_results=2, order_by=["name ASC"], page_token=first.token)
    third = client.search_experiments(max_results=2, order_by=["name ASC"], page_token=second.token)
    assert [one.name for one in [*first, *second, *third]] == ["Default", *(f"found {n}" for n in range(1, 5))]
    assert third.token is None


def test_the_environment_names_the_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    other = millstream.create_experiment("by id")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", other)
    assert experiment_of_a_run() == other
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by name")  # the name wins, and is created
    named = millstream.get_experiment_by_name("by name")
    assert named is None
    made = experiment_of_a_run()
    assert millstream.get_experiment(made).name == "by name"
    assert millstream.set_experiment("chosen").experiment_id == experiment_of_a_run()


def test_the_choice_follows_the_program_to_another_store(tracking: Path) -> None:
    millstream.create_experiment("filler")
    here = millstream.set_experiment("wanted").experiment_id
    millstream.set_tracking_uri(tracking / "elsewhere")
    there = experiment_of_a_run()
    assert there != here
    assert millstream.get_experiment(there).name == "wanted"


def test_two_threads_make_one_experiment() -> None:
    made: list[str] = []
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        made.append(millstream.set_experiment("shared").experiment_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


def test_two_processes_make_one_experiment(tracking: Path) -> None:
    text = "import millstream; print(millstream.set_experiment('shared').experiment_id)"
    started = [
        subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, cwd=tracking)
        for _ in range(2)
    ]
    ids = [process.communicate(timeout=60)[0].strip() for process in started]
    assert ids[0] == ids[1] != ""


class Kernel:
    """A shell as a Jupyter kernel has it, of the notebook at ``path``."""

    def __init__(self, path: Path) -> None:
        self.kernel = object()
        self.user_ns = {"__vsc_ipynb_file__": str(path)}


def test_a_notebook_has_an_experiment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = types.ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")

    def experiment_of(path: Path) -> tuple[str, str]:
        monkeypatch.setattr(ipython, "get_ipython", lambda: Kernel(path), raising=False)
        experiments.forget_experiments()
        found = experiment_of_a_run()
        return found, millstream.get_experiment(found).name

    first = experiment_of(tmp_path / "one" / "study.ipynb")
    assert first[1] == "study (ada)"
    assert experiment_of(tmp_path / "one" / "study.ipynb") == first
    second = experiment_of(tmp_path / "two" / "study.ipynb")
    assert second[0] != first[0]
    assert second[1].startswith("study (ada) ")
    tags = millstream.get_experiment(first[0]).tags
    assert tags["mlflow.experiment.sourceType"] == "NOTEBOOK"
    assert tags["mlflow.experiment.sourceId"] == f"ada:{tmp_path / 'one' / 'study.ipynb'}"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    assert experiment_of(tmp_path / "one" / "study.ipynb")[1] == "named"
