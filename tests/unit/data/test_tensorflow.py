"""Digests and schemas that MLflow 3.17.2 gives for tensors (TensorFlow 2.21), written down.

TensorFlow comes with the flavors' tests, not with every development environment.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from millstream.data import from_tensorflow
from millstream.errors import InvalidValue

tf = pytest.importorskip("tensorflow")
slices = tf.data.Dataset.from_tensor_slices
ROWS = np.arange(12).reshape(4, 3)


def tensors(*specs: tuple[str | None, str, list[int]]) -> str:
    return json.dumps([
        {**({} if name is None else {"name": name}), "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
        for name, dtype, shape in specs
    ])


@pytest.mark.parametrize(
    ("digest", "features", "targets", "schema", "cardinality"),
    [
        ("8c404915", tf.constant([[1, 2, 3], [4, 5, 6]]), None, (tensors((None, "int32", [-1, 3])), None), [6]),
        ("d764ccea", tf.constant([[1.0, 2, 3], [4, 5, 6]]), tf.constant([0, 1]),
         (tensors((None, "float32", [-1, 3])), tensors((None, "int32", [-1]))), [6, 2]),
        ("1557b7f2", tf.range(20000), None, (tensors((None, "int32", [-1])), None), [20000]),
        ("88d43939", tf.constant(["a", "b"]), None, (tensors((None, "object", [-1])), None), [2]),
        ("a56d029a", tf.constant(3), None, None, [1]),
        ("a7ba67aa", slices(ROWS), None, (tensors((None, "int64", [-1])), None), [4]),
        ("a7ba67aa", slices(ROWS).batch(2), None, (tensors((None, "int64", [-1, 3])), None), [2]),
        ("16042906", slices((ROWS, np.arange(4))), None, None, [4]),
        ("839825ac", slices((ROWS.astype("float32"), np.arange(4))).batch(2), None,
         (tensors(("0", "float32", [-1, 3]), ("1", "int64", [-1])), None), [2]),
        ("1d580275", slices({"b": ROWS, "a": np.arange(4)}), None, None, [4]),
        ("2d0807b1", slices({"b": ROWS, "a": np.arange(4)}).batch(2), None,
         (tensors(("b", "int64", [-1, 3]), ("a", "int64", [-1])), None), [2]),
        ("b78a50ea", slices({"b": ROWS, "a": np.arange(4)}).batch(2), slices(np.arange(4)).batch(2),
         (tensors(("b", "int64", [-1, 3]), ("a", "int64", [-1])), tensors((None, "int64", [-1]))), [2, 2]),
        ("d3e371bf", slices(ROWS), slices(np.arange(4)), None, [4, 4]),
        ("c69c863c", slices({"x": {"y": np.arange(3)}}), None, None, [3]),
        ("fb8b8f9d", slices(np.arange(60000).reshape(20000, 3)).batch(20000), None,
         (tensors((None, "int64", [-1, 3])), None), [1]),
        ("34ca1676", slices(np.arange(10)).filter(lambda x: x > 3), None, None, [-2]),
    ],
)
def test_what_is_recorded(
    digest: str, features: Any, targets: Any, schema: tuple[str, str | None] | None, cardinality: list[int]
) -> None:
    data = from_tensorflow(features, targets=targets)
    assert data.digest == digest
    described = {"mlflow_tensorspec": {"features": schema[0], "targets": schema[1]}} if schema else None
    assert data.to_dict()["schema"] == (json.dumps(described) if schema else None)
    assert data.profile == dict(zip(("features_cardinality", "targets_cardinality"), cardinality, strict=False))
    assert data.data is features
    assert data.targets is targets


@pytest.mark.parametrize(
    ("features", "targets"),
    [(np.arange(3), None), (slices(ROWS), tf.constant([1])), (tf.constant([1]), [1]), (slices(ROWS).repeat(), None)],
)
def test_what_does_not_fit(features: Any, targets: Any) -> None:
    with pytest.raises(InvalidValue):
        from_tensorflow(features, targets=targets)


def test_data_without_an_end_needs_a_digest() -> None:
    assert from_tensorflow(slices(ROWS).repeat(), digest="mine").profile == {"features_cardinality": -1}
