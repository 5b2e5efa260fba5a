"""The configuration of models from code."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from millstream.errors import InvalidValue
from millstream.flavors.pyfunc.scripts import run
from millstream.models.config import ModelConfig, given


def test_a_file_or_a_dict_while_it_is_developed(tmp_path: Path) -> None:
    file = tmp_path / "chain.yaml"
    file.write_text("rate: 0.5\nlayers: {first: 3}\n")
    for config in (ModelConfig(development_config=file), ModelConfig(development_config=str(file))):
        assert config.get("rate") == 0.5
        assert config.to_dict() == {"rate": 0.5, "layers": {"first": 3}}
    assert ModelConfig(development_config={"rate": 1}).get("rate") == 1
    assert repr(ModelConfig(development_config={"rate": 1})) == "ModelConfig({'rate': 1})"


def test_what_the_model_is_loaded_with_wins() -> None:
    with given({"rate": 2}):
        assert ModelConfig(development_config={"rate": 1}).get("rate") == 2
        assert ModelConfig().to_dict() == {"rate": 2}
        with given({}):
            assert ModelConfig(development_config={"rate": 1}).to_dict() == {}
        elsewhere: list[object] = []
        own = ModelConfig, {"rate": 1}
        thread = threading.Thread(target=lambda: elsewhere.append(own[0](development_config=own[1]).get("rate")))
        thread.start()
        thread.join()
        assert elsewhere == [1]
    assert ModelConfig(development_config={"rate": 1}).get("rate") == 1


def test_functions_of_a_script_find_its_configuration_when_it_has_run(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import millstream\n"
        "def rate(_): return millstream.models.ModelConfig(development_config={'rate': 1}).get('rate')\n"
        "millstream.models.set_model(rate)\n"
    )
    configured, plain = run(script, {"rate": 3}), run(script, None)
    assert (configured(None), plain(None)) == (3, 1)


def test_an_unknown_key_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="'size' is not .* has 'rate'"):
        ModelConfig(development_config={"rate": 1}).get("size")


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="development_config"):
        ModelConfig()
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        ModelConfig(development_config="absent.yaml")
    file = tmp_path / "chain.yaml"
    file.write_text("")
    assert ModelConfig(development_config=file).to_dict() == {}
    file.write_text("- 1")
    with pytest.raises(InvalidValue, match="holds a list"):
        ModelConfig(development_config=file)
    file.write_text("{")
    with pytest.raises(InvalidValue, match="not YAML"):
        ModelConfig(development_config=file)
