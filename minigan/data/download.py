"""Download a gzipped file from the first mirror that has it, go on where an earlier try stopped, check its content.

Pooch owns the order of events: it puts nothing in place before the SHA-256 of the *unpacked* bytes is right (each
mirror may pack them differently). The downloader that it calls here adds what its own lacks: resuming.
"""

import gzip
import hashlib
import zlib
from functools import partial
from pathlib import Path

from minigan.data.idx import is_gzipped
from minigan.errors import DataError

_TIMEOUT = (10, 30)  # seconds: to connect, and between two pieces
_TRIES = 5  # on one mirror, each of which must bring new bytes
_PIECE = 2**13  # bytes taken from the network at a time: what a broken connection may cost
_SLACK = 2**16  # bytes that gzip may add to what cannot be compressed


def download(name, *, size, sha256, mirrors, folder):
    """Return the path of a file in `folder`, downloaded unless it is there with the right content.

    Parameters
    ----------
    name : str
        The name of the unpacked file; the mirrors have it as ``name.gz``.
    size : int
        Its length in bytes, unpacked.
    sha256 : str
        The checksum of its unpacked bytes, hexadecimal.
    mirrors : sequence of str
        Addresses of folders, tried in this order.
    folder : path-like
        It is made if needed. An interrupted download leaves a ``.part`` file there, and the next one goes on from it.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If no mirror gives the right content (with what each one answered), or the folder cannot be written.
    """
    import pooch
    from filelock import FileLock
    from requests import RequestException

    file, answers = Path(folder) / name, []
    try:
        if file.is_file() and pooch.file_hash(file) == sha256:
            return file
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.parent / "download.lock"):  # another process may be at it: wait, then find the file
            for mirror in mirrors:
                url = f"{mirror.rstrip('/')}/{name}.gz"
                try:
                    _retrieve(url, file, size, sha256)
                    return file
                except (RequestException, ValueError) as error:
                    answers.append(f"{url}: {_reason(error)}")
    except OSError as error:
        raise DataError(f"{file}: cannot be written ({error.strerror or error}); free some space or use another folder")
    raise DataError(f"{name}: no mirror could give it ({'; '.join(answers) or 'none was named'})")


def _retrieve(url, file, size, sha256):
    """Download from one mirror; RequestException if it fails to answer, ValueError if the content is wrong."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")  # the progress bar says it better
    # Mirrors may pack differently, and halves of two packings make no whole: each address has its own part.
    part = file.with_name(f"{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
    resumed = part.exists()
    downloader = partial(_fetch_and_unpack, part=part, size=size)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=file.name, path=file.parent, downloader=downloader)
    except RequestException:
        raise  # the part stays: the next try goes on from it
    except ValueError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        return _retrieve(url, file, size, sha256)  # the old part may be to blame: once more from the start
    part.unlink(missing_ok=True)  # there is none if another process was first


def _fetch_and_unpack(url, output_file, _pooch, *, part, size):
    """Complete `part` from the mirror, then unpack it to `output_file`; pooch calls this, and checks the result."""
    from requests import RequestException

    longest = size + _SLACK
    for tries_left in reversed(range(_TRIES)):
        before = _length(part)
        try:
            _fetch_rest(url, part, longest)
            break
        except RequestException:
            if not tries_left or _length(part) <= before:
                raise
    _unpack(part, output_file, size)


def _fetch_rest(url, part, longest):
    """Ask once for what `part` lacks, and append what comes."""
    import requests
    from tqdm import tqdm

    start = _length(part)
    headers = {"Accept-Encoding": "identity"}  # the bytes of the file itself, so that positions mean the same
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return  # nothing is lacking: an earlier try ended between the last byte and the unpacking
            raise ValueError("the part on disk is longer than the file")
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0  # the mirror cannot resume and sends everything
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise ValueError("the mirror sent another range than the one asked for")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        bar = tqdm(total=total, initial=start, desc=part.name.split(".")[0], unit="B", unit_scale=True, disable=None)
        with bar, open(part, "ab" if start else "wb") as file:
            for chunk in response.iter_content(_PIECE):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > longest:
                    raise ValueError("the mirror sends more than the whole file")
    if total is not None and _length(part) < total:
        raise requests.ConnectionError(f"the transfer ended after {_length(part):,} of {total:,} bytes")


def _unpack(part, output_file, size):
    """Write the unpacked bytes of `part`, at most one more than `size`."""
    try:
        with (gzip.open if is_gzipped(part) else open)(part, "rb") as source, open(output_file, "wb") as target:
            while (left := size + 1 - target.tell()) and (chunk := source.read(min(2**20, left))):
                target.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"damaged gzip data ({error})")


def _length(path):
    return path.stat().st_size if path.exists() else 0


def _reason(error):
    """Say in a few words why a mirror failed."""
    from requests import HTTPError, RequestException

    if isinstance(error, HTTPError):
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if not isinstance(error, RequestException):
        return "wrong content, deleted"
    while error.__context__ is not None:  # the root cause: requests wraps it several times
        error = error.__context__
    return str(error) or type(error).__name__
