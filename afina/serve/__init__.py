"""Models over HTTP: the OpenAI API's endpoints for what was tuned here, and a page to try it.

Knows what ``ServedModel`` says and nothing of tokens, training or files. Importing this room loads
FastAPI: whoever only needs the command line's help imports it later.
"""

from __future__ import annotations

from afina.serve.app import create_app
from afina.serve.listen import serve
from afina.serve.model import ServedModel

__all__ = ["ServedModel", "create_app", "serve"]
