from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.flavors.foreign import Foreign
from tests.isolation import isolated


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for the store, the outbox and the working directory."""
    with isolated(tmp_path, monkeypatch):
        yield tmp_path


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """The official mlflow in a process of its own."""
    process = Foreign(tmp_path_factory.mktemp("foreign"))
    yield process
    process.stop()


class Task:
    """A data set of scikit-learn with its targets in the column ``target``, and a small model of it."""

    def __init__(self, load: object, model: LinearRegression | LogisticRegression) -> None:
        self.features, self.targets = load(return_X_y=True, as_frame=True)  # type: ignore[operator]
        self.frame: pd.DataFrame = self.features.assign(target=self.targets)
        self.model = model.fit(self.features, self.targets)
        self.predicted = pd.DataFrame({"target": self.targets, "pred": self.model.predict(self.features)})


@pytest.fixture(scope="session")
def diabetes() -> Task:
    return Task(load_diabetes, LinearRegression())


@pytest.fixture(scope="session")
def cancer() -> Task:
    return Task(load_breast_cancer, LogisticRegression(max_iter=5000))


@pytest.fixture(scope="session")
def iris() -> Task:
    return Task(load_iris, LogisticRegression(max_iter=5000))
