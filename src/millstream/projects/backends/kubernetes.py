"""Projects as jobs of a Kubernetes cluster, from a template, by its official client (the extra ``kubernetes``)."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from millstream import errors, yaml_texts
from millstream.entities import RunStatus
from millstream.environments import engines
from millstream.errors import InvalidValue, MillstreamError
from millstream.projects.backends import images, job_templates
from millstream.projects.backends.remote import RemoteRun, Seen, check_config, seconds_of, tag, variables_of
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from millstream.tracking.tags import MLFLOW_DOCKER_IMAGE_ID, MLFLOW_DOCKER_IMAGE_URI

__all__ = ["KubernetesBackend"]

logger = logging.getLogger("millstream")

_CONFIG: dict[str, tuple[type, ...]] = {
    "kube-context": (str,), "kube-job-template-path": (str,), "repository-uri": (str,), "image": (str,),
    "namespace": (str,), "engine": (str,), "patience": (int, float),
}
_TAG = "millstream.project.kubernetes_job"
_STORE = "KUBE_MLFLOW_TRACKING_URI"  # the store's address inside the cluster, where that is another: MLflow's variable
_CONNECT, _ANSWER = 10.0, 30.0
_SILENCE = 300.0
_JOB_LABEL = "job-name"
# Why a pod waits that does not start by itself.
_STUCK = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
                    "CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


class KubernetesBackend:
    """A Kubernetes cluster.

    The configuration, as MLflow has it: ``kube-context`` (the current one of the kubeconfig, or the cluster that this
    process is in), ``kube-job-template-path``, and ``repository-uri``, where the project's image is built and pushed
    to. Beyond it: ``image``, one that has the project in it already, instead of building; ``namespace``, which
    overrides the template's; ``engine`` (docker or podman); ``patience``, the seconds for which a silent cluster is
    asked again (600).
    """

    name = "kubernetes"
    on_this_machine = False

    def submit(self, job: Job) -> SubmittedRun:
        """Make the image, unless one is named, and the job.

        Raises InvalidValue for a configuration or template that cannot work, EnvironmentFailed where the image is not
        built or pushed, and what the cluster answers.
        """
        config = job.backend_config
        check_config(config, _CONFIG, self.name)
        template, shown = _template(job)
        client = _client(config.get("kube-context"))
        variables = variables_of(job, address=os.environ.get(_STORE))
        environment = job.project.docker_env
        for name, value in environment.environment if environment else ():
            copied = os.environ.get(name) if value is None else value
            if copied is not None:
                variables.setdefault(name, copied)
        made = job_templates.manifest(
            template, shown, name=job_templates.job_name(job.project.name, job.run_id),
            container=job_templates.label_of(job.project.name), image=_image(job), command=job.command.argv,
            variables=variables, labels=job_templates.labels_of(job.run_id), namespace=config.get("namespace"),
        )
        place = _Place(client, made["metadata"]["namespace"], made["metadata"]["name"],
                       made["spec"]["template"]["spec"]["containers"][0]["name"])
        try:
            place.asked(client.batch.create_namespaced_job, place.namespace, made)
        except MillstreamError as error:
            if not (isinstance(error, errors.StoreUnavailable) and place.is_there()):
                raise
        except ValueError as error:  # the client holds it to the API's types
            raise InvalidValue(f"the job template {shown} is no job: {_first_of(error)}",
                               hint="correct the field that it names") from None
        tag(job, _TAG, f"{place.namespace}/{place.name}")
        logger.info("Job %s in the namespace %s", place.name, place.namespace)
        return _KubernetesRun(job, place, seconds_of(config)).follow()


class _Client(NamedTuple):
    batch: Any
    core: Any


class _Place:
    """A job in a cluster, and the calls on it: raw answers, because servers are newer or older than clients."""

    def __init__(self, client: _Client, namespace: str, name: str, container: str) -> None:
        self.batch, self.core = client
        self.namespace, self.name, self.container = namespace, name, container

    def called(self, call: Callable[..., Any], *arguments: Any, silence: float = _ANSWER, **options: Any) -> Any:
        """The answer of the API server, unread. Raises what it says, StoreUnavailable when it says nothing."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return call(*arguments, _preload_content=False, _request_timeout=(_CONNECT, silence), **options)
        except ApiException as error:
            raise _error(error) from None
        except HTTPError as error:
            raise errors.Unreachable(f"the Kubernetes cluster does not answer: {error}",
                                     hint="check the context: kubectl --context NAME get jobs") from None

    def asked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The answer as JSON."""
        from urllib3.exceptions import HTTPError

        answer = self.called(call, *arguments, **options)
        try:
            content = answer.data
        except HTTPError as error:
            raise errors.Unreachable(f"the answer of the Kubernetes cluster broke off: {error}") from None
        finally:
            answer.release_conn()
        try:
            return json.loads(content)
        except ValueError:
            raise errors.StoreUnavailable("the Kubernetes cluster answers with what is no JSON",
                                          hint="check what stands in front of its API server") from None

    def lines(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Generator[str, None, None]:
        """The lines of an answer as they come; it ends where the connection does."""
        from urllib3.exceptions import HTTPError

        answer = self.called(call, *arguments, **options)
        pending = b""
        try:
            for piece in answer.stream():
                *whole, pending = (pending + piece).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace")
            if pending:
                yield pending.decode("utf-8", "replace")
        except (HTTPError, OSError):
            return
        finally:
            answer.close()

    def read(self) -> dict[str, Any]:
        """The job. Raises NotFound."""
        found: dict[str, Any] = self.asked(self.batch.read_namespaced_job, self.name, self.namespace)
        return found

    def is_there(self) -> bool:
        """Whether the job is there, though the answer to its creation was lost."""
        with contextlib.suppress(MillstreamError):
            return bool(self.read())
        return False

    def pods(self) -> list[dict[str, Any]]:
        """Its pods, the oldest first."""
        found = self.asked(self.core.list_namespaced_pod, self.namespace, label_selector=f"{_JOB_LABEL}={self.name}")
        return sorted(found.get("items") or [], key=lambda pod: str(pod["metadata"].get("creationTimestamp")))


class _KubernetesRun(RemoteRun):
    def __init__(self, job: Job, place: _Place, patience: float | None) -> None:
        super().__init__(job, f"the job {place.name} in the namespace {place.namespace}", patience=patience)
        self._place = place
        self._last: dict[str, Any] = {}  # the job as it was seen last: it may go as soon as it ends
        self._started = False
        self._told: set[str] = set()

    def _look(self) -> Seen | None:
        try:
            self._last = self._place.read()
        except errors.NotFound:
            seen = self._status_of(self._last)
            if seen.ended:
                return seen
            return self._vanished(f"{self._shown} was deleted", RunStatus.KILLED)
        seen = self._status_of(self._last)
        if seen.ended:
            return Seen(seen.status, self._reason() or seen.message) if seen.status == RunStatus.FAILED else seen
        if seen.status == RunStatus.SCHEDULED:
            self._tell_what_keeps_it()
        return seen

    def _status_of(self, job: Mapping[str, Any]) -> Seen:
        status = job.get("status") or {}
        for condition in status.get("conditions") or []:
            if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
                if condition["type"] == "Complete":
                    return Seen(RunStatus.FINISHED)
                said = condition.get("message") or condition.get("reason") or "it failed"
                return Seen(RunStatus.FAILED, f"{said} ({condition.get('reason', 'Failed')})")
        active = int(status.get("active") or 0)
        ready = int(status.get("ready", active) or 0)  # servers before 1.24 do not say it
        self._started = self._started or ready > 0
        return Seen(RunStatus.RUNNING if self._started and not (job.get("spec") or {}).get("suspend")
                    else RunStatus.SCHEDULED)

    def _reason(self) -> str:
        """How the container ended, in the pods' words."""
        with contextlib.suppress(MillstreamError):
            for pod in reversed(self._place.pods()):
                for one in (pod.get("status") or {}).get("containerStatuses") or []:
                    ended = (one.get("state") or {}).get("terminated")
                    if one.get("name") == self._place.container and ended and ended.get("exitCode"):
                        why = ended.get("reason")
                        more = f" ({why})" if why and why != "Error" else ""
                        return f"its command ended with status {ended['exitCode']}{more}"
        return ""

    def _tell_what_keeps_it(self) -> None:
        """Say once why a pod does not start: a cluster waits for ever for an image that is not there."""
        pods: list[dict[str, Any]] = []
        with contextlib.suppress(MillstreamError):  # who may make jobs may not be allowed to see pods
            pods = self._place.pods()
        for pod in pods:
            status = pod.get("status") or {}
            waiting = [(one.get("state") or {}).get("waiting") or {} for one in status.get("containerStatuses") or []]
            found = [(str(one.get("reason")), str(one.get("message") or "")) for one in waiting
                     if one.get("reason") in _STUCK]
            found += [(str(one.get("reason")), str(one.get("message") or "")) for one in status.get("conditions") or []
                      if one.get("reason") == "Unschedulable"]
            for reason, message in found:
                if reason not in self._told:
                    self._told.add(reason)
                    logger.warning("%s does not start: %s %s", self._shown, reason, message)

    def _rest(self, seconds: float) -> None:
        """Watch the job: the server speaks up when it changes."""
        version = (self._last.get("metadata") or {}).get("resourceVersion")
        if version is None:
            super()._rest(seconds)
            return
        until = time.monotonic() + seconds
        try:
            events = self._place.lines(
                self._place.batch.list_namespaced_job, self._place.namespace, watch=True, resource_version=version,
                field_selector=f"metadata.name={self._place.name}", timeout_seconds=max(1, math.ceil(seconds)),
                silence=seconds,
            )
            with contextlib.closing(events):
                for line in events:
                    event = json.loads(line)
                    if event.get("type") in ("ADDED", "MODIFIED", "DELETED"):
                        self._last = event["object"]
                        return
                    break  # an error: the version is too old, or the server goes
        except (MillstreamError, ValueError):
            pass
        if (left := until - time.monotonic()) > 0:
            super()._rest(left)

    def _stop(self) -> None:
        with contextlib.suppress(errors.NotFound):
            self._place.asked(self._place.batch.delete_namespaced_job, self._place.name, self._place.namespace,
                              propagation_policy="Foreground")

    def _read(self) -> str:
        made: list[str] = []
        for pod in self._place.pods():
            with contextlib.suppress(errors.NotFound, InvalidValue, errors.BadRequest):  # it has not started
                made += self._place.lines(self._place.core.read_namespaced_pod_log, pod["metadata"]["name"],
                                          self._place.namespace, container=self._place.container)
        return "".join(f"{line}\n" for line in made)

    def logs(self) -> Iterator[str]:
        """The lines of the first pod as it writes them, then of those that replace it."""
        given: dict[str, int] = {}
        while True:
            ended = self._now().ended
            pods: list[dict[str, Any]] = []
            with contextlib.suppress(errors.StoreUnavailable):
                pods = self._place.pods()
            for name in [pod["metadata"]["name"] for pod in pods]:
                with contextlib.suppress(errors.NotFound, InvalidValue, errors.BadRequest, errors.StoreUnavailable):
                    lines = self._place.lines(self._place.core.read_namespaced_pod_log, name, self._place.namespace,
                                              container=self._place.container, follow=not ended, silence=_SILENCE)
                    for number, line in enumerate(lines):
                        if number >= given.get(name, 0):
                            given[name] = number + 1
                            yield line
            if ended:
                return
            self._rest(1.0)


