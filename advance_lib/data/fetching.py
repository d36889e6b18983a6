"""The one way to ask a server: a bounded number of tries, waits that it sets, files kept whole, no secret shown.

Small answers are asked for as bytes, JSON or a file. Large files, such as those of a Zenodo record, are resumed after a
break: what has arrived stays in a hidden file beside the final one, named after the checksum, so nothing is ever
appended to another file's beginning; the final name appears when the checksum fits.

Chapter: Building a dataset.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock
from tqdm import tqdm

from advance_lib import __version__
from advance_lib.cache import UserError, remove, written_whole

if TYPE_CHECKING:
    import requests

ZENODO = "https://zenodo.org/api"
CHUNK = 1 << 16  # bytes
SLOWEST = 10_000  # bytes a second; a small answer that comes slower than this, once the timeout is over, is given up
CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")
PLAIN_NAME = re.compile(r"\w[^/\\]*")  # names become paths here
REMEDIES = {
    401: "the token or key is missing, wrong or expired; get another one",
    403: "the server does not allow this; read its terms, and check the token or key",
    404: "there is nothing at this address",
}
log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to go on asking.

    Attributes:
        attempts: requests that may be in vain one after the other, the first one included.
        first_wait: seconds before the second request; doubled before each further one.
        longest_wait: seconds between two requests at most; a server that asks for more is left alone.
        timeout: seconds to connect, and of silence.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 20.0


USUAL = Patience()


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


class FetchError(UserError):
    """Something that could not be fetched; the message has its address and the remedy.

    Attributes:
        status: of the server's last whole answer, such as 404; 200 where its content was refused; None without one.
        alone: the fault seems to lie with this address alone, not with the network, the server, a token or haste.
    """

    def __init__(self, message: str, status: int | None = None, alone: bool = False):
        super().__init__(message)
        self.status, self.alone = status, alone


class _Trouble(Exception):
    """What went wrong with one request: the server's status, whether to ask again, the wait that it asks for."""

    def __init__(self, what: str, status: int | None = None, again: bool = True, wait: float | None = None):
        super().__init__(what)
        self.status, self.again, self.wait = status, again, wait


class _Unreachable(_Trouble):
    """No connection could be made."""


def ask(
    url: str,
    *,
    parameters: Mapping[str, object] | None = None,
    data: Mapping[str, str] | None = None,
    secret: tuple[str, str] | None = None,
    hidden: Iterable[str] = (),
    patience: Patience = USUAL,
    check: Callable[[bytes], object] | None = None,
    remedy: str = "",
) -> bytes:
    """Return what a server answers.

    Asked again, after a pause: no answer, a slow, cut or refused body, status 408, 429 and 5xx. A server that cannot be
    reached in the first place is not asked twice: most likely there is no network.

    Args:
        url: address; messages leave its query out.
        parameters: of the query.
        data: fields of a form; with them the request is a POST.
        secret: (name, value) of a header whose value is never shown.
        hidden: parts of the address that are never shown, such as keys.
        patience: how long to go on.
        check: raises ValueError for a body that is not what was asked for; anything else that it raises is final.
        remedy: what to do, for the message, in place of the usual advice.

    Raises:
        FetchError: the address, what happened, and what to do.
    """

    def once() -> bytes:
        request = {"params": parameters, "data": data, "headers": dict([secret]) if secret else None}
        with _answer(url, patience.timeout, **request) as response:
            body = _body(response, patience.timeout)
        try:
            if check:
                check(body)
        except ValueError as error:
            raise _Trouble(f"not what was asked for: {error}", 200) from None
        return body

    secrets = {*hidden, *(secret[1].split()[-1:] if secret else ())} - {""}
    return _patiently(once, url, patience, remedy, secrets)


def ask_json(url: str, *, check: Callable[[object], object] | None = None, **options) -> object:
    """Return the JSON that a server answers.

    Args:
        url: as for `ask`.
        check: raises ValueError for a content that is not what was asked for.
        options: as for `ask`.

    Raises:
        FetchError: as `ask`.
    """

    def parsed(body: bytes) -> None:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            start = body[:40].decode("utf-8", "replace").strip()
            raise ValueError(f"no JSON, it begins '{start}'" if start else "it is empty") from None
        if check:
            check(content)

    return json.loads(ask(url, check=parsed, **options))


def fetch_file(url: str, path: Path, **options) -> Path:
    """Return a small file, fetched whole if it is not there.

    Args:
        url: as for `ask`.
        path: of the file.
        options: as for `ask`.

    Raises:
        FetchError: as `ask`.
        UserError: the file cannot be written.
    """
    if not path.exists():
        body = ask(url, **options)
        with _writing(path), written_whole(path) as partial:
            partial.write_bytes(body)
    return path


