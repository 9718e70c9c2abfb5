"""A server of files on this machine, and archives to put on it: what the tests of data sets share."""

import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from minigrad.datasets import download as downloading


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, {path: bytes}. `faults` is what happens to the next requests, one after the other."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.asked = {}, [], []

    def url(self, name=""):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path[1:]
        span = self.headers.get("Range")
        server.asked.append((name, span))
        fault = server.faults.pop(0) if server.faults else None
        if isinstance(fault, int) or name not in server.files:
            self.send_error(fault or 404)
            return
        data = server.files[name]
        begin = int(span.removeprefix("bytes=").removesuffix("-")) if span and fault != "no ranges" else 0
        if begin and begin >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        rest = data[begin:]
        self.wfile.write(rest[: len(rest) // 2] if fault == "breaks" else rest)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloading, "PAUSE", 0.001)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def md5(data):
    return hashlib.md5(data).hexdigest()


def tar_of(members):
    """A .tar.gz of {name: bytes, or a TarInfo to be added as it is}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()
