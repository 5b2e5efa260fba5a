"""PyTorch modules: whole, scripted, exported, and their weights alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import torch

import millstream
from millstream import pyfunc, pytorch
from millstream.errors import BadModel, InvalidValue, UntrustedModel
from millstream.models import Model, manifest
from tests.isolation import isolated

X = numpy.random.default_rng(1).random((6, 3), dtype=numpy.float32)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)
        self.dropped = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropped(self.inner(x))  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield tmp_path


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net()


def expected(net: Net) -> Any:
    return net.inner(torch.from_numpy(X)).detach().numpy()


@pytest.mark.parametrize("form", ["pickle", "pt2", "scripted"])
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_each_form_predicts_the_same(form: str, net: Net, tmp_path: Path) -> None:
    model = torch.jit.script(net) if form == "scripted" else net
    options: dict[str, Any] = {"serialization_format": "pt2"} if form == "pt2" else {}
    pytorch.save_model(model, tmp_path / "model", input_example=X[:2], **options)
    assert net.training  # as before
    loaded = pyfunc.load_model(str(tmp_path / "model"))
    numpy.testing.assert_allclose(loaded.predict(X), expected(net), rtol=1e-5)
    with torch.no_grad():
        raw = pytorch.load_model(str(tmp_path / "model"))
        if form != "pt2":  # an exported program has the mode it was traced in
            raw.eval()
        numpy.testing.assert_allclose(raw(torch.from_numpy(X)).numpy(), expected(net), rtol=1e-5)
    schema = loaded.metadata.get_output_schema()
    assert schema is not None
    assert schema.to_dict() == [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]


def test_a_frame_in_is_a_frame_out(net: Net, tmp_path: Path) -> None:
    frame = pandas.DataFrame(X, columns=list("abc"), index=range(10, 16))
    pytorch.save_model(net, tmp_path / "model")
    predicted = pyfunc.load_model(str(tmp_path / "model")).predict(frame)
    assert predicted.index.tolist() == list(range(10, 16))
    numpy.testing.assert_allclose(predicted.to_numpy(), expected(net), rtol=1e-5)


def test_inputs_by_name(tmp_path: Path) -> None:
    class Sum(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a + b

    pytorch.save_model(Sum(), tmp_path / "model")
    data = {"a": numpy.ones((2, 1)), "b": numpy.full((2, 1), 2.0)}
    assert pyfunc.load_model(str(tmp_path / "model")).predict(data).tolist() == [[3.0], [3.0]]


def test_what_is_asked_of_it(net: Net, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"torch\.nn\.Module is expected, not dict"):
        pytorch.save_model({}, tmp_path / "model")
    with pytest.raises(InvalidValue, match="traces the module on an input"):
        pytorch.save_model(net, tmp_path / "model", export_model=True)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("form", ["pickle", "pt2"])
def test_the_gate_stands_before_each_form(form: Any, net: Net, tmp_path: Path) -> None:
    pytorch.save_model(net, tmp_path / "model", serialization_format=form, input_example=X[:2])
    (tmp_path / "model" / manifest.FILE).unlink()
    with pytest.raises(UntrustedModel):
        pytorch.load_model(str(tmp_path / "model"))


def test_weights_alone(net: Net, tmp_path: Path) -> None:
    with millstream.start_run() as run:
        pytorch.log_state_dict(net.state_dict(), "weights")
    weights = pytorch.load_state_dict(f"runs:/{run.info.run_id}/weights")
    assert all(torch.equal(weights[name], value) for name, value in net.state_dict().items())
    torch.save(net, tmp_path / "state_dict.pth")
    with pytest.raises(BadModel, match="holds more than weights"):
        pytorch.load_state_dict(str(tmp_path))


def test_logged_with_its_requirements(net: Net) -> None:
    info = pytorch.log_model(net, name="net", input_example=X[:2])
    folder = Path(millstream.artifacts.download_artifacts(info.model_uri))
    names = [line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()]
    assert names == ["cloudpickle", "numpy", "pandas", "torch"]
    assert "+" not in (folder / "requirements.txt").read_text()  # the build of this machine is no version of PyPI's
    assert Model.load(folder).flavors["pytorch"]["model_data"] == "data"
