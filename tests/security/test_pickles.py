"""Code that runs when a model is loaded: one gate asks who made the model, and nothing goes around the gate."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

import millstream
from millstream import pyfunc
from millstream import sklearn as flavor
from millstream.errors import BadModel, CorruptModel, UntrustedModel
from millstream.models import manifest
from tests.isolation import isolated

PACKAGE = Path(millstream.__file__).parent
GATE = PACKAGE / "models" / "pickles.py"
# Calls that run code of the file's maker; `load` of anything named like these modules.
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "torch", "_pickle", "marshal", "shelve"}
LOADERS = {"load", "loads", "Unpickler", "read_pickle", "load_pickle", "unpickle"}


def calls_of(path: Path) -> list[tuple[int, str]]:
    """Line and dotted name of every call in a source."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            found.append((node.lineno, ast.unparse(node.func)))
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_unpickles_around_the_gate(path: Path) -> None:
    if path == GATE:
        return
    for line, name in calls_of(path):
        module, _, last = name.rpartition(".")
        assert not (module.rpartition(".")[2] in UNPICKLERS and last in LOADERS), f"{path}:{line} calls {name}"
        assert last not in ("read_pickle", "Unpickler"), f"{path}:{line} calls {name}"
    assert "allow_pickle=True" not in path.read_text(), path


def test_the_gate_is_where_unpickling_is() -> None:
    assert {"torch.load", "joblib.load", "_Unpickler"} <= {name for _, name in calls_of(GATE)}


class Hostile:
    """Unpickled, it writes a file: what a stranger's model could do."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.write_text, (self.target, "owned")


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    flavor.save_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "model")
    return tmp_path / "model"


def swap(folder: Path, target: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(Hostile(target)))


def test_what_this_user_saved_is_loaded(folder: Path) -> None:
    assert flavor.load_model(str(folder)).predict([[2.0]]) == pytest.approx([2.0])


def test_a_copy_of_it_too(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert flavor.load_model(str(tmp_path / "elsewhere")).predict([[2.0]]) == pytest.approx([2.0])


def test_a_hostile_pickle_in_its_place_is_not_what_was_saved(folder: Path, tmp_path: Path) -> None:
    swap(folder, tmp_path / "owned")
    with pytest.raises(CorruptModel, match=r"model\.pkl"):
        flavor.load_model(str(folder))
    with pytest.raises(CorruptModel, match=r"model\.pkl"):
        pyfunc.load_model(str(folder))
    assert not (tmp_path / "owned").exists()


def test_a_manifest_that_fits_the_hostile_pickle_lacks_the_seal(folder: Path, tmp_path: Path) -> None:
    swap(folder, tmp_path / "owned")
    written = json.loads((folder / manifest.FILE).read_text())
    sha256, size = manifest.digest(folder / "model.pkl")
    written["files"]["model.pkl"] = {"sha256": sha256, "size": size}
    (folder / manifest.FILE).write_text(json.dumps(written))
    with pytest.raises(UntrustedModel, match="nothing says that its maker is trusted") as refused:
        flavor.load_model(str(folder))
    assert "MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION" in str(refused.value.hint)
    assert not (tmp_path / "owned").exists()


def test_a_model_of_another_user_is_refused_until_it_is_sealed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from millstream.flavors.changing import seal

    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "other key"))
    with pytest.raises(UntrustedModel):
        flavor.load_model(str(folder))
    seal(str(folder))
    assert flavor.load_model(str(folder)).predict([[2.0]]) == pytest.approx([2.0])


def test_a_model_without_a_manifest_is_refused(folder: Path) -> None:
    (folder / manifest.FILE).unlink()
    with pytest.raises(UntrustedModel):
        flavor.load_model(str(folder))


@pytest.mark.parametrize("variable", ["MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"])
def test_the_setting_decides_for_all(folder: Path, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / manifest.FILE).unlink()
    monkeypatch.setenv(variable, "true")
    assert flavor.load_model(str(folder)).predict([[2.0]]) == pytest.approx([2.0])
    monkeypatch.setenv(variable, "false")
    with pytest.raises(UntrustedModel):
        flavor.load_model(str(folder))


def test_not_even_ones_own_when_the_setting_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "false")
    with pytest.raises(UntrustedModel, match="MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION is false"):
        flavor.load_model(str(folder))


def test_a_model_of_the_store_in_use_is_trusted_and_of_an_unlisted_one_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = flavor.log_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), name="model")
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "a colleague's key"))
    monkeypatch.setenv("MILLSTREAM_TRUSTED_STORES", "https://other.example")
    with pytest.raises(UntrustedModel) as refused:
        flavor.load_model(info.model_uri)
    assert "MILLSTREAM_TRUSTED_STORES trusts https://other.example alone" in str(refused.value.hint)
    monkeypatch.delenv("MILLSTREAM_TRUSTED_STORES")
    assert flavor.load_model(info.model_uri).predict([[2.0]]) == pytest.approx([2.0])


def test_one_flipped_byte_and_one_missing_file_are_named(folder: Path) -> None:
    content = bytearray((folder / "model.pkl").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.pkl").write_bytes(bytes(content))
    with pytest.raises(CorruptModel, match=r"model\.pkl .* SHA-256 differs"):
        pyfunc.load_model(str(folder))
    (folder / "model.pkl").unlink()
    with pytest.raises(CorruptModel, match=r"lacks its file model\.pkl"):
        pyfunc.load_model(str(folder))


@pytest.mark.parametrize("name", ["../model.pkl", "/etc/hostname", "a/../../model.pkl"])
def test_a_block_that_names_a_file_outside_is_refused(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "model.pkl", folder.parent / "model.pkl")
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(described.replace(": model.pkl", f": {name}"))
    (folder / manifest.FILE).unlink()
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "true")
    with pytest.raises(BadModel, match=r"outside of it|lacks"):
        flavor.load_model(str(folder))


def test_the_list_of_a_skops_model_is_its_makers_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import skops.io

    model = FunctionTransformer(squared)
    names = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    assert names  # a function of this file is nothing that skops knows
    with pytest.raises(UntrustedModel, match="skops does not know"):
        flavor.save_model(model, tmp_path / "own", serialization_format="skops")
    flavor.save_model(model, tmp_path / "own", serialization_format="skops", skops_trusted_types=names)
    assert flavor.load_model(str(tmp_path / "own")).transform(numpy.array([[3.0]])).tolist() == [[9.0]]
    (tmp_path / "own" / manifest.FILE).unlink()
    with pytest.raises(UntrustedModel):  # the list lies in the model, where its maker wrote it
        flavor.load_model(str(tmp_path / "own"))
    monkeypatch.setenv("MILLSTREAM_SKOPS_TRUSTED_TYPES", ",".join(names))
    assert flavor.load_model(str(tmp_path / "own")).transform(numpy.array([[3.0]])).tolist() == [[9.0]]


def squared(values: Any) -> Any:
    return values**2
