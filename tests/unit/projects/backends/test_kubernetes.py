"""Jobs of Kubernetes by the official client, against the API's protocol on a local server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from millstream import projects
from millstream.errors import (
    EnvironmentFailed,
    InvalidValue,
    NotInTime,
    PermissionDenied,
    ProjectFailed,
    Unauthenticated,
    Unreachable,
)
from millstream.projects.backends.job_templates import job_name, label_of, manifest
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from millstream.tracking.client import MlflowClient
from tests.servers.kubernetes import Cluster
from tests.servers.processes import wait_until
from tests.unit.projects.backends import jobs
from tests.unit.projects.backends.engines import engine_program

SERVER = "http://millstream.example:5000"
TEMPLATE = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: "{replaced with MLflow Project name}"
  namespace: training
spec:
  ttlSecondsAfterFinished: 600
  template:
    spec:
      containers:
      - name: "{replaced with MLflow Project name}"
        image: "{replaced with URI of Docker image created during Project execution}"
        command: ["{replaced with MLflow Project entry point command}"]
        args: ["gone"]
        env:
        - {name: MLFLOW_RUN_ID, value: stale}
        - name: MLFLOW_TRACKING_PASSWORD
          valueFrom: {secretKeyRef: {name: tracking, key: password}}
        resources:
          limits: {memory: 512Mi}
"""


@pytest.fixture
def cluster(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster()
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig(tracking / "kubeconfig")))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBE_MLFLOW_TRACKING_URI", SERVER)
    (tracking / "job.yaml").write_text(TEMPLATE)
    yield made
    for name in list(made.jobs):
        made.delete(name)
    jobs.end()
    made.stop()


def a_job(folder: Path, **config: Any) -> Job:
    """A job of a project in an image that is there; what it logs to is within the cluster."""
    given = {"kube-job-template-path": "job.yaml", "image": "team/loan:1", **config}
    return jobs.job(jobs.project(folder / "project"), config={key: value for key, value in given.items() if value})


def submitted(job: Job) -> SubmittedRun:
    return jobs.submitted("kubernetes", job)