def _client(context: str | None) -> _Client:
    try:
        from kubernetes import client, config
    except ImportError:
        raise errors.EnvironmentFailed("the Kubernetes client is not installed here",
                                       hint="pip install 'millstream[kubernetes]'") from None
    loading: Any = config  # it has no types
    configuration = client.Configuration()
    try:
        loading.load_kube_config(_kubeconfig(), context, configuration)
    except loading.ConfigException as error:
        if context is not None or not os.environ.get("KUBERNETES_SERVICE_HOST"):
            raise InvalidValue(f"there is no way into a Kubernetes cluster: {error}", hint=_contexts(loading)) from None
        loading.load_incluster_config(client_configuration=configuration)
    configuration.retries = False  # a silent cluster is asked again by whoever waits
    api = client.ApiClient(configuration)
    return _Client(client.BatchV1Api(api), client.CoreV1Api(api))


def _kubeconfig() -> str:
    """The files of contexts; the client reads the variable only once, when it is imported."""
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _contexts(config: Any) -> str:
    try:
        contexts, _ = config.list_kube_config_contexts(_kubeconfig())
    except config.ConfigException:
        return "name a kubeconfig by the variable KUBECONFIG, or write one to ~/.kube/config"
    return f'name one of its contexts as "kube-context": {", ".join(sorted(one["name"] for one in contexts))}'


