"""PyTorch modules across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch

from millstream import pyfunc, pytorch
from tests.flavors.foreign import Foreign

X = np.random.default_rng(1).random((6, 3), dtype=np.float32)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.inner(x))


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(3)
    return Net()


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """The class of this file goes along, as that of a program does."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.parametrize("form", ["pickle", "pt2"])
def test_mlflow_predicts_the_same_with_a_model_saved_here(
    form: Any, net: Net, tmp_path: Path, foreign: Foreign
) -> None:
    pytorch.save_model(net, tmp_path / "model", input_example=X[:2], serialization_format=form)
    expected = net(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(foreign.predict(tmp_path / "model", X), expected, rtol=1e-5)
    raw = foreign.run(
        """
        import mlflow.pytorch, torch

        with torch.no_grad():
            result = mlflow.pytorch.load_model(folder)(torch.from_numpy(data)).numpy()
        """,
        folder=str(tmp_path / "model"), data=X,
    )
    np.testing.assert_allclose(raw, expected, rtol=1e-5)


@pytest.mark.parametrize("form", ["pickle", "pt2"])
def test_a_model_saved_by_mlflow_predicts_the_same_here(
    form: str, tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    expected = foreign.run(
        """
        import mlflow.pytorch, torch


        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = torch.nn.Linear(3, 2)

            def forward(self, x):
                return torch.relu(self.inner(x))


        net = Net()
        mlflow.pytorch.save_model(net, folder, input_example=data[:2], serialization_format=form,
                                  pip_requirements=["torch"])
        with torch.no_grad():
            result = net(torch.from_numpy(data)).numpy()
        """,
        folder=str(tmp_path / "model"), data=X, form=form,
    )
    np.testing.assert_allclose(pyfunc.load_model(str(tmp_path / "model")).predict(X), expected, rtol=1e-5)
    with torch.no_grad():
        raw = pytorch.load_model(str(tmp_path / "model"))(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(raw, expected, rtol=1e-5)
