"""For all tests of the data sets: no internet, a cache of their own, and a mirror on this machine that can fail."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep every test away from the user's cache, data and network; return the cache folder that it sees instead."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *args, **kwargs: folder)
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    look_up = socket.getaddrinfo

    def only_here(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(f"a test looked up {host}")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    return folder


class Mirror:
    """What the local server holds and how it misbehaves.

    Attributes
    ----------
    files : dict of str to bytes
        The content of each path, without the leading slash.
    asked : list of (path, Range header or None)
        Every request so far.
    cuts : list of int
        The next answers end, one after the other, after so many bytes of their body.
    status : int or None
        Answer everything with this error.
    resumes, says_length, right_range : bool
        Whether Range requests are honoured, Content-Length is sent, and the range sent is the one asked for.
    """

    def __init__(self, address):
        self.address = address
        self.files, self.asked, self.cuts = {}, [], []
        self.status = None
        self.resumes = self.says_length = self.right_range = True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        mirror, path, wanted = self.server.mirror, self.path.lstrip("/"), self.headers.get("Range")
        mirror.asked.append((path, wanted))
        if mirror.status is not None or path not in mirror.files:
            self.send_error(mirror.status or 404)
            return
        content = mirror.files[path]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and mirror.resumes else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        if start:
            first = start if mirror.right_range else start + 1
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if mirror.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: mirror.cuts.pop(0)] if mirror.cuts else body)

    def log_message(self, *args):
        """Keep stderr clean."""


@pytest.fixture
def make_mirror():
    """Return a function that starts a local HTTP server and returns its Mirror."""
    servers = []

    def start():
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.mirror = Mirror(f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server.mirror

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mirror(make_mirror):
    return make_mirror()


@pytest.fixture
def refusing():
    """Return an address at which nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, but not listening: connections are refused
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/"


@pytest.fixture
def idx_bytes():
    """Return a function that packs an array of bytes as an IDX file."""

    def pack(array, dtype_code=0x08, shape=None):
        shape = array.shape if shape is None else shape
        header = bytes([0, 0, dtype_code, len(shape)]) + np.array(shape, dtype=">u4").tobytes()
        return header + array.tobytes()

    return pack
