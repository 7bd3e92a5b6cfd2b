"""A threaded app: an HTTP server that names the pictures that are posted to it, with the standard library alone.

    python examples/server.py MODEL.dcz
    curl --data-binary @picture.png http://localhost:8000

All threads share one model. Each request has a thread of its own already, so the model itself gets one.
"""

from __future__ import annotations

import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image, UnidentifiedImageError

import dcz

MAX_BYTES = 1 << 24


class Classifier(BaseHTTPRequestHandler):
    """Answers a picture with its best classes, as JSON."""

    model: dcz.Model

    def do_POST(self) -> None:
        """Classify the picture in the body of a request; the base class calls it by this name."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= MAX_BYTES:
            return self.answer(413, {"error": f"send a picture of 1 to {MAX_BYTES:,} bytes"})
        try:
            picture = Image.open(io.BytesIO(self.rfile.read(length)))
            (best,) = self.model.predict(picture, top=3)
        except (UnidentifiedImageError, OSError, dcz.InputError) as error:
            return self.answer(400, {"error": str(error)})
        return self.answer(200, [prediction._asdict() for prediction in best])

    def answer(self, status: int, content: object) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def server(model: dcz.Model, port: int = 8000) -> ThreadingHTTPServer:
    """A server for one model; `serve_forever` starts it."""
    return ThreadingHTTPServer(("localhost", port), type("ModelClassifier", (Classifier,), {"model": model}))


if __name__ == "__main__":
    server(dcz.load(sys.argv[1], threads=1)).serve_forever()
