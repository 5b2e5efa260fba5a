"""Requests to a server: pooled connections, retries, credentials, and answers turned into errors.

One :class:`Transport` speaks to one server. Whatever talks to a tracking server (the store, proxied artifacts, the
command line) goes through it, so that retries, proxies, certificates and sign-in behave the same everywhere.
"""

from __future__ import annotations

import base64
import logging
import os
import random
import re
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import msgspec
import urllib3
from urllib3 import exceptions as wire

from millstream import errors, settings
from millstream._version import VERSION
from millstream.stores.http import PATIENCE

Body = bytes | Iterable[bytes]
Describe = Callable[[int, bytes], "errors.MillstreamError | None"]

_USER_AGENT = f"millstream/{VERSION}"
_CONNECT_SECONDS = 15.0
_MAX_WAIT_SECONDS = 60.0
_MAX_ERROR_BYTES = 256 * 1024
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
# The server says that it did not take the request: safe to send again, whatever it was.
_REFUSED_FOR_NOW = frozenset({429, 503})
_LOST_ON_THE_WAY = frozenset({408, 502, 504})
_KIND_OF_STATUS: dict[int, type[errors.MillstreamError]] = {
    400: errors.BadRequest,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.EndpointNotFound,
    405: errors.MethodNotAllowed,
    408: errors.StoreUnavailable,
    409: errors.Conflict,
    412: errors.Conflict,
    413: errors.TooLarge,
    429: errors.TooManyRequests,
    501: errors.NotSupported,
    502: errors.StoreUnavailable,
    503: errors.StoreUnavailable,
    504: errors.StoreUnavailable,
}

log = logging.getLogger(__name__)


