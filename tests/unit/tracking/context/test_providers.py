from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from millstream import plugins
from millstream.tracking import context
from millstream.tracking.context.container import Container
from millstream.tracking.context.databricks import Databricks
from millstream.tracking.context.source import Source, user

PRINT_TAGS = "import json\nfrom millstream.tracking.context import collect_tags\nprint(json.dumps(collect_tags()))\n"

CONTEXT_VARIABLES = (
    "MILLSTREAM_RUN_CONTEXT", "MLFLOW_RUN_CONTEXT", "JUPYTERHUB_USER", "MILLSTREAM_IMAGE", "JUPYTER_IMAGE_SPEC",
    "JUPYTER_IMAGE", "CONTAINER_IMAGE", "DOCKER_IMAGE", "KUBERNETES_SERVICE_HOST", "POD_NAMESPACE",
    "DATABRICKS_RUNTIME_VERSION", "MILLSTREAM_PROJECT_ENTRY_POINT", "MLFLOW_PROJECT_ENTRY_POINT",
)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CONTEXT_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def tags_of(*arguments: str, folder: Path, text: str | None = None, **environment: str) -> dict[str, str]:
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=folder, input=text, check=True, capture_output=True, text=True,
        env={**os.environ, **environment},
    )
    tags = json.loads(answer.stdout.splitlines()[-1])
    assert isinstance(tags, dict)
    return tags


def test_a_script_is_named_as_typed(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text(PRINT_TAGS)
    tags = tags_of("code/train.py", folder=tmp_path)
    assert tags["mlflow.source.name"] == "code/train.py"
    assert tags["mlflow.source.type"] == "LOCAL"
    assert tags["mlflow.user"] == getpass.getuser()
    assert "mlflow.project.entryPoint" not in tags


def test_a_module_is_also_an_entry_point(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PRINT_TAGS)
    (package / "train.py").write_text(PRINT_TAGS)
    assert tags_of("-m", "pack.train", folder=tmp_path)["mlflow.project.entryPoint"] == "pack.train"
    tags = tags_of("-m", "pack", folder=tmp_path)
    assert tags["mlflow.project.entryPoint"] == "pack"
    assert tags["mlflow.source.name"] == str(package / "__main__.py")


def test_a_command_and_a_console(tmp_path: Path) -> None:
    assert tags_of("-c", PRINT_TAGS, folder=tmp_path)["mlflow.source.name"] == "-c"
    assert tags_of(folder=tmp_path, text=PRINT_TAGS)["mlflow.source.name"] == "<console>"


def test_the_git_state_is_that_of_the_code_not_of_the_working_directory(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / ".git/refs/heads").mkdir(parents=True)
    (code / ".git/HEAD").write_text("ref: refs/heads/main")
    (code / ".git/refs/heads/main").write_text("a" * 40)
    (code / "train.py").write_text(PRINT_TAGS)
    assert tags_of("code/train.py", folder=tmp_path)["mlflow.source.git.commit"] == "a" * 40
    # A command has no file; there, and in a notebook, the working directory is all there is.
    assert tags_of("-c", PRINT_TAGS, folder=code)["mlflow.source.git.branch"] == "main"


def test_a_project_tells_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PROJECT_ENTRY_POINT", "train")
    tags = Source().tags()
    assert tags["mlflow.source.type"] == "PROJECT"
    assert tags["mlflow.project.entryPoint"] == "train"


def test_the_user_of_a_hub_goes_before_the_shared_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "jovyan")
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert user() == "ada"


def test_a_user_without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert user() == getpass.getuser()


def test_no_container(tmp_path: Path) -> None:
    assert not Container(tmp_path).in_context()


@pytest.mark.parametrize(("marker", "runtime"), [(".dockerenv", "docker"), ("run/.containerenv", "podman")])
def test_a_container_is_recognised_by_its_marker(tmp_path: Path, marker: str, runtime: str) -> None:
    (tmp_path / marker).parent.mkdir(exist_ok=True)
    (tmp_path / marker).touch()
    provider = Container(tmp_path)
    assert provider.in_context()
    assert provider.tags()["millstream.container.runtime"] == runtime
    assert provider.tags()["millstream.container.host"]


