"""A local HTTP server that speaks OpenAI's /embeddings protocol, and misbehaves when told to.

It answers every POST to /v1/embeddings with vectors made from the texts. Answers put into its queue come
first, one for each request: a failure, a changed or a broken answer, or a late one.
"""

import hashlib
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

DIMENSIONS = 16


class StubServer:
    """Listens on a free port of the loopback address from `with` on; keeps the requests it got."""

    def __init__(self):
        self.requests = []
        self._answers = deque()
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.stub = self
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def fail(self, status, message="no", **headers):
        """Answer the next request with an error; `retry_after="1"` becomes the header Retry-After."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(lambda _: (status, {"error": {"message": message}}, named))

    def change(self, change):
        """Answer the next request with `change(items)` in place of its list of items."""
        self._answers.append(lambda request: (200, make_answer(change(make_items(request))), {}))

    def answer(self, body, content_type="application/json"):
        """Answer the next request with this body, a str as it is, whatever else as JSON."""
        self._answers.append(lambda _: (200, body, {"Content-Type": content_type}))

    def be_slow(self, seconds):
        """Answer the next request as ever, but only after so many seconds, or when the server closes."""
        self._answers.append(lambda request: self._answer_late(request, seconds))

    def respond(self, path, request):
        self.requests.append(request)
        if path != "/v1/embeddings":
            return 404, {"error": {"message": f"no such path: {path}"}}, {}
        try:
            return self._answers.popleft()(request)
        except IndexError:
            return 200, make_answer(make_items(request)), {}

    def _answer_late(self, request, seconds):
        self._closing.wait(seconds)
        return 200, make_answer(make_items(request)), {}


def make_items(request):
    dimensions = request.get("dimensions", DIMENSIONS)
    vectors = [make_vector(text, dimensions) for text in request["input"]]
    return [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]


def make_answer(items):
    return {
        "object": "list",
        "data": items,
        "model": "stub",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def make_vector(text, dimensions=DIMENSIONS):
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=dimensions).tolist()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: sent apart, the second waits 40 ms for the first one's acknowledgement.
    wbufsize = -1

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request["headers"] = self.headers
        status, body, headers = self.server.stub.respond(self.path, request)
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Keep the test run's output free of access logs."""
