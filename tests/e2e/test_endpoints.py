"""Endpoints as users have them: a serving host, its scoring processes, and requests that go on whatever happens."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import millstream.pyfunc
from millstream.errors import NotServing
from millstream.tracking.client import MlflowClient
from millstream.tracking.deployments import get_deploy_client
from tests.servers.host import ROW, Asker, Host, Load, children, runs
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until

# Models from code: a scoring process has no access to the classes of a test.
CONSTANT = """
from millstream.models import set_model
from millstream.pyfunc import PythonModel

class Constant(PythonModel):
    def predict(self, context, model_input, params=None):
        return [{value}] * len(model_input)

set_model(Constant())
"""
BROKEN = CONSTANT.replace("return [{value}] * len(model_input)", "raise ValueError('this model is broken')")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endpoints")


@pytest.fixture(scope="module")
def models(place: Path) -> dict[str, Path]:
    """A folder for each of a few tiny models."""
    texts = {f"constant-{value}": CONSTANT.format(value=value) for value in (1, 2, 3)} | {"broken": BROKEN}
    for name, text in texts.items():
        (place / f"{name}.py").write_text(text)
        millstream.pyfunc.save_model(place / name, python_model=place / f"{name}.py", pip_requirements=[])
    return {name: place / name for name in texts}


@pytest.fixture(scope="module")
def store_uri(place: Path) -> str:
    return f"sqlite:///{place}/store.db"


@pytest.fixture(scope="module")
def client(store_uri: str) -> MlflowClient:
    return MlflowClient(store_uri, store_uri)


@pytest.fixture(scope="module")
def host(place: Path, store_uri: str, client: MlflowClient) -> Iterator[Host]:
    client.search_registered_models()  # the store is there before the host
    host = Host(place, store_uri)
    yield host
    assert host.process.stop() == 0, host.process.log_tail()


class Served:
    """A registered model of one test, with an endpoint of its name."""

    def __init__(self, client: MlflowClient, host: Host, models: dict[str, Path], name: str) -> None:
        self.client, self.host, self.models, self.name = client, host, models, name
        self.path = f"/endpoints/{name}/invocations"
        client.create_registered_model(name)

    def add(self, model: str) -> str:
        """A new version of this model."""
        return str(self.client.create_model_version(self.name, str(self.models[model])).version)

    def promote(self, version: str) -> None:
        """Move a version to Production, and archive what is there."""
        self.client.transition_model_version_stage(self.name, version, "Production", archive_existing_versions=True)

    def create(self, *ready: str, **settings: Any) -> None:
        """Create the endpoint, and wait until these versions are ready."""
        self.client.create_endpoint(self.name, env_manager="local", **settings)
        self.host.wait(self.name, *ready)

    def answer(self) -> int:
        """What the endpoint predicts for one row."""
        told = self.host.ask(self.path)
        assert told.status == 200, told.body
        return int(told.json["predictions"][0])


@pytest.fixture
def served(
    client: MlflowClient, host: Host, models: dict[str, Path], request: pytest.FixtureRequest
) -> Iterator[Served]:
    name = request.node.name.removeprefix("test_")[:60]
    served = Served(client, host, models, name)
    yield served
    # Switched off, nothing of it is left.
    pids = host.pids(name)
    client.disable_serving(name)
    host.until(lambda: not any(map(runs, pids)), f"the end of {name}")
    wait_until(lambda: all(one.state == "OFF" for one in client.list_endpoints(name)), 30, f"{name} is off")


def test_serving_is_switched_on_by_the_name_of_a_model(served: Served, host: Host, client: MlflowClient) -> None:
    name = served.name
    for model in ("constant-1", "constant-2", "constant-3"):
        served.add(model)
    client.transition_model_version_stage(name, "1", "Archived")
    client.transition_model_version_stage(name, "2", "Production")
    client.set_registered_model_alias(name, "newest", "3")
    client.enable_serving(name, "local")
    host.wait(name, "2", "3")
    assert served.answer() == 2
    found = {target: host.ask(f"/model/{name}/{target}/invocations") for target in
             ("2", "3", "Production", "production", "@newest", "latest", "None")}
    assert {target: answer.version for target, answer in found.items()} == {
        "2": "2", "3": "3", "Production": "2", "production": "2", "@newest": "3", "latest": "3", "None": "3"
    }
    assert {answer.json["predictions"][0] for answer in found.values()} == {2, 3}
    gone = host.ask(f"/model/{name}/1/invocations")
    assert (gone.status, gone.json["error_class"], gone.headers["retry-after"]) == (503, "NotServing", "1")
    assert host.ask(f"/model/{name}/Prod/invocations").status == 404
    told = client.get_endpoint(name)
    assert [(one.version, one.state, one.percent) for one in told.versions] == [
        ("2", "READY", 100.0), ("3", "READY", 0.0)
    ]
    assert told.endpoint.state == "READY"
    assert client.query_endpoint(name, [1.0, 2.0], version="@newest") == {"predictions": [3, 3]}
    client.create_endpoint("another-" + name, name, enabled=False)
    assert client.list_serving_hosts()[0].address == host.uri


def test_a_promotion_drops_no_request(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.promote("1")
    served.create("1")
    with Load(host.port, served.path, clients=5, each=10) as load:
        host.until(lambda: load.versions["1"] >= 50, "answers of the old version")
        # The new version is archived behind nobody's back: the old one answers until its process is ready.
        served.add("constant-2")
        served.promote("2")
        host.until(lambda: load.versions["2"] >= 50, "answers of the new version")
        host.until(lambda: not host.pids(served.name) or not host.replicas(served.name, "1"), "the end of the old one")
        again = load.versions["2"]
        host.until(lambda: load.versions["2"] >= again + 25, "answers after that")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}
    values = [answer.json["predictions"][0] for answer in load.answers]
    assert set(values) == {1, 2}
    late = [answer.version for answer in load.answers].index("2")
    # Requests under way at the change may end a little later than the first of the new version; none comes after that.
    assert "1" not in [answer.version for answer in load.answers[late + 5:]]


def test_aliases_move_without_dropping_a_request(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("constant-2")
    client.set_registered_model_alias(served.name, "champion", "1")
    served.create("1", "2", traffic={"@champion": 1})
    with Load(host.port, served.path, clients=2, each=25) as load:
        for version in ("2", "1", "2"):
            client.set_registered_model_alias(served.name, "champion", version)
            before = load.versions[version]
            host.until(lambda version=version, before=before: load.versions[version] > before + 10, "the alias")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}


def test_a_killed_scoring_process_is_back(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.create("1", replicas=2)
    host.until(lambda: len(host.replicas(served.name, "1")) == 2, "two replicas")
    with Load(host.port, served.path, clients=4, each=15) as load:
        host.until(lambda: len(load.answers) >= 20, "answers")
        victim = host.replicas(served.name, "1")[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        host.until(lambda: victim not in host.pids(served.name) and len(host.replicas(served.name, "1")) == 2,
                   "another process in its place")
        seen = len(load.answers)
        host.until(lambda: len(load.answers) >= seen + 20, "answers after that")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}
    wait_until(lambda: "endpoint.replica_failed" in [one.kind for one in client.get_endpoint_history(served.name)], 30,
               "the event")
    restarts = [one["restarts"] for one in host.replicas(served.name, "1")]
    assert 1 in restarts


def test_a_killed_worker_of_a_scoring_process_is_back(served: Served, host: Host) -> None:
    served.add("constant-1")
    served.create("1", workers=2)
    (replica,) = host.replicas(served.name, "1")

    def workers() -> set[int]:
        # The child that looks after shared resources is no worker.
        return {pid for pid in children(replica["pid"]) if b"resource_tracker" not in _command(pid)}

    host.until(lambda: len(workers()) == 2, "two workers")
    with Load(host.port, served.path, clients=4, each=15) as load:
        host.until(lambda: len(load.answers) >= 20, "answers")
        victim = min(workers())
        os.kill(victim, signal.SIGKILL)
        host.until(lambda: not runs(victim) and len(workers() - {victim}) == 2, "another worker in its place")
        seen = len(load.answers)
        host.until(lambda: len(load.answers) >= seen + 20, "answers after that")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_split_of_traffic_is_what_its_rule_says(served: Served, host: Host) -> None:
    served.add("constant-1")
    served.add("constant-2")
    served.create("1", "2", traffic={"1": 90, "2": 10})

    def many(number: int) -> int:
        asker = Asker(host.port)
        try:
            return sum(asker.ask(served.path).version == "2" for _ in range(number))
        finally:
            asker.close()

    with ThreadPoolExecutor(4) as threads:
        second = sum(threads.map(many, [2_500] * 4))
    # Of 10,000 draws with p = 0.1 the standard deviation is 30: one run in two million lies outside of five of them.
    assert 850 <= second <= 1150
    kept = {host.ask(served.path, X_Millstream_Session=f"user-{number % 20}").version for number in range(5)}
    for number in range(20):
        seen = {host.ask(served.path, X_Millstream_Session=f"user-{number}").version for _ in range(3)}
        assert len(seen) == 1
        kept |= seen
    figures = host.status(served.name)["figures"]
    assert figures["1"]["requests"] + figures["2"]["requests"] == 10_065


def test_a_canary_that_errs_is_rolled_back(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("broken")
    served.create("1", "2", traffic={"1": 1})
    client.start_canary(served.name, "2", [(50, 3600), (100, 3600)], min_requests=10)
    with Load(host.port, served.path, clients=2, each=30) as load:
        wait_until(lambda: _canary(client, served.name).state == "ROLLED_BACK", 60, "the end of the canary")
        seen = len(load.answers)
        host.until(lambda: host.status(served.name)["traffic"] == {"1": 100.0}, "the table")
        host.until(lambda: len(load.answers) >= seen + 20, "answers after that")
    assert not load.errors
    failed = [answer for answer in load.answers if answer.status != 200]
    assert {answer.version for answer in failed} == {"2"}
    assert "answers failed (100.0%)" in _canary(client, served.name).reason
    assert {answer.version for answer in load.answers[-5:]} == {"1"}
    assert "endpoint.canary_rolled_back" in [event.kind for event in client.get_endpoint_history(served.name)]


def test_a_canary_that_does_well_takes_over(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("constant-2")
    served.create("1", "2", traffic={"1": 1})
    client.start_canary(served.name, "2", [(30, 0.1), (60, 0.1)], min_requests=5)
    with Load(host.port, served.path, clients=2, each=30) as load:
        wait_until(lambda: _canary(client, served.name).state == "PROMOTED", 60, "the end of the canary")
        host.until(lambda: host.status(served.name)["traffic"] == {"2": 100.0}, "the table")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}
    kinds = [event.kind for event in client.get_endpoint_history(served.name)]
    assert [kind for kind in reversed(kinds) if "canary" in kind] == [
        "endpoint.canary_started", "endpoint.canary_stepped", "endpoint.canary_promoted"
    ]
    assert served.answer() == 2


def _canary(client: MlflowClient, name: str) -> Any:
    return client.get_endpoint(name).endpoint.canary


def test_shadow_versions_get_copies_and_answer_nobody(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("broken")
    served.create("1", "2", traffic={"1": 1}, shadow=["2"])
    for _ in range(20):
        assert served.answer() == 1

    def copies() -> int:
        figures = host.ask("/metrics", method="GET").body.decode()
        lines = [line for line in figures.splitlines()
                 if line.startswith("millstream_endpoint_shadow_requests_total") and f'"{served.name}"' in line]
        return int(sum(float(line.rpartition(" ")[2]) for line in lines if 'outcome="failed"' in line))

    host.until(lambda: copies() == 20, "copies of all requests")
    (log,) = client.get_endpoint_logs(served.name, "2")
    wait_until(lambda: "this model is broken" in client.get_endpoint_logs(served.name, "2")[0].text, 30, "its log")


def test_a_version_that_is_archived_goes(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("constant-2")
    served.create("1", "2")
    (old,) = host.replicas(served.name, "1")
    client.transition_model_version_stage(served.name, "1", "Archived")
    host.until(lambda: not runs(old["pid"]), "the end of its process")
    client.delete_model_version(served.name, "2")
    host.until(lambda: not host.pids(served.name), "the end of the last")
    told = host.ask(served.path)
    assert (told.status, told.json["error_class"]) == (503, "NotServing")
    wait_until(lambda: client.get_endpoint(served.name).endpoint.state == "WAITING", 30, "the state")


def test_settings_change_under_load(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.create("1")
    with Load(host.port, served.path, clients=2, each=25) as load:
        before = host.pids(served.name)
        client.restart_endpoint(served.name)
        host.until(lambda: not set(before) & set(host.pids(served.name)) and host.pids(served.name), "a new process")
        client.update_endpoint(served.name, replicas=2)
        host.until(lambda: len(host.replicas(served.name, "1")) == 2, "two processes")
        client.update_endpoint(served.name, replicas=1)
        host.until(lambda: len(host.pids(served.name)) == 1, "one process")
    assert not load.errors
    assert {answer.status for answer in load.answers} == {200}


def test_an_idle_version_sleeps_until_it_is_asked_for(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.add("constant-2")
    served.create("1", "2", idle_seconds=0.5)
    host.until(lambda: not host.replicas(served.name, "1") and len(host.pids(served.name)) == 1, "the idle one's end")
    wait_until(lambda: [one.state for one in client.get_endpoint(served.name).versions] == ["IDLE", "READY"], 30,
               "the states of the versions")
    assert client.get_endpoint(served.name).endpoint.state == "READY"
    woken = host.ask(f"/model/{served.name}/1/invocations")
    assert (woken.status, woken.json) == (200, {"predictions": [1]})


def test_a_model_that_does_not_load_says_why(served: Served, host: Host, client: MlflowClient, place: Path) -> None:
    served.add("constant-1")
    served.create("1")
    (place / "empty").mkdir(exist_ok=True)
    client.create_model_version(served.name, str(place / "empty"))
    wait_until(lambda: [one.state for one in client.get_endpoint(served.name).versions] == ["READY", "FAILED"], 30,
               "the failure")
    endpoint = client.get_endpoint(served.name).endpoint
    assert endpoint.state == "FAILED"
    assert "MLmodel" in (endpoint.reason or "")
    # The version that was there goes on answering.
    assert served.answer() == 1


def test_what_is_refused(served: Served, host: Host, client: MlflowClient) -> None:
    served.add("constant-1")
    served.create("1", limits=_limits(body_bytes=2_000_000))
    assert host.ask(served.path, b"x" * 3_000_000).status == 413
    assert host.ask(served.path, b"{").status == 400
    assert host.ask(served.path, ROW, Content_Type="text/plain").status == 415
    assert host.ask("/endpoints/absent/invocations").status == 404
    assert host.ask(served.path, method="GET").status == 405
    assert host.ask("/nowhere").status == 404
    foreign = host.ask(served.path, Host="evil.example")
    assert (foreign.status, foreign.json["error_code"]) == (403, "PERMISSION_DENIED")
    page = host.ask(served.path, Origin="http://evil.example")
    assert page.status == 403
    many = json.dumps({"inputs": [1.0] * 300_000})
    assert len(many) > 1024 * 1024
    large = host.ask(served.path, many)
    assert (large.status, len(large.json["predictions"])) == (200, 300_000)
    chunked = host.ask(served.path, (part for part in (many[:1_200_000].encode(), many[1_200_000:].encode())))
    assert chunked.json == large.json


def _limits(**given: Any) -> Any:
    from millstream.entities.endpoint import EndpointLimits

    return EndpointLimits(**given)


def test_a_killed_host_leaves_nothing_and_another_takes_over(place: Path, models: dict[str, Path]) -> None:
    uri = f"sqlite:///{place}/killed.db"
    client = MlflowClient(uri, uri)
    client.create_registered_model("m")
    client.create_model_version("m", str(models["constant-1"]))
    client.create_endpoint("m", env_manager="local")
    assert client.get_endpoint("m").endpoint.state == "WAITING"
    with pytest.raises(NotServing, match="no serving host"):
        client.query_endpoint("m", [1.0])
    host = Host(place, uri)
    try:
        host.wait("m", "1")
        pids = host.pids("m")
        assert pids
        host.process.kill()
        wait_until(lambda: not any(map(runs, pids)), 30, "the end of its scoring processes")
        host.start()
        host.wait("m", "1")
        assert host.ask("/endpoints/m/invocations").json == {"predictions": [1]}
        pids = host.pids("m")
    finally:
        status = host.process.stop()
    assert status == 0, host.process.log_tail()
    assert not any(map(runs, pids))
    assert [one.host for one in client.list_serving_hosts() if one.alive] == []


def test_a_host_that_ends_answers_what_it_has(place: Path, models: dict[str, Path]) -> None:
    uri = f"sqlite:///{place}/ending.db"
    client = MlflowClient(uri, uri)
    client.create_registered_model("m")
    client.create_model_version("m", str(models["constant-1"]))
    client.create_endpoint("m", env_manager="local")
    host = Host(place, uri)
    host.wait("m", "1")
    body = json.dumps({"inputs": [1.0] * 200_000})
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(host.ask, "/endpoints/m/invocations", body) for _ in range(2)]
        host.until(lambda: host.replicas("m", "1")[0]["requests"] > 0 or all(one.done() for one in asked), "requests")
        assert host.process.stop() == 0
        assert [one.result().status for one in asked] == [200, 200]


def test_through_the_tracking_server(place: Path, models: dict[str, Path]) -> None:
    below = place / "server"
    below.mkdir()
    with MillstreamServer(below, options=("--serve-models",)) as server:
        client = MlflowClient(server.uri, server.uri)
        asker = Asker(server.port)
        client.create_registered_model("m")
        _log_version(server.uri, "m", models["constant-1"].with_suffix(".py"))
        nobody = asker.ask("/endpoints/m/invocations")
        assert nobody.status in (404, 503)  # no host yet, or one that knows of no endpoint
        assert "millstream endpoints" in nobody.json["hint"]
        deployer = get_deploy_client(server.uri)
        made = deployer.create_endpoint("m", {"env_manager": "local"})
        assert made["model"] == "m"
        wait_until(lambda: deployer.get_endpoint("m")["state"] == "READY", 60, "the endpoint", server.process)
        assert deployer.predict(endpoint="m", inputs=[1.0, 2.0]) == {"predictions": [1, 1]}
        told = asker.ask("/model/m/latest/invocations")
        assert (told.status, told.version, told.headers["x-millstream-endpoint"]) == (200, "1", "m")
        assert asker.ask("/endpoints/m/openapi.json", method="GET").json["openapi"].startswith("3.")
        assert asker.ask("/endpoints/m/invocations", Origin="http://evil.example").status == 403
        many = json.dumps({"inputs": [1.0] * 300_000})
        assert len(asker.ask("/endpoints/m/invocations", many).json["predictions"]) == 300_000
        assert asker.ask("/endpoints/m/invocations", b"{").json["error_code"] == "BAD_REQUEST"
        (replica,) = client.get_endpoint("m").versions[0].replicas
        asker.close()
        assert replica.pid is not None
        assert runs(replica.pid)
    wait_until(lambda: not runs(replica.pid or 0), 30, "the end of the model's process")


def _log_version(uri: str, name: str, script: Path) -> None:
    millstream.set_tracking_uri(uri)
    try:
        with millstream.start_run():
            millstream.pyfunc.log_model(
                name="m", python_model=script, registered_model_name=name, pip_requirements=[]
            )
    finally:
        millstream.set_tracking_uri("")


def test_a_host_goes_on_while_its_store_is_away(place: Path, models: dict[str, Path]) -> None:
    below = place / "away"
    below.mkdir()
    with MillstreamServer(below) as server:
        client = MlflowClient(server.uri, server.uri)
        for value in (1, 2):
            _log_version(server.uri, "m", models[f"constant-{value}"].with_suffix(".py"))
        client.create_endpoint("m", env_manager="local", traffic={"Production": 1})
        client.transition_model_version_stage("m", "1", "Production")
        host = Host(below, server.uri)
        try:
            host.wait("m", "1", "2")
            server.kill()
            (one,) = host.replicas("m", "1")
            os.kill(one["pid"], signal.SIGKILL)
            host.until(lambda: host.replicas("m", "1") not in ([], [one]), "another process in its place")
            assert host.ask("/endpoints/m/invocations").json == {"predictions": [1]}
            server.start()
            client.transition_model_version_stage("m", "2", "Production", archive_existing_versions=True)
            host.until(lambda: host.ask("/endpoints/m/invocations").json == {"predictions": [2]}, "the promotion")
            # What was fetched for the version that is archived is not kept.
            host.until(lambda: not host.replicas("m", "1") and len(host.pids("m")) == 1, "the end of the other")
        finally:
            assert host.process.stop() == 0, host.process.log_tail()