def test_a_pod_and_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount"
    account.mkdir(parents=True)
    (account / "namespace").write_text("research\n")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("JUPYTER_IMAGE", "registry.example.com/notebook")
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "registry.example.com/notebook:2.1")
    tags = Container(tmp_path).tags()
    assert tags["mlflow.docker.image.uri"] == "registry.example.com/notebook:2.1"
    assert tags["millstream.container.runtime"] == "kubernetes"
    assert tags["millstream.kubernetes.namespace"] == "research"


def test_an_image_that_is_named_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_IMAGE", "trainer:7")
    provider = Container(tmp_path)
    assert provider.in_context()
    assert provider.tags() == {"mlflow.docker.image.uri": "trainer:7"}


def test_databricks_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Databricks().in_context()
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    monkeypatch.setenv("DB_CLUSTER_ID", "0101-1")
    monkeypatch.setenv("DATABRICKS_JOB_ID", "77")
    assert Databricks().in_context()
    assert Databricks().tags() == {
        "mlflow.databricks.cluster.id": "0101-1",
        "mlflow.databricks.jobID": "77",
        "mlflow.source.name": "jobs/77",
        "mlflow.source.type": "JOB",
    }


def test_declared_tags_override_and_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", json.dumps({"mlflow.user": "scheduler", "attempt": 2}))
    tags = context.collect_tags()
    assert tags["mlflow.user"] == "scheduler"
    assert tags["attempt"] == "2"


@pytest.mark.parametrize("text", ["not json", "[1]"])
def test_a_broken_declaration_is_reported_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", text)
    assert "mlflow.user" in context.collect_tags()
    assert "RUN_CONTEXT" in caplog.text


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    program = "import os\nos.rmdir(os.getcwd())\n" + PRINT_TAGS
    (tmp_path / "gone").mkdir()
    assert tags_of("-c", program, folder=tmp_path / "gone")["mlflow.source.name"] == "-c"


def test_what_is_declared_is_not_changed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    # These tests run inside a checkout, so that the late tags are not empty without a declaration.
    monkeypatch.chdir(Path(__file__).parent)
    assert "mlflow.source.git.dirty" in context.collect_late_tags(60.0)
    monkeypatch.setenv("MILLSTREAM_RUN_CONTEXT", json.dumps({"mlflow.source.git.dirty": "unknown"}))
    assert "mlflow.source.git.dirty" not in context.collect_late_tags(60.0)


def test_plug_ins_of_both_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "context_plugin-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[mlflow.run_context_provider]\ncluster = context_plugin:Cluster\nnever = context_plugin:Never\n"
        "[millstream.run_context]\nbroken = context_plugin:Broken\nworse = context_plugin:Worse\n"
    )
    (tmp_path / "context_plugin.py").write_text(
        "class Cluster:\n"
        "    def in_context(self): return True\n"
        "    def tags(self): return {'cluster': 'gpu-3', 'mlflow.user': 'service'}\n"
        "class Never(Cluster):\n"
        "    def in_context(self): return False\n"
        "    def tags(self): return {'never': 'x'}\n"
        "class Broken(Cluster):\n"
        "    def tags(self): raise RuntimeError('no cluster')\n"
        "class Worse(Cluster):\n"
        "    def __init__(self): raise RuntimeError('cannot be made')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    try:
        tags = context.collect_tags()
    finally:
        plugins.forget()
    assert tags["cluster"] == "gpu-3"
    assert tags["mlflow.user"] == "service"
    assert "never" not in tags
    assert tags["mlflow.source.type"] == "LOCAL"


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    # importlib.metadata, subprocess and the network are what would make a start slow.
    program = PRINT_TAGS + (
        "import sys\nheavy = {'importlib.metadata', 'subprocess', 'urllib.request', 'IPython', 'git', 'http.client'}\n"
        "print(json.dumps({'heavy': ' '.join(sorted(heavy & set(sys.modules)))}))\n"
    )
    assert tags_of("-c", program, folder=tmp_path) == {"heavy": ""}
