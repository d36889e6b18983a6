"""A server of files on the loopback interface, with ranges as HTTP has them, that misbehaves when told to."""

import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from advance_lib.data import fetching as download


def md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


class FileServer(ThreadingHTTPServer):
    """Holds files by path, faults for the next requests, and (path, range) of every request.

    A fault is a status, a (status, Retry-After) pair, or a word: "break", half of the body; "whole", ranges ignored;
    "half of the whole", both; "other part", not the range asked for; "short page", another body with status 200;
    "endless", more than the file.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.asked, self.sent = {}, [], [], 0

    def address(self, path=""):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def add(self, path, content):
        self.files[path] = content
        return self.address(path)

    def add_record(self, number, files):
        """Add a Zenodo record of files, name → content, as its API describes it."""
        described = [
            {
                "id": f"{number}-{name}",
                "key": name,
                "size": len(content),
                "checksum": md5(content),
                "links": {"self": self.add(f"/api/records/{number}/files/{name}/content", content)},
            }
            for name, content in files.items()
        ]
        record = {"id": number, "metadata": {"title": "a record"}, "files": described}
        return self.add(f"/api/records/{number}", json.dumps(record).encode())

    def handle_error(self, request, client_address):
        """Say nothing: clients that are killed are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append((self.path, asked))
        fault = server.faults.pop(0) if server.faults else None
        status, wait = fault if isinstance(fault, tuple) else (fault, None)
        if isinstance(status, int):
            return self.answer(status, b"", {} if wait is None else {"Retry-After": wait})
        if self.path not in server.files:
            return self.answer(404, b"")
        content, start = server.files[self.path], 0
        if fault == "short page":
            return self.answer(200, b"<html>please log in</html>")
        if fault == "endless":
            return self.answer(200, content + b"more", {"Content-Length": None})
        if asked and fault not in ("whole", "half of the whole"):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            start -= fault == "other part"
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            return self.answer(206, content[start:], headers, broken=fault == "break")
        return self.answer(200, content, broken=fault in ("break", "half of the whole"))

    def answer(self, status, body, headers=None, broken=False):
        headers = {"Content-Length": len(body)} | (headers or {})
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        part = body[: len(body) // 2] if broken else body
        self.server.sent += len(part)  # before it is sent: who has received it may ask at once
        self.wfile.write(part)

    def log_message(self, *args):
        pass


@contextmanager
def file_server(monkeypatch):
    """Start a server that stands for Zenodo as well; no proxy lies between."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = FileServer()
    monkeypatch.setattr(download, "ZENODO", server.address("/api"))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
