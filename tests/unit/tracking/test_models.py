from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import LoggedModel
from millstream.errors import ArtifactNotFound, InvalidValue, LoggedModelNotFound, NotFound
from millstream.tracking.models import ActiveModel

pytestmark = pytest.mark.usefixtures("tracking")


def listed(**arguments: object) -> list[LoggedModel]:
    found = millstream.search_logged_models(output_format="list", **arguments)  # type: ignore[arg-type]
    assert isinstance(found, list)
    return found


def test_a_model_is_made_filled_and_found() -> None:
    assert millstream.last_logged_model() is None
    with millstream.start_run() as run:
        made = millstream.initialize_logged_model(
            "net", tags={"color": "red"}, params={"depth": 3}, model_type="tree",  # type: ignore[dict-item]
        )
    assert re.fullmatch(r"m-[0-9a-f]{32}", made.model_id)
    assert (made.name, made.model_type, made.source_run_id) == ("net", "tree", run.info.run_id)
    assert (made.experiment_id, str(made.status)) == ("0", "PENDING")
    assert made.params == {"depth": "3"}
    assert made.tags["color"] == "red"
    assert made.tags["mlflow.source.type"] == "LOCAL"
    done = millstream.finalize_logged_model(made.model_id, "READY")
    assert str(done.status) == "READY"
    millstream.log_model_params({"width": "5"}, made.model_id)
    millstream.set_logged_model_tags(made.model_id, {"color": "blue", "size": 5})
    millstream.delete_logged_model_tag(made.model_id, "size")
    found = millstream.get_logged_model(made.model_id)
    assert found.params == {"depth": "3", "width": "5"}
    assert found.tags["color"] == "blue"
    assert "size" not in found.tags
    last = millstream.last_logged_model()
    assert last is not None
    assert last.model_id == made.model_id


def test_a_model_without_a_run_belongs_to_the_experiment_of_new_runs() -> None:
    experiment = millstream.set_experiment("models")
    made = millstream.initialize_logged_model()
    assert made.experiment_id == experiment.experiment_id
    assert made.source_run_id is None
    assert made.name.count("-") == 2
    with millstream.start_run(experiment_id="0") as run:
        pass
    assert millstream.initialize_logged_model(source_run_id=run.info.run_id).experiment_id == "0"


def test_an_external_model_is_ready_at_once() -> None:
    made = millstream.create_external_model("far", params={"a": "1"})
    assert str(made.status) == "READY"
    assert made.tags["mlflow.model.isExternal"] == "true"


@pytest.mark.parametrize("name", ["a/b", "", "a:b", "it's"])
def test_names_that_no_model_has(name: str) -> None:
    with pytest.raises(InvalidValue):
        millstream.initialize_logged_model(name)


def test_what_is_not_there() -> None:
    with pytest.raises(LoggedModelNotFound):
        millstream.get_logged_model("m-" + "0" * 32)
    with pytest.raises(InvalidValue):
        millstream.get_logged_model("")
    made = millstream.create_external_model("net")
    with pytest.raises(NotFound):
        millstream.delete_logged_model_tag(made.model_id, "none")
    with pytest.raises(InvalidValue):
        millstream.finalize_logged_model(made.model_id, "DONE")  # type: ignore[arg-type]


def test_a_deleted_model_comes_back() -> None:
    made = millstream.create_external_model("net")
    millstream.MlflowClient().delete_logged_model(made.model_id)
    with pytest.raises(LoggedModelNotFound):
        millstream.get_logged_model(made.model_id)
    millstream.restore_logged_model(made.model_id)
    assert millstream.get_logged_model(made.model_id).name == "net"


def test_models_are_searched() -> None:
    with millstream.start_run():
        for number in range(4):
            made = millstream.create_external_model(f"net {number}", params={"number": str(number)})
            millstream.log_metric("accuracy", number / 4, model_id=made.model_id)
    assert len(listed()) == 4
    best = listed(filter_string="metrics.accuracy > 0.2",
                  order_by=[{"field_name": "metrics.accuracy", "ascending": False}])
    assert [model.name for model in best] == ["net 3", "net 2", "net 1"]
    assert len(listed(max_results=3)) == 3
    assert listed(experiment_ids=["99"]) == []
    frame: Any = millstream.search_logged_models()
    assert set(frame["name"]) == {f"net {number}" for number in range(4)}
    assert {"model_id", "metrics", "params", "tags", "status", "artifact_location"} <= set(frame.columns)


