"""The gate that every request passes before any route: who asks, from where, for which host.

Everything is denied unless it is allowed here. Only ``/health`` needs no key, where there is one.
A page of another site that a user has open may send requests to this machine, and even read the
answers if it makes its own name point here; so the Host header must be one of ours, and a request
that a browser marks as coming from elsewhere changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afina.serve.failure import REQUEST_ID, ApiError
from afina.serve.page import Page

LOG = logging.getLogger("afina.serve")
OPEN = frozenset({"/health"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEYS_IN_QUERY = frozenset(
    {"access_token", "api-key", "api_key", "apikey", "authorization", "key", "token"}
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


class Gate:
    """ASGI middleware. ``hosts``: the names that the Host header may have, besides this machine's
    own; None lets every name pass (for a server beyond this machine, which has a key).
    """

    def __init__(
        self, app: ASGIApp, *, api_key: str | None, hosts: Iterable[str] | None, page: Page
    ) -> None:
        self.app = app
        self.hosts = None if hosts is None else frozenset(h.lower() for h in hosts)
        self.page = page
        # Kept as a hash: what is compared has one length, and the key itself stays out of memory.
        self._key_hash = None if api_key is None else _hash(api_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            # There are no web sockets here: closed before it opens, a client sees 403.
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req_{secrets.token_hex(12)}"
        scope["afina.request_id"] = request_id
        REQUEST_ID.set(request_id)
        began = time.monotonic()
        status = 0

        async def sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", _NOTHING)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, sealed)
        # Never the query or the body: they hold what users write.
        seconds = time.monotonic() - began
        LOG.info("%s %s %r %d %.3f s", request_id, scope["method"], scope["path"], status, seconds)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that may not pass."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope["method"], headers)
            _check_query(scope["query_string"])
            if scope["path"] not in OPEN:
                self._check_key(headers)
        except ApiError as error:
            asks_key = error.status == 401 and scope["method"] == "GET" and scope["path"] == "/"
            # A browser shows the page with its field for the key; the page itself holds nothing.
            return self.page.response(401, error.headers) if asks_key else error.response()
        return None

    def _check_host(self, headers: Headers) -> None:
        given = headers.getlist("host")
        if len(given) != 1:
            raise ApiError(400, "send exactly one Host header", code="invalid_host")
        name = _host_name(given[0])
        if name is None:
            raise ApiError(400, "the Host header is not a host", code="invalid_host")
        if self.hosts is None or name in self.hosts or is_this_machine(name):
            return
        raise ApiError(
            403,
            "this server answers under the names of its own machine only; ask for localhost, or "
            "start it with this name allowed",
            code="host_not_allowed",
        )

    def _check_origin(self, method: str, headers: Headers) -> None:
        if method in _SAFE_METHODS:
            return
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "none")
        same = origin is None or _place(origin) == headers["host"].lower()
        if not same or site not in ("same-origin", "none"):
            raise ApiError(
                403, "requests from pages of other sites are refused", code="cross_origin"
            )

    def _check_key(self, headers: Headers) -> None:
        if self._key_hash is None:
            return
        given = _key_of(headers)
        if given is None:
            raise _unauthorised("send the API key: Authorization: Bearer KEY", "missing_api_key")
        if not hmac.compare_digest(_hash(given), self._key_hash):
            raise _unauthorised("this API key is not the right one", "invalid_api_key")


def is_this_machine(name: str) -> bool:
    """Whether a host name or address, without brackets, can only mean this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host_name(host: str) -> str | None:
    """The name in a Host header, lower case, without port and brackets; None if it is no host."""
    if any(c in host for c in "/\\@?# \t") or not host:
        return None
    try:
        parts = urlsplit(f"//{host}")
        port_is_a_number = parts.port is None or parts.port >= 0
    except ValueError:
        return None
    return (parts.hostname or "").removesuffix(".") or None if port_is_a_number else None


def _place(origin: str) -> str | None:
    """Host and port of an Origin header, lower case; None if it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _check_query(query: bytes) -> None:
    names = {name.lower() for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    if names & _KEYS_IN_QUERY:
        raise _unauthorised(
            "a key in the address ends up in logs and histories; send it as a header, and make a "
            "new one if this one is in use",
            "api_key_in_query",
        )


def _key_of(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("api-key")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _unauthorised(message: str, code: str) -> ApiError:
    return ApiError(401, message, code=code, headers={"www-authenticate": "Bearer"})
