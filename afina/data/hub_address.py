"""Where the Hugging Face Hub is, and whether it can be asked now; nothing is fetched here."""

from __future__ import annotations

import os
import queue
import socket
import threading
import urllib.parse
import urllib.request

REACH_SECONDS = 1.8


class HubUnreachableError(Exception):
    """The hub cannot be asked now; the text says why."""


def endpoint() -> str:
    """The address of the hub (``HF_ENDPOINT``, as huggingface_hub reads it)."""
    return os.environ.get("HF_ENDPOINT", "").strip() or "https://huggingface.co"


def is_switched_off() -> bool:
    """Whether the user has forbidden the hub (``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE``)."""
    yes = {"1", "on", "yes", "true"}
    return any(
        os.environ.get(name, "").strip().lower() in yes
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def why_cut_off() -> str:
    """Why the hub cannot be asked now; empty if it can. Takes two seconds at most."""
    if is_switched_off():
        return "HF_HUB_OFFLINE is set"
    try:
        reach()
    except HubUnreachableError as error:
        return str(error)
    return ""


def reach() -> None:
    """Open and close a connection to the hub, or to the proxy before it.

    Raises HubUnreachableError within two seconds. In a thread of its own, because looking up a
    name has no time limit and can take minutes on a machine without network.
    """
    outcome: queue.Queue[OSError | None] = queue.Queue()

    def attempt() -> None:
        try:
            socket.create_connection(_first_stop(), timeout=REACH_SECONDS).close()
            outcome.put(None)
        except OSError as error:
            outcome.put(error)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        error = outcome.get(timeout=REACH_SECONDS)
    except queue.Empty:
        raise HubUnreachableError(f"no answer in {REACH_SECONDS} seconds") from None
    if error is not None:
        raise HubUnreachableError(error.strerror or str(error))


def _first_stop() -> tuple[str, int]:
    address = urllib.parse.urlsplit(endpoint())
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urllib.parse.urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    port = address.port or (80 if address.scheme == "http" else 443)
    return address.hostname or "", port
