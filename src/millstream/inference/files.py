"""Models over files, in this process or in the model's own environment; data in memory go the short way."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from millstream.environments.building import Built
from millstream.errors import EnvironmentFailed, InvalidValue, from_wire
from millstream.flavors import isolated, loading, prediction
from millstream.inference import job as jobs
from millstream.inference import sources, writing
from millstream.inference.job import Done, Job
from millstream.models import trust

__all__ = ["predict", "predict_files"]

Named = str | os.PathLike[str]


def predict(
    model_uri: str, input_data: Any = None, input_path: Named | Iterable[Named] | None = None,
    content_type: str | None = None, output_path: Named | None = None, env_manager: str | None = "virtualenv",
    install_mlflow: bool = False, pip_requirements_override: list[str] | None = None,
    extra_envs: Mapping[str, str] | None = None, *, keep: Iterable[str] = (), params: Mapping[str, Any] | None = None,
    chunk_rows: int | None = None, output_type: str | None = None, overwrite: bool = True,
) -> None:
    """Let the model at ``model_uri`` predict in an environment of its own, made of what it says it needs.

    ``input_data`` are whatever the model takes, or text of ``content_type`` ("json": the body of a request to a scoring
    server; "csv"). ``input_path`` names files instead, see :func:`predict_files`. The answer, ``{"predictions": …}``,
    is written to ``output_path`` or printed.

    The environment is built by uv at the first time and found again later: "virtualenv", "uv" and, for models without
    packages of conda's own, "conda" mean the same. "local" predicts in this process. ``pip_requirements_override`` are
    requirements that win over the model's; ``extra_envs`` are environment variables of the process that predicts.
    Millstream takes the place of an MLflow that the model names, unless ``install_mlflow`` is true. Raises
    EnvironmentFailed, PythonNotFound, UntrustedModel for a model of unknown origin, as the packages that it names would
    run code of their makers, and what loading and predicting raise.
    """
    if (input_data is None) == (input_path is None):
        raise InvalidValue("exactly one of input_data and input_path is expected",
                           hint="give the data, or the path of a file that holds them")
    if input_path is None:
        if keep or params or chunk_rows is not None or output_type:
            raise InvalidValue("keep, params, chunk_rows and output_type are for files",
                               hint="give an input_path, or load the model and predict with it")
        isolated.predict(model_uri, input_data, content_type=content_type or "json", output_path=output_path,
                         env_manager=env_manager, install_mlflow=install_mlflow,
                         pip_requirements_override=pip_requirements_override, extra_envs=extra_envs)
        return
    predict_files(
        model_uri, input_path, output_path, content_type=content_type, env_manager=env_manager,
        install_mlflow=install_mlflow, pip_requirements_override=pip_requirements_override, extra_envs=extra_envs,
        keep=keep, params=params, chunk_rows=chunk_rows, output_type=output_type, overwrite=overwrite,
    )


def predict_files(
    model_uri: str, input_path: Named | Iterable[Named] | None, output_path: Named | None = None, *,
    content_type: str | None = None, env_manager: str | None = "virtualenv", install_mlflow: bool = False,
    pip_requirements_override: list[str] | None = None, extra_envs: Mapping[str, str] | None = None,
    keep: Iterable[str] = (), params: Mapping[str, Any] | None = None, chunk_rows: int | None = None,
    output_type: str | None = None, overwrite: bool = True,
) -> Done:
    """Let a model predict files, chunk by chunk in bounded memory, and return what was done.

    ``input_path`` is a file, a folder of files, a pattern, or a list of those; None is standard input. Their kind is
    ``content_type`` ("json": the body of one request to a scoring server, "jsonl": a row on each line, "csv",
    "parquet"), else what their names say. ``output_type`` is the same of the output, by default as its name says, else
    JSON: ``{"predictions": …}``. The columns ``keep`` of the input go beside the predictions.

    A chunk has ``chunk_rows`` rows (0: each file at once), fewer than 50,000 of wide tables unless given. The output is
    there when all is predicted, and not before. The other arguments are those of :func:`predict`. Raises NotFound for
    files that are not there, AlreadyExists for an output that is unless it may be overwritten, and what
    :func:`millstream.inference.job.run` raises.
    """
    if chunk_rows is not None and chunk_rows < 0:
        raise InvalidValue.of("chunk_rows", chunk_rows, "expected 0 (each file at once) or more")
    found = sources.find(input_path, content_type)
    for source in found:
        if source.path is not None:
            source.open().close()
    kind = found[0].kind
    output = None if output_path is None else Path(output_path).absolute()
    if output is not None:
        writing.check_target(output, overwrite=overwrite)
    asked = Job(
        folder="", inputs=tuple(None if one.path is None else str(one.path.absolute()) for one in found), kind=kind,
        output=None if output is None else str(output), output_kind=writing.output_kind(output_type, output),
        unfinished=None if output is None else str(writing.beside(output)),
        keep=tuple(keep), params=None if params is None else dict(params), rows=chunk_rows,
    )
    local = isolated.is_local(env_manager, pip_requirements_override, extra_envs)
    folder = loading.fetch(model_uri)
    asked = msgspec.structs.replace(asked, folder=str(folder.resolve()))
    if local:
        return jobs.run(asked)
    wanted = isolated.environment_of(
        folder, manager=isolated.managed(env_manager), override=pip_requirements_override or (),
        with_mlflow=install_mlflow, also=("pyarrow",) if "parquet" in (kind, asked.output_kind) else (),
    )
    return _elsewhere(asked, isolated.built_for(folder, wanted), extra_envs or {})


def _elsewhere(asked: Job, built: Built, variables: Mapping[str, str]) -> Done:
    """Do the job in another process, which ends with this one."""
    with built.in_use(), tempfile.TemporaryDirectory(prefix="millstream-predict-") as scratch:
        file, told = Path(scratch, "job"), Path(scratch, "told")
        file.write_bytes(msgspec.json.encode(asked))
        if trust.knows(Path(asked.folder)):  # and so does the other process, which does not see where it came from
            variables = {**variables, prediction.TRUSTED: "1"}
        ours, theirs = os.pipe()
        try:
            process = subprocess.Popen(
                [str(built.python), "-m", jobs.__name__, str(file), str(told), str(ours)], pass_fds=(ours,),
                env={**built.variables(), **variables}, stdin=None if None in asked.inputs else subprocess.DEVNULL,
                stdout=None if asked.output else subprocess.PIPE,
            )
            try:
                if process.stdout is not None:
                    with process.stdout, writing.target(None) as out:
                        while block := process.stdout.read1():  # type: ignore[attr-defined]
                            out.write(block)
                status = process.wait()
            finally:
                _end(process)
        finally:
            os.close(ours)
            os.close(theirs)
            if asked.unfinished is not None:  # of a process that was killed
                Path(asked.unfinished).unlink(missing_ok=True)
        answer: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            answer = msgspec.json.decode(told.read_bytes())
    if "error" in answer:
        raise from_wire(answer["error"])
    if "done" not in answer:
        raise EnvironmentFailed(f"the process that predicts ended with status {status} and no answer",
                                hint=f"its last words are above; it ran in {built.path}")
    return msgspec.convert(answer["done"], Done)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a process clean up, if it runs still."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