def _template(job: Job) -> tuple[Any, str]:
    named = job.backend_config.get("kube-job-template-path")
    if not named:
        raise InvalidValue("the backend kubernetes needs a template of its jobs",
                           hint='give a configuration with "kube-job-template-path": "job.yaml"')
    given = Path(named).expanduser()
    path = next((one for one in (Path.cwd() / given, job.folder / given) if one.is_file()), None)
    if path is None:
        raise InvalidValue(f"there is no job template {named}, neither here nor in the project",
                           hint="write the path of the YAML file of a Job as kube-job-template-path")
    try:
        return yaml_texts.read(path.read_bytes()), named
    except InvalidValue as error:
        raise InvalidValue(f"the job template {named}: {error.message}",
                           hint="correct the line that it names") from None


def _image(job: Job) -> str:
    config = job.backend_config
    if config.get("image"):
        return engines.checked_name(config["image"], parameter="image", digest=True)
    if job.project.docker_env is None:
        raise InvalidValue("the backend kubernetes runs images, and the project has no docker_env",
                           hint="write `docker_env: {image: name:tag}` into the MLproject file, or name an image that "
                                'has the project in it: "image" in the configuration')
    repository = config.get("repository-uri")
    if not repository:
        raise InvalidValue("the backend kubernetes has no registry to push the project's image to",
                           hint='give "repository-uri": "host/team/name" in the configuration, or an "image"')
    engine = engines.find(config.get("engine"), wanted="the project's image is not built",
                          hint='name an image that has the project in it: "image" in the configuration')
    name = images.name_of(job, repository)
    tag(job, MLFLOW_DOCKER_IMAGE_ID, images.build(job, job.project.docker_env.image, name, engine))
    pushed = images.push(name, engine, job.docker_auth)
    tag(job, MLFLOW_DOCKER_IMAGE_URI, pushed)
    return pushed


def _error(error: Any) -> MillstreamError:
    """What the API server says: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    try:
        told = json.loads(error.body)
        message = str(told.get("message") or error.reason)
    except (TypeError, ValueError, AttributeError):
        message = str(error.reason)
    status = int(error.status or 0)
    if status in (0, 429, 500, 502, 503, 504):
        return errors.StoreUnavailable(f"the Kubernetes cluster answers with status {status}: {message}")
    kinds: dict[int, tuple[type[MillstreamError], str | None]] = {
        401: (errors.Unauthenticated, "the context's credentials are not taken: sign in again"),
        403: (errors.PermissionDenied, "ask for the right to create, watch and delete jobs, and to read pods and logs"),
        404: (errors.NotFound, "check the namespace of the template"),
        409: (errors.Conflict, None),
        422: (InvalidValue, "correct the job template"),
    }
    kind, hint = kinds.get(status, (errors.BadRequest, None))
    return kind(f"the Kubernetes cluster refuses: {message}", hint=hint)


def _first_of(error: ValueError) -> str:
    """The first thing that the client's types find wrong, by its place in the job."""
    found = getattr(error, "errors", None)
    if not callable(found):
        return str(error)
    first = found()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return f"{where}: {first['msg']}"
