"""Large files from the network, such as those of a Zenodo record: fetched once, resumed after a break, checked.

What has arrived stays in a hidden file beside the final one, named after the checksum. So an interrupted download
goes on where it stopped, and never on top of another file's beginning. The final name appears when the checksum fits.

Chapter: Building a dataset.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from advance_lib import __version__
from advance_lib.cache import UserError
from advance_lib.data.patience import USUAL, Patience, asked_wait

ZENODO = "https://zenodo.org/api"
CHUNK = 1 << 16  # bytes
CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")
PLAIN_NAME = re.compile(r"\w[^/\\]*")  # names become paths here

T = TypeVar("T")


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        url: its address.
        name: what it is called here.
        checksum: ``"md5:…"`` or ``"sha256:…"``, in lower-case hexadecimal.
        size: in bytes; None where only the server knows.
    """

    url: str
    name: str
    checksum: str
    size: int | None = None


class DownloadError(UserError):
    """A file that could not be fetched; the message has its address and the remedy."""


class _Again(Exception):
    """A fault that may pass, with the seconds that the server asks to wait, if it does."""

    def __init__(self, what: object, wait: float | None = None):
        super().__init__(what)
        self.wait = wait


def is_whole(path: Path, checksum: str) -> bool:
    """Return whether a file is there and has a checksum, ``"md5:…"`` or ``"sha256:…"``."""
    if not path.is_file():
        return False
    algorithm, _, expected = checksum.partition(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to start where the disk has no room.

    Args:
        folder: where it will be written; need not exist yet.
        needed: bytes.
        what: for the message.

    Raises:
        UserError: less is free.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{folder}: {what} needs {needed / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB; free some space, then "
            "run the same command again"
        )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _get(url: str, patience: Patience, **headers: str) -> requests.Response:
    """Return an open answer with status 200, 206 or 416; raise `_Again` for what may pass, else `DownloadError`."""
    # Compressed on the way, a file would have other lengths than those announced.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"advance-companion/{__version__}", **headers}
    response = requests.get(url, headers=headers, stream=True, timeout=patience.timeout)
    if response.status_code in (200, 206, 416):
        return response
    response.close()
    problem = f"the server answers {response.status_code} {response.reason}"
    if response.status_code not in (408, 429) and response.status_code < 500:
        raise DownloadError(problem)
    wait = asked_wait(response)
    if wait is not None and wait > patience.longest_wait:
        raise DownloadError(f"{problem} and asks to wait {wait:.0f} s")
    raise _Again(problem, wait)


def _no_connection(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError | ProxyError)


def _patiently(ask: Callable[[], T], arrived: Callable[[], int], patience: Patience) -> T:
    """Call a function until it succeeds; what may pass is tried again as long as new bytes arrive.

    Raises:
        DownloadError: out of patience, or no connection from the start; the message lacks the address.
    """
    in_vain, most, first = 0, arrived(), True
    while True:
        try:
            return ask()
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if first and _no_connection(error):
                raise DownloadError(f"no connection, and this step needs the network ({_cause(error)})") from None
            problem = _Again(f"the connection broke ({_cause(error)})")
        except requests.RequestException as error:
            raise DownloadError(f"not an address to fetch from ({_cause(error)})") from None
        except _Again as error:
            problem = error
        first = False
        in_vain = 0 if arrived() > most else in_vain + 1
        most = max(most, arrived())
        if in_vain >= patience.attempts:
            raise DownloadError(f"{problem}, {in_vain} times in a row")
        pause = min(patience.first_wait * 2 ** max(in_vain - 1, 0), patience.longest_wait)
        time.sleep(pause if problem.wait is None else problem.wait)


def _cause(error: BaseException) -> str:
    """Return what the innermost of nested errors says, without the objects that libraries put before it."""
    while inner := [x for x in (getattr(error, "reason", None), *error.args) if isinstance(x, BaseException)]:
        error = inner[0]
    return re.sub(r"^\w+\(.*?\): ", "", " ".join(str(error).split()))[:200] or type(error).__name__


def _more(file: RemoteFile, partial: Path, patience: Patience) -> bool:
    """Append what is missing to a partial file; return whether it was added to an earlier part."""
    have = _length(partial)
    if have == file.size:
        return True
    with _get(file.url, patience, **({"Range": f"bytes={have}-"} if have else {})) as response:
        if response.status_code == 416:  # nothing lies beyond what is here; the checksum tells what it is
            return True
        if response.status_code == 200:  # the server does not do ranges
            have = 0
        elif not re.match(rf"bytes {have}-", response.headers.get("Content-Range", "")):
            partial.unlink(missing_ok=True)
            raise _Again("the server sent another part than was asked for")
        announced = response.headers.get("Content-Length", "")
        size = have + int(announced) if announced.isdecimal() else file.size
        if file.size not in (None, size):
            raise _Again(f"the server sends {size} bytes instead of {file.size}")
        if size is not None:
            require_space(partial.parent, size - have, f"the rest of {file.name}")
        with (
            open(partial, "ab" if have else "wb") as out,
            tqdm(desc=file.name, initial=have, total=size, unit="B", unit_scale=True, leave=False) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
                if size is not None and out.tell() > size:
                    out.truncate(0)
                    raise _Again(f"the server sends more than the {size} bytes of the file")
        if size is not None and _length(partial) < size:
            raise _Again(f"the connection broke after {_length(partial)} of {size} bytes")
    return have > 0


def download(file: RemoteFile, folder: Path, patience: Patience = USUAL) -> Path:
    """Return a file, fetched where it is not there and whole.

    Args:
        file: what to fetch.
        folder: where it goes; made if need be.
        patience: how long to keep asking.

    Raises:
        UserError: it cannot be fetched, has another checksum, or the disk has no room. What has arrived is kept, unless
            it is wrong.
    """
    path = folder / file.name
    partial = folder / f".{file.name}.{file.checksum.partition(':')[2][:8]}.partial"
    by_hand = f"try again later, or download it by hand as {path} ({file.checksum.replace(':', ' ')})"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.name}.lock"):
            if is_whole(path, file.checksum):
                return path
            for _ in range(2):  # pieces of different files may have been put together: once more, from its beginning
                pieced = _patiently(lambda: _more(file, partial, patience), lambda: _length(partial), patience)
                if is_whole(partial, file.checksum):
                    os.replace(partial, path)
                    return path
                partial.unlink(missing_ok=True)
                if not pieced:
                    break
    except DownloadError as error:
        raise DownloadError(f"{file.url}: {error}; {by_hand}") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); mend that, then run the same command again"
        ) from None
    raise DownloadError(f"{file.url}: what the server sends has another checksum; {by_hand}")


