"""Where the server may listen, and the socket there."""

from __future__ import annotations

import errno
import socket
from typing import Any

from afina.errors import MachineError, RequestError
from afina.serve.gate import is_this_machine

MIN_KEY_LENGTH = 16


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host, an address or a name that resolves to some."""
    bare = host.strip("[]").lower()
    if is_this_machine(bare):
        return True
    addresses = _addresses(bare)
    return bool(addresses) and all(is_this_machine(str(address[0])) for _, address in addresses)


def check_access(host: str, api_key: str | None) -> None:
    """Raises RequestError if strangers could use the server, or the key cannot be sent."""
    where = "serve.host"
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key):
        raise RequestError(
            "the API key is empty or holds characters that a header cannot carry",
            do="use a key of letters, digits, dash and underscore",
        )
    if api_key is not None and " " in api_key:
        raise RequestError("the API key holds a space", do="use a key without spaces")
    if is_loopback(host):
        return
    if api_key is None:
        raise RequestError(
            f"{host} can be reached from other machines, and no API key is set",
            where=where,
            do="set AFINA_API_KEY, or listen on 127.0.0.1",
        )
    if len(api_key) < MIN_KEY_LENGTH:
        raise RequestError(
            f"the API key has {len(api_key)} characters, too few for {host}, which other machines "
            "can reach",
            where=where,
            do=f"use at least {MIN_KEY_LENGTH} random characters",
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises RequestError for a host that is none, MachineError if taken."""
    bare = host.strip("[]")
    addresses = _addresses(bare)
    if not addresses:
        raise RequestError(
            f"{host} is not an address or name of this machine",
            where="serve.host",
            do="use 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses",
        )
    # Of a name with several addresses the IPv4 one: it is what people and scripts try first.
    family, address = min(addresses, key=lambda a: a[0] != socket.AF_INET)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((*address[:1], port, *address[2:]))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise _why(error, host, port) from None
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket) -> str:
    """The address to open in a browser of this machine."""
    name, port = listening.getsockname()[:2]
    reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)
    return f"http://[{reach}]:{port}" if ":" in reach else f"http://{reach}:{port}"


def _addresses(host: str) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """(family, socket address) of each address of the host; empty if it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in found]


def _why(error: OSError, host: str, port: int) -> MachineError | RequestError:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return MachineError(
            f"port {port} is in use by another program",
            where=where,
            do="choose another with --port, or --port 0 for any free one",
        )
    if error.errno == errno.EACCES:
        return MachineError(
            f"this user may not listen on port {port}",
            where=where,
            do="choose a port above 1023 with --port",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return RequestError(
            f"{host} is not an address of this machine",
            where="serve.host",
            do="use 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses",
        )
    return MachineError(
        f"cannot listen: {error.strerror}", where=where, do="choose another address"
    )
