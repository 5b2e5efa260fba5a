"""Every error that Millstream raises, as one tree.

    MillstreamError                   (INTERNAL_ERROR, 500)
    ├── InvalidValue                  (INVALID_PARAMETER_VALUE, 400), also a ValueError
    │   ├── MissingValue
    │   ├── LimitExceeded
    │   ├── SearchSyntaxError
    │   ├── InvalidPath
    │   ├── ParameterChanged
    │   ├── BadModel                  a folder that is no model, or none of the asked flavor
    │   ├── BadPipeline               steps that need each other in a circle, or what nobody makes
    │   └── SchemaMismatch            data or parameters that are not what a model takes
    ├── BadRequest                    (BAD_REQUEST, 400)
    │   ├── TooSlow                   (BAD_REQUEST, 408)
    │   ├── UnknownContentType        (BAD_REQUEST, 415)
    │   ├── ThresholdsNotMet          an evaluated model that is not good enough
    │   └── FunctionFailed            a metric or artifact function of the user that raised
    ├── NotFound                      (RESOURCE_DOES_NOT_EXIST, 404), also a LookupError
    │   ├── ExperimentNotFound
    │   ├── RunNotFound
    │   ├── LoggedModelNotFound
    │   ├── RegisteredModelNotFound
    │   ├── ViewNotFound
    │   ├── CommentNotFound
    │   ├── TransitionRequestNotFound
    │   ├── WebhookNotFound
    │   ├── WebhookDeliveryNotFound
    │   ├── MonitorNotFound
    │   ├── ServingEndpointNotFound
    │   ├── ArtifactNotFound
    │   ├── PythonNotFound            no interpreter of the asked version on this machine
    │   ├── ProjectNotFound           no project, repository, version or folder of one is there
    │   └── EntryPointNotFound        a project that has no entry point of this name
    ├── EndpointNotFound              (ENDPOINT_NOT_FOUND, 404)
    ├── MethodNotAllowed              (ENDPOINT_NOT_FOUND, 405)
    ├── AlreadyExists                 (RESOURCE_ALREADY_EXISTS, 400)
    ├── Conflict                      (RESOURCE_CONFLICT, 409)
    │   ├── ArtifactInUse             files that a version of a registered model points at
    │   └── TransitionRefused         a version that does not meet the rules of its model
    ├── InvalidState                  (INVALID_STATE, 500)
    │   └── CannotRerun               a run of which something is missing that running it again needs
    ├── Unauthenticated               (UNAUTHENTICATED, 401)
    ├── PermissionDenied              (PERMISSION_DENIED, 403)
    │   └── UntrustedModel            a file that would run code when it is loaded, from a place that is not trusted
    ├── NotInTime                     (DEADLINE_EXCEEDED, 504)
    ├── TooLarge                      (INVALID_PARAMETER_VALUE, 413)
    ├── TooManyRequests               (REQUEST_LIMIT_EXCEEDED, 429)
    ├── NotSupported                  (NOT_IMPLEMENTED, 501)
    ├── StoreUnavailable              (TEMPORARILY_UNAVAILABLE, 503)
    │   └── Unreachable               a server that does not answer, seen from the client
    ├── NotServing                    (TEMPORARILY_UNAVAILABLE, 503), an endpoint without a ready scoring process
    ├── EnvironmentFailed             (INTERNAL_ERROR, 500), a virtual environment that cannot be built
    ├── ProjectFailed                 (INTERNAL_ERROR, 500), the run of a project that did not end well
    └── IntegrityError                (DATA_LOSS, 500), a checksum that does not match
        └── CorruptModel              a file of a model that is not what was saved

The codes and statuses are those of MLflow's REST protocol, so a client of either makes the same decision. An error
crosses the wire as ``{"error_code", "message"}`` plus the class name and the hint, and becomes the same class again
on the other side (:func:`from_wire`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

# The whole vocabulary of MLflow's protocol: what a client may meet, also from a server that is not ours.
HTTP_STATUS: dict[str, int] = {
    "INTERNAL_ERROR": 500,
    "INVALID_STATE": 500,
    "DATA_LOSS": 500,
    "TEMPORARILY_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "NOT_IMPLEMENTED": 501,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "ABORTED": 409,
    "RESOURCE_CONFLICT": 409,
    "ALREADY_EXISTS": 409,
    "NOT_FOUND": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "CUSTOMER_UNAUTHORIZED": 401,
    "RESOURCE_ALREADY_EXISTS": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
}


# Their numbers there: programs written for MLflow import them and give them to MlflowException.
CODE_NUMBERS: dict[str, int] = {
    "INTERNAL_ERROR": 1,
    "TEMPORARILY_UNAVAILABLE": 2,
    "BAD_REQUEST": 4,
    "DEADLINE_EXCEEDED": 7,
    "CANCELLED": 8,
    "RESOURCE_EXHAUSTED": 9,
    "ABORTED": 10,
    "NOT_FOUND": 11,
    "ALREADY_EXISTS": 12,
    "UNAUTHENTICATED": 13,
    "INVALID_PARAMETER_VALUE": 1000,
    "ENDPOINT_NOT_FOUND": 1001,
    "INVALID_STATE": 1003,
    "PERMISSION_DENIED": 1004,
    "CUSTOMER_UNAUTHORIZED": 1006,
    "REQUEST_LIMIT_EXCEEDED": 1007,
    "RESOURCE_CONFLICT": 1008,
    "NOT_IMPLEMENTED": 1010,
    "DATA_LOSS": 1011,
    "RESOURCE_ALREADY_EXISTS": 3001,
    "RESOURCE_DOES_NOT_EXIST": 3002,
}
_CODE_OF_NUMBER = {number: name for name, number in CODE_NUMBERS.items()}


class MillstreamError(Exception):
    """The root of every error raised here; users of MLflow know it as ``MlflowException``.

    ``message`` says what is wrong in one line; ``hint``, when there is one, says the next step.
    """

    error_code: str = "INTERNAL_ERROR"
    status: ClassVar[int | None] = None

    def __init__(
        self, message: object, error_code: str | int | None = None, *, hint: str | None = None, **details: Any
    ) -> None:
        self.message = str(message)
        self.hint = hint
        self.json_kwargs = details
        if isinstance(error_code, int):
            error_code = _CODE_OF_NUMBER.get(error_code)
        if error_code is not None:
            self.error_code = error_code
        super().__init__(self.message)
        if hint and hasattr(self, "add_note"):  # Python 3.11 and later print it below the traceback
            self.add_note(f"\nhint: {hint}")

    def get_http_status_code(self) -> int:
        """The HTTP status that a server answers with for this error."""
        return self.status or HTTP_STATUS.get(self.error_code, 500)

    def to_wire(self) -> dict[str, Any]:
        """The JSON object sent to a client."""
        body: dict[str, Any] = {"error_code": self.error_code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        if type(self) is not MillstreamError:
            body["error_class"] = type(self).__name__
        return body

    @property
    def json(self) -> dict[str, Any]:
        """The same under the name that MLflow's users know from its RestException."""
        return self.to_wire()

    def serialize_as_json(self) -> str:
        """The JSON text of this error, in MLflow's form."""
        return json.dumps({**self.json_kwargs, "error_code": self.error_code, "message": self.message})

    @classmethod
    def invalid_parameter_value(cls, message: object, **details: Any) -> MillstreamError:
        """An :class:`InvalidValue`; the constructor MLflow's users know."""
        return InvalidValue(message, **details)


