"""A model hub on this machine: one repository, served over HTTP as the real hub's API does.

The real client library talks to it (`HF_ENDPOINT`), so that what it does when a download is gated,
missing or cut off is what a user would see.
"""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hub:
    """What the server serves, and how it behaves.

    folder: files of the one repository. fault: None, `gated`, `denied` (401) or `cut` (weights end
    after half of their bytes). requests: (method, path, range, authorization) so far.
    """

    def __init__(self, repository, revision, folder):
        self.repository, self.revision, self.folder = repository, revision, Path(folder)
        self.fault = None
        self.requests = []

    def entries(self):
        for path in sorted(self.folder.iterdir()):
            content = path.read_bytes()
            entry = {"type": "file", "path": path.name, "size": len(content)}
            entry["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            if path.suffix == ".safetensors":
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
            yield entry

    def etag(self, name):
        entry = next(entry for entry in self.entries() if entry["path"] == name)
        return entry.get("lfs", entry)["oid"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub, path = self.server.hub, self.path.split("?")[0]
        seen = (self.headers.get("Range"), self.headers.get("Authorization"))
        hub.requests.append((self.command, path, *seen))
        api, files = f"/api/models/{hub.repository}", f"/{hub.repository}/resolve/"
        if hub.fault == "denied":
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif path == api:
            # Of the main branch, which has no other commit.
            self.answer(json.dumps({"id": hub.repository, "sha": hub.revision}).encode())
        elif not path.startswith((f"{api}/", files)):
            self.refuse(404, "RepoNotFound", "Repository not found")
        elif hub.revision not in path:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
        elif path.startswith(api):
            tree = list(hub.entries())
            siblings = [{"rfilename": entry["path"]} for entry in tree]
            about = {"id": hub.repository, "sha": hub.revision, "siblings": siblings}
            self.answer(json.dumps(tree if "/tree/" in path else about).encode())
        elif hub.fault == "gated":
            self.refuse(403, "GatedRepo", f"Access to model {hub.repository} is restricted")
        else:
            self.serve(hub, path.rsplit("/", 1)[1])

    def refuse(self, status, code, message):
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def serve(self, hub, name):
        if not (hub.folder / name).is_file():
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        content = (hub.folder / name).read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hub.etag(name)}"')
        self.send_header("X-Repo-Commit", hub.revision)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if hub.fault == "cut" and name.endswith(".safetensors"):
            self.wfile.write(content[start : (start + len(content)) // 2])
            self.wfile.flush()
            self.close_connection = True
        else:
            self.wfile.write(content[start:])


@contextmanager
def serving(hub):
    """The address of a server of the hub, for as long as the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
