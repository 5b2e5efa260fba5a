"""Requests of clients that are not Python get from our server what they get from MLflow's, or something better."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import raw
from tests.clients.raw import Exchange
from tests.servers.millstream import MillstreamServer

pytestmark = pytest.mark.clients

# Part of a request, and why our answer to it is another one.
EXPLAINED = {
    '"runId"': "protobuf's JSON form allows both spellings of a name; MLflow only knows one",
    "APPLICATION/JSON": "a media type has no case",
    "'null'": "not an object: not well-formed, rather than a field that is missing",
    "'{'": "broken JSON: not well-formed, rather than a field that is missing",
    "b'\\xff\\xfe'": "not text: not well-formed, rather than a field that is missing",
    "'\"{": "JSON inside a JSON text is not an object",
    '"step": 0}\' None': "no content type: not well-formed, and code is all that differs",
    '"step": 0}\' text/plain': "the wrong content type: not well-formed, and code is all that differs",
    "x-www-form-urlencoded": "the wrong content type: not well-formed, and code is all that differs",
    '"step": 1.5': "a step is a whole number; MLflow cuts the rest off",
    '"step": true': "true is no number",
    '"step": 9223372036854775808': "beyond 64 bits; MLflow stores another number",
    '"value": true': "true is no number",
    "evil.example": "another origin may not read either",
    '{"name": "  "}': "a name of blanks cannot be found again",
    '"file:///etc"': "a client may not choose a folder of the server's machine",
    '"status": "NOTHING"': "an unknown status is refused, not ignored",
    '"run_view_type": "NOTHING"': "an unknown view is refused, not ignored",
    "get-history-bulk?": "MLflow answers with a bare NaN, which is not JSON",
    "mpu/complete": "a body that does not fit is not well-formed, and code is all that differs",
    "/artifacts/presigned-": "said as what the artifact store cannot do, not as a wrong value",
    '"experiment_ids": ["abc"]': "an experiment that cannot exist has no runs",
    "view_type=2": "a view has a name",
    "runs/create '{}'": "a run that names no experiment goes to the default one",
    '"experiment_ids": [EXPERIMENT]': "ids are text; MLflow accepts a number and then finds nothing",
}


def _agree(theirs: Any, ours: Any) -> bool:
    """Whether what a client needs of MLflow's answer is in ours."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return False
        # Workspaces are not offered, and more fields than a client knows harm none. MLflow's server is that of all
        # tests, which may have given its default experiment tags; ours has none, and leaves the list out.
        return all(
            _agree(value, ours.get(name)) for name, value in theirs.items()
            if name != "workspace" and (name != "tags" or name in ours)
        )
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(theirs) == len(ours) and all(map(_agree, theirs, ours))
    return type(theirs) is type(ours) and bool(theirs == ours)


def _serves(theirs: Exchange, ours: Exchange) -> bool:
    """Whether our answer does for a client what MLflow's does."""
    if theirs.status >= 500:
        return ours.status < 500 or (ours.status, ours.shape) == (theirs.status, theirs.shape)
    # Where MLflow answers with a page for people, an error with a code is as good.
    return theirs.status == ours.status and (theirs.shape == "-" or _agree(theirs.shape, ours.shape))


def test_same_status_and_shape(mlflow_server: str, millstream_server: MillstreamServer) -> None:
    theirs = raw.requests(urlsplit(mlflow_server).port or 0)
    ours = raw.requests(millstream_server.port)
    differ = [(mine, yours) for mine, yours in zip(ours, theirs, strict=True) if not _serves(yours, mine)]
    unexplained = [pair for pair in differ if not any(part in pair[0].request for part in EXPLAINED)]
    shown = "\n".join(
        f"  {mine.request}\n    MLflow: {yours.status} {yours.shape}\n    ours:   {mine.status} {mine.shape}"
        for mine, yours in unexplained
    )
    assert not unexplained, f"{len(unexplained)} of {len(theirs)} requests differ:\n{shown}"
    stale = [part for part in EXPLAINED if not any(part in mine.request for mine, _ in differ)]
    assert not stale, f"no longer different: {stale}"