class InvalidValue(MillstreamError, ValueError):
    """A value that can never be accepted, whatever the state of the store."""

    error_code = "INVALID_PARAMETER_VALUE"

    @classmethod
    def of(cls, parameter: str, value: object, reason: str, *, hint: str | None = None) -> InvalidValue:
        """The error for ``parameter``, worded so that MLflow's clients recognise it."""
        try:
            shown = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            shown = repr(value)
        if len(shown) > 200:
            shown = shown[:200] + "…"
        return cls(f"Invalid value {shown} for parameter '{parameter}' supplied: {reason}", hint=hint)


class MissingValue(InvalidValue):
    """A required field that the request does not carry."""

    @classmethod
    def named(cls, parameter: str) -> MissingValue:
        """The error for the absent field ``parameter``."""
        return cls(
            f"Missing value for required parameter '{parameter}'.",
            hint=f"send '{parameter}'; the OpenAPI page at /docs lists the fields of each call",
        )


class LimitExceeded(InvalidValue):
    """A value, batch or page beyond a documented limit."""


class SearchSyntaxError(InvalidValue):
    """A filter or order clause that does not parse; ``position`` is the 0-based offset of the character at fault."""

    def __init__(
        self,
        message: object,
        error_code: str | int | None = None,
        *,
        hint: str | None = None,
        position: int = 0,
        text: str = "",
    ) -> None:
        if text:
            message = f"{message}\n  {text}\n  {' ' * position}^"
        super().__init__(message, error_code, hint=hint)
        self.position = position


