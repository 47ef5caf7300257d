"""Servers on 127.0.0.1 in place of W&B's: one that takes runs, one that never answers."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKET = {
    "id": "run",
    "name": "run",
    "displayName": "run",
    "description": "",
    "config": "{}",
    "sweepName": None,
    "summaryMetrics": None,
    "historyLineCount": 0,
    "project": {"id": "project", "name": "project", "entity": {"id": "team", "name": "team"}},
}
ARTIFACT = {"id": "table", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}


class _Handler(BaseHTTPRequestHandler):
    """As much of W&B's protocol as it takes to send a run; everything received is kept."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.path, body))
        answer = json.dumps(self._data(body) if self.path == "/graphql" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 (the names that http.server calls)

    def _data(self, body):
        request = json.loads(body)
        match request["operationName"]:
            case "UpsertBucket":
                answer = {"upsertBucket": {"bucket": BUCKET, "inserted": True}}
            case "CreateArtifact":
                answer = {"createArtifact": {"artifact": ARTIFACT}}
            case "CreateRunFiles":
                files = [
                    {"name": name, "uploadUrl": f"{self.server.url}/files/{name}"}
                    for name in request["variables"]["files"]
                ]
                answer = {"createRunFiles": {"runID": "run", "uploadHeaders": [], "files": files}}
            case _:
                answer = {}
        return {"data": answer}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that is gone is no error."""


@contextmanager
def taking_server():
    """A server that takes runs: `url`, and what it `received` as [(path, body)]."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.received = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def silent_server():
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port():
    """A URL where connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