@pytest.mark.parametrize(
    "arguments",
    [{"datasets": [{"name": "wine"}]}, {"order_by": ["metrics.accuracy"]}, {"order_by": [{"ascending": True}]},
     {"datasets": [{"dataset_name": "a", "digest": "b"}]}],
)
def test_clauses_that_are_none(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        listed(**arguments)


def test_formats_that_are_none() -> None:
    with pytest.raises(InvalidValue):
        millstream.search_logged_models(output_format="json")  # type: ignore[call-overload,arg-type,unused-ignore]


def test_metrics_go_to_the_active_model() -> None:
    model = millstream.create_external_model("net")
    with millstream.start_run() as run:
        millstream.log_metric("before", 1.0)
        active = millstream.set_active_model(model_id=model.model_id)
        assert isinstance(active, ActiveModel)
        assert active.model_id == millstream.get_active_model_id() == model.model_id
        millstream.log_metric("inside", 1.0)
        millstream.log_metrics({"inside too": 1.0})
        millstream.log_model_params({"depth": "3"})
        millstream.clear_active_model()
        assert millstream.get_active_model_id() is None
        millstream.log_metric("after", 1.0)
    found = millstream.get_logged_model(model.model_id)
    assert {metric.key for metric in found.metrics} == {"inside", "inside too"}
    assert found.params == {"depth": "3"}
    assert set(millstream.get_run(run.info.run_id).data.metrics) == {"before", "inside", "inside too", "after"}
    assert [used.model_id for used in millstream.get_run(run.info.run_id).inputs.model_inputs] == [model.model_id]
    with pytest.raises(InvalidValue, match="no model"):
        millstream.log_model_params({"depth": "3"})


def test_an_active_model_is_found_by_its_name_or_made() -> None:
    with millstream.set_active_model(name="net") as outer:
        made = millstream.get_logged_model(outer.model_id)
        assert (made.name, str(made.status)) == ("net", "READY")
        with millstream.set_active_model(name="other") as inner:
            assert millstream.get_active_model_id() == inner.model_id != outer.model_id
        assert millstream.get_active_model_id() == outer.model_id
    assert millstream.get_active_model_id() is None
    assert millstream.set_active_model(name="net").model_id == outer.model_id


def test_name_and_id_of_an_active_model_agree() -> None:
    model = millstream.create_external_model("net")
    assert millstream.set_active_model(name="net", model_id=model.model_id).model_id == model.model_id
    with pytest.raises(InvalidValue, match="net"):
        millstream.set_active_model(name="other", model_id=model.model_id)
    with pytest.raises(InvalidValue):
        millstream.set_active_model()
    with pytest.raises(LoggedModelNotFound):
        millstream.set_active_model(model_id="m-" + "0" * 32)


def test_an_active_model_is_one_threads() -> None:
    seen: list[str | None] = []
    with millstream.set_active_model(name="net"):
        thread = threading.Thread(target=lambda: seen.append(millstream.get_active_model_id()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_the_environment_names_the_active_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ACTIVE_MODEL_ID", "m-env")
    assert millstream.get_active_model_id() == "m-env"
    millstream.clear_active_model()
    assert millstream.get_active_model_id() is None


def test_files_of_a_model(tracking: Path) -> None:
    (tracking / "files" / "sub").mkdir(parents=True)
    (tracking / "files" / "one.txt").write_text("1")
    (tracking / "files" / "sub" / "two.txt").write_text("2")
    client = millstream.MlflowClient()
    made = client.create_logged_model("0", "net")
    client.log_model_artifacts(made.model_id, str(tracking / "files"))
    client.log_model_artifact(made.model_id, str(tracking / "files" / "one.txt"), "more")
    assert [file.path for file in client.list_logged_model_artifacts(made.model_id)] == ["more", "one.txt", "sub"]
    assert [file.path for file in client.list_logged_model_artifacts(made.model_id, "sub")] == ["sub/two.txt"]
    assert millstream.artifacts.load_text(f"models:/{made.model_id}/sub/two.txt") == "2"
    fetched = Path(millstream.artifacts.download_artifacts(f"models:/{made.model_id}", dst_path=str(tracking / "out")))
    assert (fetched / "sub" / "two.txt").read_text() == "2"


def test_checkpoints_that_lie_somewhere_become_models(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    (folder / "epoch_1").mkdir(parents=True)
    (folder / "epoch_1" / "weights.bin").write_text("1")
    (folder / "last.ckpt").write_text("2")
    with millstream.start_run() as run:
        made = millstream.import_checkpoints(str(folder), model_prefix="net_")
    assert [model.name for model in made] == ["net_epoch_1", "net_last_ckpt"]
    assert {model.source_run_id for model in made} == {run.info.run_id}
    assert {str(model.status) for model in made} == {"READY"}
    assert [model.tags["original_artifact_path"] for model in made] == [
        str(folder / "epoch_1"), str(folder / "last.ckpt")
    ]
    again = millstream.import_checkpoints(str(folder), run.info.run_id, "net_")
    assert [model.model_id for model in again] == [model.model_id for model in made]
    anew = millstream.import_checkpoints(str(folder), run.info.run_id, "net_", overwrite_checkpoints=True)
    assert {model.model_id for model in anew}.isdisjoint(model.model_id for model in made)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactNotFound, match="no checkpoints"):
        millstream.import_checkpoints(str(tmp_path / "empty"))
