"""What a model needs, read from its pickles, its code and what is installed."""

from __future__ import annotations

import io
import logging
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest

from millstream.errors import InvalidValue, NotFound
from millstream.models import distributions
from millstream.models.requirements import (
    infer_requirements,
    modules_of_code,
    modules_of_pickle,
    parse_requirements,
    read_requirements,
)


def version(distribution: str) -> str:
    from importlib.metadata import version as installed

    return installed(distribution).partition("+")[0]


@pytest.fixture(scope="module")
def forest() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    table = np.arange(60.0).reshape(30, 2)
    return RandomForestRegressor(n_estimators=3, random_state=0).fit(table, table[:, 0])


class TestPickles:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_the_modules_of_an_estimator_are_named_in_every_protocol(self, forest: Any, protocol: int) -> None:
        named = modules_of_pickle(pickle.dumps(forest, protocol=protocol))
        assert {"numpy", "sklearn"} <= named
        assert named <= {"numpy", "sklearn", "_codecs", "copy_reg", "__builtin__", "builtins"}

    @pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
    def test_files_of_joblib_are_read(self, forest: Any, compress: Any, tmp_path: Path) -> None:
        joblib.dump(forest, tmp_path / "model.pkl", compress=compress)
        assert {"numpy", "sklearn", "joblib"} <= modules_of_pickle(tmp_path / "model.pkl")

    def test_text_that_looks_like_a_name_is_none(self) -> None:
        state = {"backend": "torch", "words": ["xgboost", "keras.layers", "numpy"], "where": "ctorch\nTensor\n"}
        assert modules_of_pickle(pickle.dumps(state)) == set()
        assert modules_of_pickle(pickle.dumps(state, protocol=2)) == set()

    def test_a_module_that_is_named_twice_is_remembered_by_the_pickle(self) -> None:
        assert modules_of_pickle(pickle.dumps([np.float64, np.float32, np.int8])) == {"numpy"}

    def test_code_that_is_pickled_by_value_tells_what_it_imports(self) -> None:
        scale = np.float64(2)

        def predict(rows: Any) -> Any:
            import json

            import pandas.api.types
            from yaml import safe_load

            return scale * rows, lambda: (pandas.api.types, safe_load, json)

        named = modules_of_pickle(cloudpickle.dumps(predict))
        assert {"numpy", "pandas", "yaml", "json", "cloudpickle"} <= named
        assert "sklearn" not in named

    def test_modules_among_the_globals_of_a_function_are_named(self, tmp_path: Path) -> None:
        program = tmp_path / "program.py"
        program.write_text(
            "import sys, cloudpickle, numpy as np, scipy.sparse\n"
            "def predict(rows): return scipy.sparse.csr_matrix(np.asarray(rows))\n"
            "sys.stdout.buffer.write(cloudpickle.dumps(predict))\n"
        )
        pickled = subprocess.run([sys.executable, program], capture_output=True, check=True).stdout
        assert {"numpy", "scipy", "cloudpickle"} <= modules_of_pickle(pickled)

    def test_imports_inside_a_function_inside_a_function_are_found(self) -> None:
        def outer() -> Any:
            def inner() -> Any:
                import yaml

                return yaml

            return inner

        assert "yaml" in modules_of_pickle(cloudpickle.dumps(outer))

    def test_nothing_of_a_pickle_is_run(self, tmp_path: Path) -> None:
        class Hostile:
            def __reduce__(self) -> Any:
                return (exec, (f"open({str(tmp_path / 'was run')!r}, 'w')",))

        for protocol in (0, 2, 4):
            assert modules_of_pickle(pickle.dumps(Hostile(), protocol=protocol)) & {"builtins", "__builtin__"}
        assert not (tmp_path / "was run").exists()

    @pytest.mark.parametrize(
        "content", [b"", b"\x80", b"\x80\x05", b"no pickle", b"\x80\x02(lp0\n", b"PK\x03\x04", b"x\x9c0"]
    )
    def test_what_is_no_pickle_names_nothing(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(content)
        assert modules_of_pickle(content) == set()
        assert modules_of_pickle(tmp_path / "file") == set()

    def test_any_cut_of_a_pickle_is_read_without_an_error(self, forest: Any) -> None:
        for whole in (pickle.dumps(np.float64(1), protocol=2), cloudpickle.dumps(lambda: np.zeros(1))):
            for end in range(len(whole)):
                assert modules_of_pickle(whole[:end]) <= modules_of_pickle(whole) | {"cloudpickle"}

    def test_the_pickle_in_a_zip_is_read(self) -> None:
        import zipfile

        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model/data.pkl", pickle.dumps(np.float64(1)))
            archive.writestr("schema.json", '{"__class__": "Ridge", "__module__": "sklearn.linear_model._ridge"}')
        assert modules_of_pickle(file.getvalue()) == {"numpy", "sklearn"}

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            modules_of_pickle(tmp_path / "none.pkl")


class TestCode:
    def test_imports_are_read_from_files_without_importing_them(self, tmp_path: Path) -> None:
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "__init__.py").write_text("from package.part import x\nimport numpy.linalg as la, os\n")
        (tmp_path / "package" / "part.py").write_text("from . import other\ndef f():\n    from sklearn import tree\n")
        (tmp_path / "broken.py").write_text("import pandas\nif:\n")
        (tmp_path / "hostile.py").write_text("import scipy\nraise SystemExit('was run')\n")
        assert modules_of_code(tmp_path) == {"numpy", "sklearn", "scipy"}
        assert modules_of_code(tmp_path / "hostile.py") == {"scipy"}

    def test_a_namespace_package_is_told_by_its_parts(self, tmp_path: Path) -> None:
        (tmp_path / "code.py").write_text("from google.protobuf import message\nimport google.protobuf.json_format\n")
        assert modules_of_code(tmp_path) == {"google.protobuf"}