def zenodo_files(record: int, folder: Path, patience: Patience = USUAL) -> dict[str, RemoteFile]:
    """Return the files of a Zenodo record by name, as its API lists them: ``files[]`` of ``/records/<id>``.

    Args:
        record: its number.
        folder: where files of it that were fetched by hand are looked for; for the message.
        patience: how long to keep asking.

    Raises:
        DownloadError: no connection, no such record, or an answer that is no list of files.
    """
    url = f"{ZENODO}/records/{record}"

    def ask() -> dict[str, RemoteFile]:
        with _get(url, patience) as response:
            try:
                listed = [
                    RemoteFile(file["links"]["self"], file["key"], file["checksum"], int(file["size"]))
                    for file in response.json()["files"]
                ]
            except (ValueError, KeyError, TypeError) as error:
                raise _Again(f"the answer is no record with files ({type(error).__name__})") from None
        for file in listed:
            if not (PLAIN_NAME.fullmatch(file.name) and CHECKSUM.fullmatch(file.checksum)):
                raise DownloadError(f"the record has a file '{file.name}' with checksum '{file.checksum}'")
        return {file.name: file for file in listed}

    try:
        return _patiently(ask, lambda: 0, patience)
    except DownloadError as error:
        raise DownloadError(
            f"{url}: {error}; try again later, or put the files of https://zenodo.org/records/{record} into {folder}"
        ) from None
