"""Projects as Spark applications: a Python command goes to ``spark-submit`` instead of an interpreter.

https://spark.apache.org/docs/latest/submitting-applications.html
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millstream.entities import RunStatus
from millstream.environments.descriptions import Description
from millstream.environments.lines import distribution_in
from millstream.errors import EnvironmentFailed, InvalidValue, NotSupported
from millstream.projects.backends.client import ClientRun
from millstream.projects.backends.remote import check_config, refuse_image, variables_of
from millstream.projects.commands import Command
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun

__all__ = ["SparkBackend", "command_of"]

# Options that take one value, and those that take a list with commas.
_VALUES = ("master", "deploy-mode", "name", "properties-file", "driver-memory", "driver-cores", "driver-java-options",
           "driver-library-path", "driver-class-path", "executor-memory", "executor-cores", "total-executor-cores",
           "num-executors", "queue", "proxy-user", "principal", "keytab")
_LISTS = ("packages", "exclude-packages", "repositories", "jars", "py-files", "files", "archives")
_CONFIG: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_VALUES, (str, int)), **dict.fromkeys(_LISTS, (list, str)), "conf": (dict,), "spark-submit": (str,),
}
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_YARN = re.compile(r"\bapplication_\d+_\d+\b")
_POD = re.compile(r"pod name: (\S+)\s+namespace: (\S+)")
_KILL_SECONDS = 30.0


class SparkBackend:
    """Spark on this machine or a cluster.

    The configuration has the options of ``spark-submit`` by their long names (``master``, ``deploy-mode``,
    ``py-files``, ``packages``, ``executor-memory``, …), ``conf`` with properties, and ``spark-submit``, the program,
    where it is not that of SPARK_HOME, the project's environment, PATH or the pyspark that is installed here.
    """

    name = "spark"
    on_this_machine = True

    def submit(self, job: Job) -> SubmittedRun:
        """Start ``spark-submit``, whose end is that of the application.

        Raises InvalidValue for a command that is no Python script and a configuration that cannot work,
        EnvironmentFailed where there is no ``spark-submit``.
        """
        from millstream.projects.backends.local import LocalBackend

        refuse_image(job, self.name)
        config = job.backend_config
        check_config(config, _CONFIG, self.name)
        program, home = _program(job)
        argv = command_of(job, program)
        variables = {**job.variables, **({"SPARK_HOME": home} if home else {})}
        inner = LocalBackend().submit(dataclasses.replace(job, command=Command(tuple(argv)), variables=variables))
        return _Elsewhere(inner, program, str(config.get("master", ""))) if _is_far(config) else inner


def command_of(job: Job, program: str) -> list[str]:
    """The words that submit a job. Raises InvalidValue and NotSupported, as :meth:`SparkBackend.submit` does."""
    config = job.backend_config
    master = str(config.get("master", ""))
    words = [program]
    for name in _VALUES:
        if name in config:
            words += [f"--{name}", str(config[name])]
    for name in _LISTS:
        if config.get(name):
            given = config[name]
            words += [f"--{name}", given if isinstance(given, str) else ",".join(map(str, given))]
    properties = {str(name): _text(value) for name, value in config.get("conf", {}).items()}
    if not any(name in config for name in ("name", "properties-file")) and "spark.app.name" not in properties:
        words += ["--name", job.project.name or job.folder.name]
    if master and not master.startswith("local"):
        variables = job.variables
        prefixes = ["spark.executorEnv."]
        if _is_far(config):
            variables = variables_of(job)
            prefixes.append(_driver_prefix(master))
        for name, value in variables.items():
            for prefix in prefixes:
                properties.setdefault(prefix + name, value)
    for name, value in properties.items():
        words += ["--conf", f"{name}={value}"]
    return [*words, *_application(job)]


def _application(job: Job) -> tuple[str, ...]:
    """The script of a command with its arguments; further options where the command is one of spark-submit."""
    argv = job.command.argv
    if Path(argv[0]).name == "spark-submit":
        return argv[1:]
    if _PYTHON.fullmatch(argv[0]):
        argv = argv[2:] if argv[1:2] == ("-u",) else argv[1:]
    if not argv or not argv[0].endswith((".py", ".zip", ".egg")):
        raise InvalidValue(f"the command of the entry point {job.entry_point.name!r} is no Python script, which Spark "
                           f"takes: {job.command.text}",
                           hint="write it as `python script.py …` without pipes and variables of a shell, or as "
                                "`spark-submit … script.py …`")
    return argv


def _program(job: Job) -> tuple[str, str | None]:
    """``spark-submit``, and the SPARK_HOME it needs where that is not set."""
    named = job.backend_config.get("spark-submit")
    if named:
        if shutil.which(named) is None:
            raise EnvironmentFailed(f"{named} is no program, and the backend's configuration names it as spark-submit",
                                    hint="correct its path")
        return str(named), None
    if home := os.environ.get("SPARK_HOME"):
        return str(Path(home, "bin", "spark-submit")), None
    described = job.environment
    if (isinstance(described, Description) and job.environment_manager != "local"
            and "pyspark" in map(distribution_in, described.requirements)):
        return "spark-submit", None  # the one that stands first on the path there
    found = importlib.util.find_spec("pyspark")
    if found is not None and found.submodule_search_locations:
        home = found.submodule_search_locations[0]
        return str(Path(home, "bin", "spark-submit")), home
    if shutil.which("spark-submit"):
        return "spark-submit", None
    raise EnvironmentFailed("there is no spark-submit on this machine",
                            hint="pip install pyspark, or set SPARK_HOME to the folder of a Spark")


def _is_far(config: Mapping[str, Any]) -> bool:
    """Whether the application's own program runs in the cluster, not here."""
    asked = config.get("deploy-mode") or config.get("conf", {}).get("spark.submit.deployMode")
    return asked == "cluster" and not str(config.get("master", "")).startswith("local")


def _driver_prefix(master: str) -> str:
    """How a property is named that sets a variable for a program in the cluster."""
    if master.startswith("yarn"):
        return "spark.yarn.appMasterEnv."
    if master.startswith("k8s://"):
        return "spark.kubernetes.driverEnv."
    raise NotSupported(f"Spark's cluster at {master} takes no Python programs in the deploy mode 'cluster'",
                       hint='leave "deploy-mode" out: the program runs here, its executors there')


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Elsewhere(ClientRun):
    """An application in a cluster, which ``spark-submit`` waits for."""

    def __init__(self, client: SubmittedRun, program: str, master: str) -> None:
        super().__init__(client)
        self._program, self._master = program, master

    def cancel(self) -> None:
        """End ``spark-submit``, and the application by the name that it said."""
        if RunStatus.is_terminated(self.get_status()):
            return
        self._client.cancel()
        said = "\n".join(self.logs())
        if application := _YARN.search(said):
            words = ["yarn", "application", "-kill", application[0]]
        elif pod := _POD.search(said):
            words = [self._program, "--kill", f"{pod[2]}:{pod[1]}", "--master", self._master]
        else:
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=False, timeout=_KILL_SECONDS)