def download(file: RemoteFile, folder: Path, patience: Patience = USUAL) -> Path:
    """Return a large file, fetched where it is not there and whole; asked for as long as new bytes arrive.

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
    with _writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.name}.lock"):
            if is_whole(path, file.checksum):
                return path
            for _ in range(2):  # pieces of different files may have been put together: once more, from its beginning
                more, arrived = lambda: _more(file, partial, patience), lambda: _length(partial)
                pieced = _patiently(more, file.url, patience, by_hand, arrived=arrived)
                if is_whole(partial, file.checksum):
                    os.replace(partial, path)
                    return path
                partial.unlink(missing_ok=True)
                if not pieced:
                    break
    raise FetchError(f"{file.url}: what the server sends has another checksum; {by_hand}", 200)


def zenodo_files(record: int, folder: Path, patience: Patience = USUAL) -> dict[str, RemoteFile]:
    """Return the files of a Zenodo record by name, as its API lists them: ``files[]`` of ``/records/<id>``.

    Args:
        record: its number.
        folder: where files of it that were fetched by hand are looked for; for the message.
        patience: how long to keep asking.

    Raises:
        FetchError: no connection, no such record, or an answer that is no list of files.
    """
    by_hand = f"try again later, or put the files of https://zenodo.org/records/{record} into {folder}"
    url = f"{ZENODO}/records/{record}"
    return _listed(ask_json(url, patience=patience, check=_listed, remedy=by_hand))


def _listed(answer: object) -> dict[str, RemoteFile]:
    """Return the files of Zenodo's answer by name; raise ValueError for what is no such answer."""
    try:
        listed = [RemoteFile(f["links"]["self"], f["key"], f["checksum"], int(f["size"])) for f in answer["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"no record with files ({type(error).__name__})") from None
    for file in listed:
        if not (PLAIN_NAME.fullmatch(file.name) and CHECKSUM.fullmatch(file.checksum)):
            raise ValueError(f"the record has a file '{file.name}' with checksum '{file.checksum}'")
    return {file.name: file for file in listed}


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


def extract(archive: Path, folder: Path) -> Path:
    """Unpack a zip archive, whose checksum was looked at, into a new folder, which appears when it is whole.

    `zipfile` keeps all within the folder: it drops drives, leading slashes and ``..``, and a link becomes a plain file.

    Args:
        archive: a zip file.
        folder: must not exist, else it is returned as it is.

    Raises:
        UserError: no zip file, a damaged one, or the disk has no room for what it declares.
    """
    if folder.exists():
        return folder
    partial = folder.with_name(f".{folder.name}.partial")
    remove([partial])  # of an interruption
    with _writing(folder):
        try:
            with zipfile.ZipFile(archive) as zipped:
                members = [member for member in zipped.infolist() if not member.is_dir()]
                require_space(folder.parent, sum(member.file_size for member in members), f"unpacking {archive.name}")
                partial.mkdir(parents=True)
                for member in tqdm(members, f"unpacking {archive.name}", leave=False):
                    zipped.extract(member, partial)
        except zipfile.BadZipFile as error:
            raise UserError(f"{archive}: a damaged archive ({error}); remove it and fetch it again") from None
        os.replace(partial, folder)
    return folder


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in one line what keeps a file from being written."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); make room, or mend permissions, then run the same command "
            "again"
        ) from None


@cache
def _session() -> requests.Session:
    """Return the session that keeps connections open."""
    import requests  # here, for most who look for a file ask no server

    logging.getLogger("urllib3").setLevel(logging.INFO)  # finer lines show addresses with their keys
    session = requests.Session()
    session.headers["User-Agent"] = f"advance-companion/{__version__}"  # the rules of most map servers ask for a name
    return session


@contextmanager
def _answer(url: str, timeout: float, statuses: Iterable[int] = (200,), **request) -> Iterator[requests.Response]:
    """Yield an open answer of a wanted status; raise _Trouble for another one, and for whatever breaks meanwhile."""
    import requests
    import urllib3

    method = "POST" if request.get("data") else "GET"
    try:
        with _session().request(method, url, stream=True, timeout=timeout, **request) as response:
            if (status := response.status_code) not in statuses:
                again = status in (408, 429) or status >= 500
                detail = _detail(_body(response, timeout))
                raise _Trouble(f"answered {status}{detail}", status, again, _asked_wait(response))
            yield response
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        if isinstance(error.__context__, urllib3.exceptions.MaxRetryError):
            raise _Unreachable(f"cannot be reached ({_root(error)}), and this step needs the network") from None
        raise _Trouble(f"no whole answer ({_root(error)})") from None
    except (requests.RequestException, UnicodeError) as error:  # its text may quote the secret
        raise _Trouble(f"cannot be asked for ({type(error).__name__})", again=False) from None


def _patiently(
    attempt: Callable[[], T],
    url: str,
    patience: Patience,
    remedy: str = "",
    secrets: Iterable[str] = (),
    arrived: Callable[[], int] = int,
) -> T:
    """Call a function until it succeeds; what may pass is tried again, with new patience when new bytes arrived."""
    address = re.sub("//[^/]*@", "//", url.partition("?")[0])
    in_vain, most, answered = 0, arrived(), False
    while True:
        try:
            return attempt()
        except _Trouble as error:
            trouble = error
        answered |= not isinstance(trouble, _Unreachable)
        in_vain = 0 if arrived() > most else in_vain + 1
        most = max(most, arrived())
        wait = trouble.wait
        if wait is None:  # a server that counts requests and sets no wait mostly counts them by the minute
            doubled = patience.first_wait * 2 ** max(in_vain - 1, 0)
            wait = patience.longest_wait if trouble.status == 429 else min(doubled, patience.longest_wait)
        if not (trouble.again and answered) or in_vain >= patience.attempts or wait > patience.longest_wait:
            break
        log.warning(_without(secrets, f"{address}: {trouble}; asking again in {wait:.3g} s"))
        sleep(wait)
    often = f", {in_vain} times" if in_vain > 1 else ""
    pause = f", and asks to wait {trouble.wait:.0f} s" if trouble.wait else ""
    usual = "try again later; what was fetched is kept" if trouble.again else "check the address"
    advice = remedy or REMEDIES.get(trouble.status, usual)
    alone = trouble.status == 200 or not (trouble.again or trouble.status in (401, 407))
    raise FetchError(_without(secrets, f"{address}: {trouble}{often}{pause}; {advice}"), trouble.status, alone)


def _body(response: requests.Response, timeout: float) -> bytes:
    """Return the whole body, unless it comes more slowly than `SLOWEST`."""
    start, body = monotonic(), bytearray()
    while part := response.raw.read1(CHUNK, decode_content=True):
        body += part
        if monotonic() - start > timeout + len(body) / SLOWEST:
            raise _Trouble(f"too slow, {len(body)} bytes in {monotonic() - start:.3g} s")
    return bytes(body)


def _more(file: RemoteFile, partial: Path, patience: Patience) -> bool:
    """Append what is missing to a partial file; return whether it was added to an earlier part."""
    have = _length(partial)
    if have == file.size:
        return True
    # Compressed on the way, a file would have other lengths than those announced.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _answer(file.url, patience.timeout, (200, 206, 416), headers=headers) as response:
        if response.status_code == 416:  # nothing lies beyond what is here; the checksum tells what it is
            return True
        if response.status_code == 200:  # the server does not do ranges
            have = 0
        elif not re.match(rf"bytes {have}-", response.headers.get("Content-Range", "")):
            partial.unlink(missing_ok=True)
            raise _Trouble("sent another part than was asked for")
        announced = response.headers.get("Content-Length", "")
        size = have + int(announced) if announced.isdecimal() else file.size
        if file.size not in (None, size):
            raise _Trouble(f"sends {size} bytes instead of {file.size}")
        if size is not None:
            require_space(partial.parent, size - have, f"the rest of {file.name}")
        with (
            open(partial, "ab" if have else "wb") as out,
            tqdm(desc=file.name, initial=have, total=size, unit="B", unit_scale=True, leave=False) as bar,
        ):
            while part := response.raw.read1(CHUNK, decode_content=True):
                out.write(part)
                bar.update(len(part))
                if size is not None and out.tell() > size:
                    out.truncate(0)
                    raise _Trouble(f"sends more than the {size} bytes of the file")
        if size is not None and _length(partial) < size:
            raise _Trouble(f"no whole answer, {_length(partial)} of {size} bytes")
    return have > 0


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _asked_wait(response: requests.Response) -> float | None:
    """Return the seconds of ``Retry-After``, which is a number or a date (RFC 9110, section 10.2.3), or None."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _without(secrets: Iterable[str], text: str) -> str:
    """Return a text in one line, stars in place of each secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())


def _root(error: BaseException) -> str:
    """Return what the first error of a chain says."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return getattr(error, "strerror", None) or str(error)


def _detail(body: bytes) -> str:
    """Return what Freesound and others write about an error, in brackets, or nothing."""
    try:
        return f" ({json.loads(body)['detail'][:200]})"
    except (ValueError, KeyError, TypeError):
        return ""
