"""The page to try a model: one answer, with its style and its script inside, nothing from outside.

It is a client of the API like any other and knows nothing that the API does not say. The policy it
is sent with names its own style and script by their hash, so no other code can run in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files

from starlette.responses import Response


class Page:
    """The page, put together once from its three files."""

    def __init__(self) -> None:
        here = files(__name__)
        style = here.joinpath("page.css").read_text("utf-8")
        script = "\n".join(
            here.joinpath(name).read_text("utf-8") for name in ("words.js", "page.js")
        )
        html = here.joinpath("page.html").read_text("utf-8")
        self.html = html.replace("/*style*/", style).replace("/*script*/", script)
        self.policy = "; ".join(
            (
                "default-src 'none'",
                f"style-src 'sha256-{_hash(style)}'",
                f"script-src 'sha256-{_hash(script)}'",
                "connect-src 'self'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )

    def response(self, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """The page as an answer."""
        headers = {**(headers or {}), "content-security-policy": self.policy}
        return Response(self.html, status, headers, "text/html; charset=utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