class InvalidPath(InvalidValue):
    """An artifact path that leaves its root, or could be read in two ways."""


class ParameterChanged(InvalidValue):
    """A parameter that was already logged with another value."""


class BadModel(InvalidValue):
    """A folder that holds no model, or none that can be loaded in the way that was asked."""


class BadPipeline(InvalidValue):
    """Entry points that make no pipeline: a cycle, a step or an output that is not there, a place that is taken."""


class SchemaMismatch(InvalidValue):
    """Data or parameters that a model's signature does not accept: columns, types, shapes."""


class BadRequest(MillstreamError):
    """A request that is not even well-formed: broken JSON, a foreign host, the wrong content type."""

    error_code = "BAD_REQUEST"


class TooSlow(BadRequest):
    """A client that takes too long to send its request."""

    status = 408


class UnknownContentType(BadRequest):
    """A body in a form, or in an encoding of text, that is not read here."""

    status = 415


class ThresholdsNotMet(BadRequest):
    """A model whose evaluation misses thresholds; the message has a line for each."""


class FunctionFailed(BadRequest):
    """A function that the user gave, a metric or an artifact, raised; ``__cause__`` is what it raised."""


class NotFound(MillstreamError, LookupError):
    """Something named by a request does not exist, or is not visible to its principal."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class ExperimentNotFound(NotFound):
    """No experiment has this id or name."""


class RunNotFound(NotFound):
    """No run has this id."""


class LoggedModelNotFound(NotFound):
    """No logged model has this id."""


class RegisteredModelNotFound(NotFound):
    """No registered model, or no version of one, has this name."""


class ViewNotFound(NotFound):
    """No saved view has this id, or it is somebody else's."""


class CommentNotFound(NotFound):
    """No comment has this id."""


class TransitionRequestNotFound(NotFound):
    """Nobody asks for this transition."""


class WebhookNotFound(NotFound):
    """No webhook has this id."""


class WebhookDeliveryNotFound(NotFound):
    """No delivery of a webhook has this id; those of long ago are forgotten."""


class MonitorNotFound(NotFound):
    """Nothing watches this endpoint."""


class ServingEndpointNotFound(NotFound):
    """No serving endpoint has this name."""


class ArtifactNotFound(NotFound):
    """No artifact lies at this path."""


class PythonNotFound(NotFound):
    """No interpreter of the asked version is on this machine."""


class ProjectNotFound(NotFound):
    """No project lies there, or its source does not have the version or folder."""


class EntryPointNotFound(NotFound):
    """A project has no entry point of this name."""


class EndpointNotFound(MillstreamError):
    """A path that no operation has."""

    error_code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(MillstreamError):
    """A path that exists under another HTTP method."""

    error_code = "ENDPOINT_NOT_FOUND"
    status = 405


class AlreadyExists(MillstreamError):
    """A name or id that is taken."""

    error_code = "RESOURCE_ALREADY_EXISTS"


class Conflict(MillstreamError):
    """The request was valid, but the thing changed under it."""

    error_code = "RESOURCE_CONFLICT"


class ArtifactInUse(Conflict):
    """Files that cannot be removed: a version of a registered model points at them."""

    @classmethod
    def of(cls, path: str, reason: str) -> ArtifactInUse:
        """The error for ``path``, which must stay for this reason."""
        return cls(f"{path or 'this folder'} must stay: {reason}", hint="delete that version first")


