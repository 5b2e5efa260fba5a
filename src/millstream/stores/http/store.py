"""A store behind a server: the same operations, sent over MLflow's protocol."""

from __future__ import annotations

from typing import TypeVar

from millstream.operations import OWNER, Operation, Principal
from millstream.operations.codec import decode_answer, encode_request
from millstream.stores.contract import Store
from millstream.stores.http.transport import Transport

A = TypeVar("A")

_JSON = {"Content-Type": "application/json"}


class HttpStore(Store):
    """The store of a tracking server, ours or any that speaks MLflow's protocol.

    Who asks is decided by the server from the credentials of ``transport``; the ``principal`` given to
    :meth:`execute` stays here. An operation that the server does not know raises EndpointNotFound.
    """

    def __init__(self, uri: str, transport: Transport | None = None) -> None:
        self._uri = uri
        self.transport = transport or Transport(uri)

    @property
    def uri(self) -> str:
        return self._uri

    def execute(self, operation: Operation[A], principal: Principal = OWNER) -> A:
        endpoint = operation.endpoint
        return self._send(operation, retry=endpoint.repeatable or not endpoint.writes)

    def execute_once(self, operation: Operation[A]) -> A:
        """Like :meth:`execute`, sent once: for a caller with a patience of its own."""
        return self._send(operation, retry=False)

    def _send(self, operation: Operation[A], *, retry: bool) -> A:
        path, query, body = encode_request(operation)
        endpoint = operation.endpoint
        prefix = "/ajax-api" if endpoint.ajax_only else "/api"
        answer = self.transport.request(
            endpoint.method,
            prefix + path,
            query=query,
            body=body,
            headers=_JSON if body is not None else None,
            retry=retry,
        )
        return decode_answer(type(operation), answer.data)

    def close(self) -> None:
        self.transport.close()