class TestJob:
    def test_it_is_the_template_with_the_run_in_it(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        submitted(job)
        made = cluster.job
        assert kubernetes_validate.validate(
            {key: value for key, value in made.items() if key != "status"}, "1.33", strict=True
        ) is not None
        assert made["metadata"]["namespace"] == "training"
        assert made["metadata"]["name"].startswith(f"loan-default-{job.run_id[:8]}-")
        assert made["metadata"]["labels"] == {"millstream.run_id": job.run_id}
        assert made["spec"]["backoffLimit"] == 0 and made["spec"]["ttlSecondsAfterFinished"] == 600
        pod = made["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["restartPolicy"] == "Never"
        assert (container["name"], container["image"]) == ("loan-default", "team/loan:1")
        assert container["command"] == ["python", "train.py", "0.5"] and "args" not in container
        assert container["resources"] == {"limits": {"memory": "512Mi"}}
        variables = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
        assert variables["MLFLOW_RUN_ID"] == job.run_id
        assert variables["MLFLOW_TRACKING_URI"] == SERVER
        assert variables["MLFLOW_TRACKING_PASSWORD"] == {"secretKeyRef": {"name": "tracking", "key": "password"}}
        assert jobs.tags(job)["millstream.project.kubernetes_job"] == f"training/{made['metadata']['name']}"

    def test_it_ends_well(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        run = submitted(job)
        assert run.get_status() == jobs.SCHEDULED
        cluster.start()
        assert run.get_status() == jobs.RUNNING
        cluster.write("one", "two")
        threading.Timer(0.1, cluster.end).start()
        assert run.wait(20)
        assert jobs.status(job) == "FINISHED"
        assert jobs.output(job) == "one\ntwo\n"
        run.cancel()
        assert run.get_status() == jobs.FINISHED and len(cluster.jobs) == 1

    def test_waiting_hears_of_the_end_at_once(self, cluster: Cluster, tracking: Path) -> None:
        """Between two looks the server is watched, not asked again."""
        run = submitted(a_job(tracking))
        cluster.start()
        waiting = threading.Thread(target=run.wait)
        waiting.start()
        wait_until(lambda: any("watch" in path for _, path, _ in cluster.requests), 10, "the watch")
        cluster.end()
        waiting.join(20)
        assert not waiting.is_alive()
        watches = [path for method, path, _ in cluster.requests if "watch" in path]
        assert watches and "resourceVersion=" in watches[0] and "fieldSelector=metadata.name" in watches[0]

    def test_it_fails_as_its_program_did(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        cluster.write("Traceback", "ValueError: no data")
        cluster.end(137, "OOMKilled")
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED"
        assert "its command ended with status 137 (OOMKilled)" in run.failure()
        assert "ValueError: no data" in run.failure()

    def test_lines_come_as_they_are_written(self, cluster: Cluster, tracking: Path) -> None:
        run = submitted(a_job(tracking))
        cluster.start()
        cluster.write("first")
        lines = run.logs()
        assert next(lines) == "first"
        cluster.write("second")
        assert next(lines) == "second"
        cluster.write("last")
        cluster.end()
        assert list(lines) == ["last"]

    def test_cancelling_deletes_it_with_its_pods(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        cluster.write("half way")
        run.cancel()
        assert not cluster.jobs
        assert any(method == "DELETE" and "propagationPolicy=Foreground" in path
                   for method, path, _ in cluster.requests)
        assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")
        assert jobs.output(job) == "half way\n"
        assert not run.wait()

    def test_waiting_has_a_timeout(self, cluster: Cluster, tracking: Path) -> None:
        run = submitted(a_job(tracking))
        with pytest.raises(NotInTime, match=r"goes on after 0\.2 seconds"):
            run.wait(0.2)

    def test_what_keeps_a_pod_from_starting_is_said_once(
        self, cluster: Cluster, tracking: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = submitted(a_job(tracking))
        cluster.start(waiting=("ImagePullBackOff", 'Back-off pulling image "team/loan:1"'))
        assert [run.get_status() for _ in range(3)] == [jobs.SCHEDULED] * 3
        assert caplog.text.count('ImagePullBackOff Back-off pulling image "team/loan:1"') == 1


class TestGone:
    def test_a_job_that_somebody_deletes_was_killed(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        assert run.get_status() == jobs.RUNNING
        cluster.delete()
        assert not run.wait(20)
        assert jobs.status(job) == "KILLED" and "was deleted" in run.failure()

    def test_one_that_ended_well_and_was_cleared_away_has_finished(self, cluster: Cluster, tracking: Path) -> None:
        """What its program said of the run counts, where the cluster knows nothing any more."""
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        cluster.end()
        MlflowClient().set_terminated(job.run_id)
        cluster.delete()
        assert run.wait(20)
        assert jobs.status(job) == "FINISHED"

    def test_a_cluster_that_comes_back_is_asked_again(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        answers = iter([503, 503, 503])
        cluster.refuse = lambda method, path: next(answers, None)
        cluster.end()
        assert run.wait(20) and next(answers, None) is None
        assert jobs.status(job) == "FINISHED"

    def test_a_job_whose_creation_was_not_answered_is_followed(self, cluster: Cluster, tracking: Path) -> None:
        cluster.forgets = True
        job = a_job(tracking)
        run = submitted(job)
        cluster.start()
        cluster.end()
        assert run.wait(20) and jobs.status(job) == "FINISHED"

    def test_one_that_stays_away_leaves_a_failed_run(self, cluster: Cluster, tracking: Path) -> None:
        job = a_job(tracking, patience=0.3)
        run = submitted(job)
        cluster.stop()
        with pytest.raises(Unreachable):
            run.get_status()
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED" and "has not answered for 0.3 seconds" in run.failure()


class TestErrors:
    def refused(self, job: Job, kind: type[Exception], message: str, hint: str) -> None:
        with pytest.raises(kind, match=message) as caught:
            submitted(job)
        assert hint in str(getattr(caught.value, "hint", None))

    def test_no_template(self, cluster: Cluster, tracking: Path) -> None:
        self.refused(a_job(tracking, **{"kube-job-template-path": ""}), InvalidValue, "needs a template",
                     "kube-job-template-path")
        self.refused(a_job(tracking, **{"kube-job-template-path": "other.yaml"}), InvalidValue,
                     "no job template other.yaml", "YAML file of a Job")

    @pytest.mark.parametrize(("change", "message"), [
        ({"kind": "Deployment"}, "kind: it is 'Deployment', and a job's is 'Job'"),
        ({"spec": None}, "spec: names with values are expected"),
        ({"spec": {"template": {"spec": {"containers": []}}}}, "a job has a container at least"),
    ])
    def test_a_template_that_is_no_job(
        self, cluster: Cluster, tracking: Path, change: dict[str, Any], message: str
    ) -> None:
        (tracking / "job.yaml").write_text(yaml.safe_dump({**yaml.safe_load(TEMPLATE), **change}))
        self.refused(a_job(tracking), InvalidValue, message, "Job of batch/v1")

    def test_a_template_with_a_wrong_type(self, cluster: Cluster, tracking: Path) -> None:
        (tracking / "job.yaml").write_text(TEMPLATE.replace("ttlSecondsAfterFinished: 600",
                                                            "ttlSecondsAfterFinished: {never: 1}"))
        self.refused(a_job(tracking), InvalidValue, r"is no job: .*ttlSecondsAfterFinished", "correct the field")
        assert not cluster.jobs

    def test_no_context(self, cluster: Cluster, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused(a_job(tracking, **{"kube-context": "other"}), InvalidValue, "no way into a Kubernetes cluster",
                     '"kube-context": tests')
        monkeypatch.setenv("KUBECONFIG", str(tracking / "nothing"))
        self.refused(a_job(tracking), InvalidValue, "no way into a Kubernetes cluster", "KUBECONFIG")

    def test_no_image_and_nowhere_to_push_one(self, cluster: Cluster, tracking: Path) -> None:
        self.refused(a_job(tracking, image=""), InvalidValue, "has no docker_env", "docker_env: {image")
        job = jobs.job(jobs.project(tracking / "project"), file=jobs.docker(),
                       config={"kube-job-template-path": "job.yaml"})
        self.refused(job, InvalidValue, "no registry", "repository-uri")

    def test_no_rights(self, cluster: Cluster, tracking: Path) -> None:
        cluster.refuse = lambda method, path: 403
        self.refused(a_job(tracking), PermissionDenied, "it is refused", "create, watch and delete jobs")
        cluster.refuse = lambda method, path: 401
        self.refused(a_job(tracking), Unauthenticated, "it is refused", "sign in again")

    def test_a_wrong_value_of_the_configuration(self, cluster: Cluster, tracking: Path) -> None:
        self.refused(a_job(tracking, namespace=["a"]), InvalidValue, "'namespace' .* not a text", "backend_config")

    def test_a_store_of_this_machine(
        self, cluster: Cluster, tracking: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KUBE_MLFLOW_TRACKING_URI")
        self.refused(a_job(tracking), InvalidValue, "is on this machine, where the job does not run",
                     "millstream server")


class TestImages:
    def test_the_project_is_built_into_one_and_pushed(
        self, cluster: Cluster, tracking: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = engine_program(tracking, monkeypatch)
        job = jobs.job(
            jobs.project(tracking / "project"), file=jobs.docker(), docker_auth={"username": "me", "password": "hush"},
            config={"kube-job-template-path": "job.yaml", "repository-uri": "registry.example/team/loan"},
        )
        submitted(job)
        image = cluster.job["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image.startswith("registry.example/team/loan@sha256:")
        build, inspect, login, push, _ = engine.calls
        tagged = build.words[2]
        assert build.words[:1] == ["build"] and tagged.startswith("registry.example/team/loan:")
        assert "FROM team/base:1" in build.files["Dockerfile"] and "project/train.py" in build.files
        assert inspect.words[:2] == ["image", "inspect"]
        assert login.words == ["login", "--username", "me", "--password-stdin", "--", "registry.example"]
        assert login.given == "hush" and login.variables["DOCKER_CONFIG"] == push.variables["DOCKER_CONFIG"]
        assert push.words == ["push", "--", tagged]
        assert jobs.tags(job)["mlflow.docker.image.uri"] == image
        assert jobs.tags(job)["mlflow.docker.image.id"].startswith("sha256:")

    def test_no_engine(self, cluster: Cluster, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tracking))
        job = jobs.job(jobs.project(tracking / "project"), file=jobs.docker(),
                       config={"kube-job-template-path": "job.yaml", "repository-uri": "registry.example/loan"})
        with pytest.raises(EnvironmentFailed, match="no docker or podman") as caught:
            submitted(job)
        assert '"image" in the configuration' in str(caught.value.hint)


class TestNames:
    def test_they_are_labels(self) -> None:
        assert label_of("Kredit: größer als 10 %!") == "kredit-gr-er-als-10"
        assert label_of("…") == "project" and label_of(None) == "project"
        assert label_of("x" * 80) == "x" * 63

    def test_each_job_has_its_own(self) -> None:
        first, second = (job_name("x" * 80, "0123456789abcdef") for _ in range(2))
        assert first != second and len(first) == len(second) == 63
        assert first.startswith("x" * 47 + "-01234567-")

    def test_the_template_is_not_changed(self) -> None:
        template = yaml.safe_load(TEMPLATE)
        manifest(template, "job.yaml", name="n", container="c", image="i", command=["a"], variables={"A": "1"},
                 labels={})
        assert template == yaml.safe_load(TEMPLATE)


class TestProjects:
    """The whole way, from the project's folder."""

    def folder(self, tracking: Path) -> Path:
        folder = jobs.project(tracking / "project")
        (folder / "MLproject").write_text(
            "name: Loan default\ndocker_env: {image: team/base:1}\n"
            "entry_points: {main: {parameters: {rate: float, data: path}, command: 'python train.py {rate} {data}'}}\n"
        )
        return folder

    def start(self, tracking: Path, **arguments: Any) -> SubmittedRun:
        config = {"kube-job-template-path": "job.yaml", "image": "team/loan:1"}
        (tracking / "backend.json").write_text(json.dumps(config))
        return projects.run(str(self.folder(tracking)), parameters={"rate": "0.5", "data": "s3://bucket/in.csv"},
                            backend="kubernetes", backend_config=str(tracking / "backend.json"), **arguments)

    def test_a_run_that_nobody_waits_for_is_recorded(self, cluster: Cluster, tracking: Path) -> None:
        run = self.start(tracking, synchronous=False)
        cluster.start()
        command = cluster.job["spec"]["template"]["spec"]["containers"][0]["command"]
        assert command == ["python", "train.py", "0.5", "s3://bucket/in.csv"]
        cluster.end()
        wait_until(lambda: MlflowClient().get_run(run.run_id).info.status == "FINISHED", 30, "the end")
        tags = MlflowClient().get_run(run.run_id).data.tags
        assert (tags["mlflow.project.backend"], tags["mlflow.project.env"]) == ("kubernetes", "docker")

    def test_a_failure_is_told(self, cluster: Cluster, tracking: Path) -> None:
        def fail() -> None:
            wait_until(lambda: bool(cluster.jobs), 30, "the job")
            cluster.start()
            cluster.write("ValueError: no data")
            cluster.end(3)

        failing = threading.Thread(target=fail)
        failing.start()
        with pytest.raises(ProjectFailed, match=r"its command ended with status 3; its last lines:\nValueError"):
            self.start(tracking)
        failing.join()
