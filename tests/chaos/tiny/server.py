"""Answers /health and /smoke as its release would, or migrates: that is, does nothing and says so."""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading

MODE = os.environ["MODE"]


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer for each path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Well, unless the release is one of the broken ones."""
        sick = (MODE == "unhealthy" and self.path == "/health") or (
            MODE == "badsmoke" and self.path == "/smoke"
        )
        body = b'{"status": "ok"}'
        self.send_response(503 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve() -> None:
    """Until SIGTERM."""
    server = http.server.ThreadingHTTPServer((os.environ["HOST"], 8080), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        print("nothing to do")
    elif MODE == "crash":
        sys.exit(7)
    else:
        serve()
