"""A model's code: copied, imported again, and kept apart from another model's."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.errors import AlreadyExists, InvalidPath, InvalidValue, NotFound
from millstream.models.code import copy_code, infer_code_paths, use_code


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        if not name.startswith("millstream"):
            del sys.modules[name]


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__in__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class TestCopying:
    def test_files_and_folders_are_copied_without_byte_code(self, tmp_path: Path) -> None:
        source = write(tmp_path / "src", one="x = 1\n", package__in__deep="y = 2\n")
        for left_out in ("__pycache__", ".git"):
            (source / "package" / left_out).mkdir()
            (source / "package" / left_out / "file").touch()
        (source / "package" / "old.pyc").touch()
        (source / "package" / "data.csv").write_text("a,b\n")
        model = tmp_path / "model"
        model.mkdir()
        assert copy_code([source / "one.py", str(source / "package")], model) == "code"
        assert tree(model) == {
            "code/one.py": "x = 1\n", "code/package/deep.py": "y = 2\n", "code/package/data.csv": "a,b\n",
        }

    def test_relative_paths_are_taken_from_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "src", one="x = 1\n")
        monkeypatch.chdir(tmp_path / "src")
        copy_code(["one.py", "./one.py"], tmp_path / "model")
        assert tree(tmp_path / "model") == {"code/one.py": "x = 1\n"}

    def test_nothing_to_copy_makes_no_folder(self, tmp_path: Path) -> None:
        assert copy_code(None, tmp_path) is None
        assert copy_code([], tmp_path) is None
        assert list(tmp_path.iterdir()) == []

    def test_a_model_may_be_saved_into_its_own_code(self, tmp_path: Path) -> None:
        write(tmp_path, one="x = 1\n")
        copy_code([tmp_path], tmp_path / "model")
        assert tree(tmp_path / "model") == {f"code/{tmp_path.name}/one.py": "x = 1\n"}

    def test_a_missing_path_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"none\.py"):
            copy_code([tmp_path / "none.py"], tmp_path / "model")

    def test_one_path_in_place_of_a_list_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue, match="list"):
            copy_code("src", tmp_path)

    def test_two_paths_of_one_name_are_told(self, tmp_path: Path) -> None:
        first, second = write(tmp_path / "a", one=""), write(tmp_path / "b", one="")
        with pytest.raises(AlreadyExists, match=r"one\.py"):
            copy_code([first / "one.py", second / "one.py"], tmp_path / "model")

    def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_followed(self, tmp_path: Path) -> None:
        source = write(tmp_path / "src", one="x = 1\n")
        (source / "again.py").symlink_to("one.py")
        copy_code([source], tmp_path / "model")
        assert not (tmp_path / "model/code/src/again.py").is_symlink()
        assert (tmp_path / "model/code/src/again.py").read_text() == "x = 1\n"
        (tmp_path / "secret").write_text("key")
        (source / "secret.py").symlink_to("../secret")
        with pytest.raises(InvalidPath, match="leads out"):
            copy_code([source], tmp_path / "other")

    @pytest.mark.parametrize("target", [".", ".."])
    def test_a_link_to_a_folder_above_does_not_go_round(self, target: str, tmp_path: Path) -> None:
        source = write(tmp_path / "src" / "inner", one="x = 1\n")
        (source / "round").symlink_to(target, target_is_directory=True)
        with pytest.raises(InvalidPath):
            copy_code([tmp_path / "src"], tmp_path / "model")


class TestUsing:
    def test_modules_of_the_folder_are_importable(self, tmp_path: Path) -> None:
        write(tmp_path, millstream_one="x = 1\n", millstream_pack__in____init__="", millstream_pack__in__deep="y = 2\n")
        assert use_code(tmp_path) == ["millstream_one", "millstream_pack"]
        assert importlib.import_module("millstream_one").x == 1
        assert importlib.import_module("millstream_pack.deep").y == 2

    def models(self, folder: Path) -> tuple[Path, Path]:
        for number in (1, 2):
            write(folder / str(number), model_tools=f"def number():\n    return {number}\n",
                  model_pack__in____init__="", model_pack__in__deep=f"number = {number}\n")
        return folder / "1", folder / "2"

    def test_two_models_with_modules_of_one_name_have_their_own(self, tmp_path: Path) -> None:
        first, second = self.models(tmp_path)
        found: list[Any] = []
        for folder in (first, second, first):
            use_code(folder)
            found.append((importlib.import_module("model_tools"), importlib.import_module("model_pack.deep")))
        assert [(tools.number(), deep.number) for tools, deep in found] == [(1, 1), (2, 2), (1, 1)]
        assert sys.path.count(str(first)) == 1

    def test_an_equal_module_that_is_loaded_stays(self, tmp_path: Path) -> None:
        first, second = self.models(tmp_path)
        (second / "model_tools.py").write_bytes((first / "model_tools.py").read_bytes())
        use_code(first)
        loaded = importlib.import_module("model_tools")
        use_code(second)
        assert importlib.import_module("model_tools") is loaded

    def test_modules_of_python_and_compiled_ones_stay(self, tmp_path: Path) -> None:
        import json

        import numpy as np

        write(tmp_path, json="x = 1\n", numpy__in____init__="x = 1\n", millstream__in____init__="x = 1\n")
        use_code(tmp_path)
        assert sys.modules["json"] is json
        assert sys.modules["numpy"] is np
        assert hasattr(sys.modules["millstream"], "__version__")


class TestInferring:
    def test_the_modules_of_the_project_that_are_used_are_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, project_a="import project_b, numpy, os\n",
              project_b="def f():\n    from project_c import deep\n", project_c__in____init__="",
              project_c__in__deep="import project_a\n", project_unused="")
        monkeypatch.syspath_prepend(tmp_path)
        assert infer_code_paths({"project_a", "numpy", "os", "__main__", "millstream", "surely_not_installed"}) == [
            str(tmp_path / "project_a.py"), str(tmp_path / "project_b.py"), str(tmp_path / "project_c"),
        ]

    def test_a_model_of_installed_modules_needs_no_code(self) -> None:
        assert infer_code_paths({"sklearn.tree", "yaml", "json"}) == []