class TransitionRefused(Conflict):
    """A version may not go where it was asked for: the message has a line for each rule that it does not meet."""


class InvalidState(MillstreamError):
    """The request is valid, but not in the present state of what it names."""

    error_code = "INVALID_STATE"


class CannotRerun(InvalidState):
    """A run that cannot be run again: its code, environment or data is not recorded, gone or changed."""


class Unauthenticated(MillstreamError):
    """The server wants to know who is asking."""

    error_code = "UNAUTHENTICATED"


class PermissionDenied(MillstreamError):
    """The principal may not do this."""

    error_code = "PERMISSION_DENIED"


class UntrustedModel(PermissionDenied):
    """A file of a model that would run code when it is loaded, and comes from a place that is not trusted."""


class NotInTime(MillstreamError):
    """An answer that was not there when the deadline of its request passed."""

    error_code = "DEADLINE_EXCEEDED"


class TooLarge(MillstreamError):
    """A request body beyond the limit of its route."""

    error_code = "INVALID_PARAMETER_VALUE"
    status = 413


class TooManyRequests(MillstreamError):
    """The server is busy and asks the client to come back."""

    error_code = "REQUEST_LIMIT_EXCEEDED"


class NotSupported(MillstreamError):
    """This store or target cannot do it; the message says which one can."""

    error_code = "NOT_IMPLEMENTED"


class StoreUnavailable(MillstreamError):
    """The database or disk cannot take the operation now (full, read-only, stopped); nothing was changed."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class Unreachable(StoreUnavailable):
    """The tracking server did not answer."""


class NotServing(MillstreamError):
    """An endpoint that has no scoring process to answer now."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class EnvironmentFailed(MillstreamError):
    """A virtual environment that cannot be built; the message is what the installer said."""


class ProjectFailed(MillstreamError):
    """A run of a project that failed or was cancelled; the message has the end of its output."""


class IntegrityError(MillstreamError):
    """Bytes that do not match their checksum."""

    error_code = "DATA_LOSS"


class CorruptModel(IntegrityError):
    """A file of a model is missing, or is not what was saved."""


def _tree(root: type[MillstreamError]) -> dict[str, type[MillstreamError]]:
    named = {root.__name__: root}
    for child in root.__subclasses__():
        named.update(_tree(child))
    return named


_BY_NAME = _tree(MillstreamError)

# What a bare error code (from a server that is not ours) means most precisely.
_BY_CODE: dict[str, type[MillstreamError]] = {
    "INVALID_PARAMETER_VALUE": InvalidValue,
    "BAD_REQUEST": BadRequest,
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "NOT_FOUND": NotFound,
    "ENDPOINT_NOT_FOUND": EndpointNotFound,
    "RESOURCE_ALREADY_EXISTS": AlreadyExists,
    "ALREADY_EXISTS": AlreadyExists,
    "RESOURCE_CONFLICT": Conflict,
    "ABORTED": Conflict,
    "INVALID_STATE": InvalidState,
    "UNAUTHENTICATED": Unauthenticated,
    "CUSTOMER_UNAUTHORIZED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "REQUEST_LIMIT_EXCEEDED": TooManyRequests,
    "RESOURCE_EXHAUSTED": TooManyRequests,
    "NOT_IMPLEMENTED": NotSupported,
    "TEMPORARILY_UNAVAILABLE": StoreUnavailable,
    "DATA_LOSS": IntegrityError,
}


def from_wire(body: Mapping[str, Any]) -> MillstreamError:
    """The error that a server described, as the class it had there (or the nearest one for its code)."""
    code = body.get("error_code")
    message = str(body.get("message") or "")
    hint = body.get("hint")
    named = _BY_NAME.get(str(body.get("error_class")))
    kind = named or _BY_CODE.get(str(code), MillstreamError)
    error = kind.__new__(kind)
    MillstreamError.__init__(error, message, str(code) if code is not None else None, hint=str(hint) if hint else None)
    if isinstance(error, SearchSyntaxError):
        error.position = 0
    return error
