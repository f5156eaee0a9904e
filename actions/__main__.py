"""Runs the action server on loopback: ``python -m actions PORT``.

The SDK's own entrypoint listens everywhere, and its error page sends the whole request (names, phone numbers) back into
Rasa's log; this one does neither.
"""

from __future__ import annotations

import logging
import sys

from rasa_sdk.endpoint import create_app
from sanic.request import Request
from sanic.response import HTTPResponse, json


def main(port: int) -> None:
    """Serves until stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app("actions")

    @app.exception(Exception)
    async def _failed(request: Request, error: Exception) -> HTTPResponse:
        logging.getLogger("actions").error("request failed: %s", type(error).__name__)
        return json({"error": type(error).__name__}, status=500)

    app.run(host="127.0.0.1", port=port, workers=1, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
