"""Requests as they go over the wire, without a client that mends them."""

from __future__ import annotations

import errno
import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An answer; ``json`` raises where there is none."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error


def send(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request. ``body``: bytes as they are, anything else as JSON."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = {"content-type": "application/json"} if data is not None else {}
    try:
        connection.request(method, path, data, {**kind, **(headers or {})})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, named, answer.read())
    finally:
        connection.close()


def send_raw(url: str, data: bytes, shut: bool = False) -> bytes:
    """What comes back for these bytes until the server closes or falls silent."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=3) as line:
        try:
            line.sendall(data)
            if shut:
                line.shutdown(socket.SHUT_WR)
        except OSError as error:  # the server has closed already: what it said may still be there
            if error.errno not in (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET):
                raise
        got = b""
        try:
            while more := line.recv(65536):
                got += more
        except (TimeoutError, ConnectionResetError):
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
        return got


def open_stream(url: str, path: str, body: Any) -> tuple[HTTPConnection, Any]:
    """A connection on which an answer has begun, and that answer."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request(
        "POST", path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    return connection, connection.getresponse()