class Response:
    """An answer with a status below 400. Read it once: as ``data``, as ``json()``, or streamed with ``chunks()``."""

    __slots__ = ("_raw", "headers", "status")

    def __init__(self, raw: urllib3.BaseHTTPResponse) -> None:
        self._raw = raw
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers

    @property
    def data(self) -> bytes:
        """The whole body."""
        return self._raw.data

    def json(self, type: Any = Any) -> Any:
        """The body as ``type`` (a 64-bit number may come as text). Raises MillstreamError when it is something else."""
        try:
            return msgspec.json.decode(self._raw.data, type=type, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.MillstreamError(
                f"the server's answer is not what its protocol says: {error}",
                hint="check that the address is that of a tracking server, not of something in front of it",
            ) from None

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """The body in pieces of at most ``size`` bytes. Raises Unreachable when the connection breaks off."""
        try:
            # A body that ends early raises here: urllib3 holds it to its Content-Length.
            while piece := self._raw.read(size, decode_content=False):
                yield piece
        except (wire.HTTPError, OSError) as error:
            raise errors.Unreachable(
                f"the connection broke off while a body was read: {_cause(error)}", hint="try again"
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection: it went back into the pool if the body was read to its end, else it is closed."""
        self._raw.close()


class Transport:
    """Keep-alive connections to the server at ``base_uri``, for any number of threads.

    ``base_uri`` is ``http(s)://[user:password@]host[:port][/prefix]``. Credentials come, in this order, from the
    ``token`` given here, TRACKING_TOKEN, TRACKING_USERNAME and TRACKING_PASSWORD, and the URI itself; the environment
    is read at each request, certificates and proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) once per process. Credentials
    go to this server only: redirects are reported, not followed. With ``sign_in`` False none are sent at all.

    Two things serve other servers than a tracking server: ``tls`` makes the context of https connections, ``describe``
    turns the status and body of an error answer into an error (None: it is in no form it knows).

    A child process after a fork opens connections of its own.
    """

    def __init__(
        self, base_uri: str, *, token: str | None = None, headers: Mapping[str, str] | None = None,
        sign_in: bool = True, tls: Callable[[], ssl.SSLContext] | None = None, describe: Describe | None = None,
    ) -> None:
        parts = urlsplit(base_uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise errors.InvalidValue(
                f"{base_uri!r} is not the address of a server", hint="write http://host:port or https://host"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        try:
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise errors.InvalidValue(f"{base_uri!r} has a port that is no number below 65536") from None
        self.base_uri = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
        self._origin = f"{parts.scheme}://{host}{port}"
        self._prefix = quote(unquote(parts.path.rstrip("/")), safe="/%:@!$&'()*+,=~")
        self._token = token
        self._user: tuple[str, str] | None = None
        if parts.username:
            self._user = (unquote(parts.username), unquote(parts.password or ""))
        self._headers = dict(headers or {})
        self._sign_in = sign_in
        self._tls = tls or tracking_tls
        self._describe = describe or _describe
        self._lock = threading.Lock()
        self._pid = 0
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._proxy: str | None = None

    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        json: Any = None, body: Body | None = None, headers: Mapping[str, str] | None = None, stream: bool = False,
        timeout: float | None = None, retry: bool | None = None,
    ) -> Response:
        """Send a request and return its answer.

        ``path`` begins with ``/`` and is percent-encoded already (:func:`quoted` does that). ``query`` values that are
        None are left out, lists are repeated. ``json`` is encoded; ``body`` is bytes, or an iterable of bytes (give
        its Content-Length among the ``headers``); one that is its own iterator can be sent only once. With ``stream``
        the body of the answer is not read yet. ``timeout`` is in seconds, of silence on the connection
        (HTTP_REQUEST_TIMEOUT unless given).

        **Retries.** Up to HTTP_REQUEST_MAX_RETRIES, with exponential back-off or after what Retry-After says: always
        when the request was not sent (no connection) or refused for now (429, 503); otherwise, when the answer was
        lost, only if ``retry`` is True or, with ``retry`` None, the method is idempotent by HTTP. ``retry`` False
        sends once.

        Raises Unreachable when no answer came, else the error that the answer describes.
        """
        content: Any = body
        merged = self._request_headers(headers)
        if json is not None:
            content = msgspec.json.encode(json)
            merged["Content-Type"] = "application/json"
        target = self._prefix + path
        if query:
            pairs = [(name, value) for name, value in (query.items() if isinstance(query, Mapping) else query)
                     if value is not None]
            if pairs:
                target += "?" + urlencode(pairs, doseq=True, quote_via=quote, safe="/")
        seconds = settings.HTTP_REQUEST_TIMEOUT.get() if timeout is None else timeout
        limits = urllib3.Timeout(connect=min(seconds, _CONNECT_SECONDS), read=seconds)
        left = 0 if retry is False else max(0, settings.HTTP_REQUEST_MAX_RETRIES.get())
        repeatable = method in _IDEMPOTENT if retry is None else retry
        if content is not None and iter(content) is content:
            left = 0
        tried, began = 0, time.monotonic()
        while True:
            tried += 1
            error: Exception
            wait: float | None = None
            try:
                raw = self._send(method, target, content, merged, limits, preload=not stream)
            except wire.HTTPError as caught:
                error = caught
                again = not _is_untrusted(caught) and (_not_sent(caught) or repeatable)
            else:
                if raw.status < 300:
                    return Response(raw)
                error, wait = self._error(method, raw, stream), _retry_after(raw.headers)
                passing = raw.status in _LOST_ON_THE_WAY or isinstance(error, errors.StoreUnavailable)
                again = raw.status in _REFUSED_FOR_NOW or (repeatable and passing)
            if not again or left <= 0:
                self._fail(error, tried, time.monotonic() - began)
            left -= 1
            if wait is None:
                factor: float = settings.HTTP_REQUEST_BACKOFF_FACTOR.get()
                wait = min(factor * 2.0 ** (tried - 1), _MAX_WAIT_SECONDS) * random.uniform(0.75, 1.25)
            patience = PATIENCE.get()
            if patience is not None and time.monotonic() - began + wait > patience:
                self._fail(error, tried, time.monotonic() - began)
            if tried == 2:
                log.warning("the server at %s does not answer (%s), trying on", self.base_uri, _cause(error))
            time.sleep(min(wait, _MAX_WAIT_SECONDS))

    def close(self) -> None:
        """Close the idle connections; the next request opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self, method: str, target: str, body: Any, headers: dict[str, str], limits: urllib3.Timeout, *, preload: bool
    ) -> urllib3.BaseHTTPResponse:
        pool = self._pool
        if pool is None or self._pid != os.getpid():
            pool = self._connect()
        if self._proxy and self._origin.startswith("http:"):
            target = self._origin + target
        return pool.urlopen(
            method, target, body=body, headers=headers, retries=False, redirect=False, timeout=limits,
            preload_content=preload, decode_content=False, assert_same_host=False,
        )

    def _connect(self) -> urllib3.HTTPConnectionPool:
        with self._lock:
            if self._pool is not None and self._pid == os.getpid():
                return self._pool
            parts = urlsplit(self._origin)
            options: dict[str, Any] = {"maxsize": 32, "block": False}
            if parts.scheme == "https":
                options["ssl_context"] = context = self._tls()
                if context.verify_mode == ssl.CERT_NONE:
                    # Said once, by the setting that asked for it; not at every request.
                    warnings.filterwarnings(
                        "ignore", f".*host '{re.escape(parts.hostname or '')}'", wire.InsecureRequestWarning
                    )
            proxies = getproxies_environment()
            self._proxy = proxies.get(parts.scheme) or proxies.get("all")
            if self._proxy and proxy_bypass_environment(parts.netloc, proxies):
                self._proxy = None
            opener: urllib3.PoolManager
            if self._proxy:
                proxy = urlsplit(self._proxy if "://" in self._proxy else f"http://{self._proxy}")
                sign_in = (
                    urllib3.make_headers(proxy_basic_auth=f"{unquote(proxy.username)}:{unquote(proxy.password or '')}")
                    if proxy.username else None
                )
                opener = urllib3.ProxyManager(self._proxy, proxy_headers=sign_in, **options)
                self._proxy = f"{proxy.scheme}://{proxy.hostname}:{proxy.port or 80}"
                if sign_in and parts.scheme == "http":
                    # In the clear the proxy reads the request itself; over TLS it reads the CONNECT before it.
                    self._headers.update(sign_in)
            else:
                opener = urllib3.PoolManager(**options)
            self._pool = opener.connection_from_url(self._origin)
            self._pid = os.getpid()
            return self._pool

    def _request_headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **self._headers}
        if self._sign_in:
            if token := self._token or settings.TRACKING_TOKEN.get():
                headers["Authorization"] = f"Bearer {token}"
            else:
                user = settings.TRACKING_USERNAME.get()
                pair = (user, settings.TRACKING_PASSWORD.get() or "") if user else self._user
                if pair:
                    headers["Authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
            if workspace := settings.WORKSPACE.get():
                headers["X-MLFLOW-WORKSPACE"] = workspace
        if more:
            headers.update(more)
        return headers

    def _error(self, method: str, raw: urllib3.BaseHTTPResponse, streamed: bool) -> errors.MillstreamError:
        status = raw.status
        try:
            content = raw.read(_MAX_ERROR_BYTES) if streamed else raw.data
        except (wire.HTTPError, OSError):
            content = b""
        finally:
            raw.close()
        if (described := self._describe(status, content)) is not None:
            return described
        if 300 <= status < 400:
            return errors.BadRequest(
                f"{self.base_uri} answers with a redirect to {raw.headers.get('Location', 'nowhere')!r}",
                hint="use that address instead; if it is a sign-in page, give a token (MLFLOW_TRACKING_TOKEN)",
            )
        text = " ".join(content[:300].decode("utf-8", "replace").split())
        kind = _KIND_OF_STATUS.get(status, errors.MillstreamError if status >= 500 else errors.BadRequest)
        return kind(
            f"{self.base_uri} answered {method} with status {status}{f': {text}' if text else ''}",
            hint=_hint_for_status(status),
        )

    def _fail(self, error: Exception, tried: int, seconds: float) -> NoReturn:
        if isinstance(error, errors.MillstreamError):
            raise error
        tries = f" (tried {tried} times in {seconds:.0f} s)" if tried > 1 else ""
        through = f" through the proxy {self._proxy}" if self._proxy else ""
        raise errors.Unreachable(
            f"the server at {self.base_uri} does not answer{through}: {_cause(error)}{tries}",
            hint=_hint_for_cause(error),
        ) from error


def quoted(path: str) -> str:
    """``path`` with everything percent-encoded that is not plain in the path of a URL; ``/`` stays."""
    return quote(path, safe="/:@!$&'()*+,=~")


def tracking_tls() -> ssl.SSLContext:
    """How TRACKING_SERVER_CERT_PATH, TRACKING_INSECURE_TLS and TRACKING_CLIENT_CERT_PATH want TLS."""
    context = trusting(
        settings.TRACKING_SERVER_CERT_PATH.get() or os.environ.get("REQUESTS_CA_BUNDLE"),
        insecure=settings.TRACKING_INSECURE_TLS.get(),
    )
    if own := settings.TRACKING_CLIENT_CERT_PATH.get():
        try:
            context.load_cert_chain(own)
        except (OSError, ssl.SSLError) as error:
            raise errors.InvalidValue(
                f"the client certificate in {own!r} cannot be read: {error}",
                hint="the file holds the certificate and its key, in PEM form",
            ) from None
    return context


def trusting(bundle: str | None, *, insecure: bool = False) -> ssl.SSLContext:
    """A TLS context that trusts the authorities in ``bundle`` (a file or folder; the system's unless given), or,
    ``insecure``, anyone."""
    folder = bundle is not None and os.path.isdir(bundle)
    try:
        context = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
    except (OSError, ssl.SSLError) as error:
        raise errors.InvalidValue(
            f"the certificates in {bundle!r} cannot be read: {error}", hint="give a file in PEM form"
        ) from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _describe(status: int, content: bytes) -> errors.MillstreamError | None:
    """The error in an answer of the tracking protocol."""
    try:
        described = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(described, dict) and isinstance(described.get("error_code"), (str, int)):
        return errors.from_wire(described)
    return None


def _not_sent(error: wire.HTTPError) -> bool:
    """Whether the request cannot have reached the server."""
    if isinstance(error, wire.ProxyError):
        return isinstance(error.original_error, (wire.NewConnectionError, wire.ConnectTimeoutError))
    return isinstance(error, (wire.NewConnectionError, wire.ConnectTimeoutError))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        # The other form of the header is a date; our own back-off does for that.
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what caused it, outermost first, as urllib3 wraps one in another."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        wrapped = [argument for argument in inner.args if isinstance(argument, BaseException)]
        inner = getattr(inner, "original_error", None) or inner.__cause__ or (wrapped[0] if wrapped else None)


def _is_untrusted(error: BaseException) -> bool:
    return any(isinstance(inner, ssl.SSLCertVerificationError) for inner in _chain(error))


def _cause(error: BaseException) -> str:
    """Why, in a few words."""
    last = error
    for last in _chain(error):
        if isinstance(last, ConnectionRefusedError):
            return "connection refused"
        if isinstance(last, wire.NameResolutionError):
            return "its name is not known"
        if isinstance(last, wire.ConnectTimeoutError) and not isinstance(last, wire.NewConnectionError):
            return "no connection in time"
        if isinstance(last, (wire.ReadTimeoutError, TimeoutError)):
            return "no answer in time"
        if isinstance(last, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({last.verify_message})"
        if isinstance(last, errors.MillstreamError):
            return last.message
    return str(last) or type(last).__name__


def _hint_for_cause(error: Exception) -> str:
    if _is_untrusted(error):
        return ("name the certificate of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH, or, on a network that you "
                "trust, set MLFLOW_TRACKING_INSECURE_TLS=true")
    if any(isinstance(inner, wire.NameResolutionError) for inner in _chain(error)):
        return "check the host name in the tracking URI (MLFLOW_TRACKING_URI), and HTTPS_PROXY if you need a proxy"
    return "check that the server runs (`millstream server` starts one) and that the tracking URI has its host and port"


def _hint_for_status(status: int) -> str | None:
    if status == 401:
        return "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    if status == 404:
        return "check that the tracking URI is that of a tracking server, with its path prefix if it has one"
    if status in (502, 503, 504):
        return "something in front of the server answers, the server does not: try again in a while"
    return None