class TestPins:
    def test_modules_become_pins_of_what_is_installed(self) -> None:
        assert infer_requirements({"yaml", "sklearn", "numpy", "PIL", "dateutil", "os", "__main__"}) == [
            f"{name}=={version(name)}" for name in ("numpy", "pillow", "python-dateutil", "pyyaml", "scikit-learn")
        ]

    def test_every_installed_module_has_the_distribution_that_the_standard_library_finds(self) -> None:
        from importlib.metadata import packages_distributions

        checked = 0
        for name, known in packages_distributions().items():
            place = distributions.place_of(name)
            if name in sys.stdlib_module_names or place is None or not distributions.is_installed(place):
                continue
            found = distributions.distribution_of(name)
            assert found is not None, name
            assert found.name in {re.sub(r"[-_.]+", "-", other).lower() for other in known}, name
            checked += 1
        assert checked > 100

    def test_what_always_belongs_to_it_is_listed_by_either_name(self) -> None:
        expected = [f"cloudpickle=={version('cloudpickle')}", f"scikit-learn=={version('scikit-learn')}"]
        assert infer_requirements((), ["cloudpickle", "sklearn"]) == expected
        assert infer_requirements((), ["scikit_learn", "Cloudpickle"]) == expected

    def test_millstream_and_what_is_not_installed_are_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        assert infer_requirements({"millstream", "surely_not_installed", "surely.not_installed"}) == []
        assert not caplog.records

    def test_a_module_of_no_distribution_is_named_in_one_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "local_one.py").touch()
        (tmp_path / "local_two").mkdir()
        (tmp_path / "local_two" / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        with caplog.at_level(logging.WARNING):
            assert infer_requirements({"local_one", "local_two", "yaml"}) == [f"pyyaml=={version('pyyaml')}"]
            assert len(caplog.records) == 1
            assert "local_one" in caplog.text
            assert "local_two" in caplog.text
            assert "code_paths" in caplog.text
            assert infer_requirements({"local_one"}, provided={"local_one"}) == []
            assert len(caplog.records) == 1

    def site(self, folder: Path, name: str, release: str, module: str, origin: str | None = None) -> None:
        (folder / f"{module}.py").touch()
        metadata = folder / f"{name}-{release}.dist-info"
        metadata.mkdir()
        (metadata / "RECORD").write_text(f"{module}.py,,\n{metadata.name}/RECORD,,\n")
        if origin:
            (metadata / "direct_url.json").write_text(origin)

    def test_the_local_part_of_a_version_is_left_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site(tmp_path, "odd_name", "2.1+cpu", "shining")
        monkeypatch.syspath_prepend(tmp_path)
        assert infer_requirements({"shining"}) == ["odd-name==2.1"]

    def test_what_was_installed_since_is_seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        (tmp_path / "late.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        assert infer_requirements({"late"}) == []
        self.site(tmp_path, "late-comer", "1.0", "late")
        os.utime(tmp_path, ns=(1, 1))  # clocks of file systems are coarse
        assert infer_requirements({"late"}) == ["late-comer==1.0"]

    @pytest.mark.parametrize(("origin", "expected"), [
        ('{"url": "https://user:secret@example.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
         "from-there @ git+https://example.org/r.git@abc"),
        ('{"url": "https://example.org/f-1.whl", "archive_info": {}}', "from-there @ https://example.org/f-1.whl"),
        ('{"url": "file:///tmp/f-1.whl", "archive_info": {}}', "from-there==1.0"),
        ("no JSON", "from-there==1.0"),
    ])
    def test_a_package_from_elsewhere_keeps_its_address(
        self, origin: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.site(tmp_path, "from_there", "1.0", "from_there", origin)
        monkeypatch.syspath_prepend(tmp_path)
        assert infer_requirements({"from_there"}) == [expected]

    def test_a_package_from_a_folder_is_warned_of(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.site(tmp_path, "from_folder", "1.0", "from_folder", '{"url": "file:///src/f", "dir_info": {}}')
        monkeypatch.syspath_prepend(tmp_path)
        assert infer_requirements({"from_folder"}) == ["from-folder==1.0"]
        assert "from_folder".replace("_", "-") in caplog.text


class TestLines:
    def test_a_file_may_name_others(self, tmp_path: Path) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "requirements.txt").write_text(
            "# a comment\nscikit-learn  # another\nnumpy>=1 ; python_version>'3'\n\n-r more/other.txt\n"
            "-c more/limits.txt\npandas \\\n  [excel]\n"
        )
        (tmp_path / "more" / "other.txt").write_text("-r third.txt\n--extra-index-url https://packages.example/simple\n")
        (tmp_path / "more" / "third.txt").write_text("click==8.1.7 --hash=sha256:00ff\n")
        (tmp_path / "more" / "limits.txt").write_text("pandas<3\n")
        found = read_requirements(tmp_path / "requirements.txt")
        assert found.lines == [
            "scikit-learn", 'numpy>=1; python_version > "3"', "click==8.1.7 --hash=sha256:00ff",
            "--extra-index-url https://packages.example/simple", "pandas[excel]",
        ]
        assert found.constraints == ["pandas<3"]

    def test_a_list_may_name_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file.txt").write_text("pandas\n")
        lines = ["numpy", "-r file.txt", "numpy", "x @ https://example.org/x.whl"]
        assert parse_requirements(lines) == ["numpy", "pandas", "x @ https://example.org/x.whl"]

    @pytest.mark.parametrize("line", [
        "--index-url https://packages.example/simple", "-i https://packages.example", "--pre", "--no-binary :all:",
        "--find-links=https://packages.example", "git+https://example.org/x.git@v1#egg=x",
        "./wheels/x-1-py3-none-any.whl", "https://example.org/x-1.tar.gz",
    ])
    def test_what_pip_reads_is_kept(self, line: str) -> None:
        assert parse_requirements([line]) == [line]

    @pytest.mark.parametrize("line", [
        "not valid!!", "numpy; os.system('x')", "numpy==1 && touch /tmp/x", "$(touch /tmp/x)", "`id`", "| id",
        "--config-settings x=y", "--global-option=x", "-e .", "--editable=.", "--upgrade", "--pre yes", "--index-url",
        "--target /tmp", "--python /bin/false", "https://example.org/$(id)", "git+ext::sh -c id", "-", "--",
        "--index-url https://a.example --target /tmp", "./x.whl; rm -r /",
    ])
    def test_what_is_no_requirement_is_refused(self, line: str) -> None:
        with pytest.raises(InvalidValue) as caught:
            parse_requirements(["numpy", line])
        assert line in caught.value.message
        assert caught.value.hint

    def test_a_second_line_in_an_item_is_looked_at_too(self) -> None:
        with pytest.raises(InvalidValue, match="--target"):
            parse_requirements(["numpy\n--target /tmp"])

    def test_files_that_are_missing_or_go_round_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"none\.txt"):
            parse_requirements(tmp_path / "none.txt")
        (tmp_path / "a.txt").write_text("-r b.txt\n")
        (tmp_path / "b.txt").write_text("-r a.txt\n")
        with pytest.raises(InvalidValue, match="includes itself"):
            parse_requirements(tmp_path / "a.txt")

    def test_a_file_outside_of_the_model_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        (tmp_path / "secret").write_text("password\n")
        with pytest.raises(InvalidValue, match="outside"):
            read_requirements(["-r ../secret"], inside=tmp_path / "model")
