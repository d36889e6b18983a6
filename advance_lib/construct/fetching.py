"""Asking a server: a bounded number of tries, waits that the server sets, files written whole, no secret shown.

Chapter: Building a dataset.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from time import monotonic, sleep

import requests
import urllib3

from advance_lib import __version__
from advance_lib.cache import UserError, written_whole
from advance_lib.data.patience import USUAL, Patience, asked_wait

SLOWEST = 10_000  # bytes a second; a body that comes slower than this, once the timeout is over, is given up
FOR_NOW = (408, 429, 500, 502, 503, 504)  # answers that may be better next time
LATER = "try again later; what was fetched is kept"
REMEDIES = {
    401: "the token or key is missing, wrong or expired; get another one",
    403: "the server does not allow this; read its terms, and check the token or key",
    404: "there is nothing at this address",
}
log = logging.getLogger(__name__)
_answered: set[str] = set()


class FetchError(UserError):
    """Something that could not be fetched.

    Attributes:
        status: of the server's last whole answer, such as 404; 200 where its content was refused; None without one.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class _Trouble(Exception):
    """What went wrong with one request: the server's status, whether to ask again, the wait that it asks for."""

    def __init__(self, what: str, status: int | None = None, again: bool = True, wait: float | None = None):
        super().__init__(what)
        self.status, self.again, self.wait = status, again, wait


class _Unreachable(_Trouble):
    """No connection could be made."""


def fetch(
    url: str,
    *,
    parameters: Mapping[str, object] | None = None,
    data: Mapping[str, str] | None = None,
    secret: tuple[str, str] | None = None,
    hidden: Iterable[str] = (),
    patience: Patience = USUAL,
    check: Callable[[bytes], object] | None = None,
) -> bytes:
    """Return what a server answers.

    Asked again, after a pause: no answer, a slow, cut or refused body, status 408, 429 and 5xx. A server that never
    answered is not asked twice: most likely there is no network.

    Args:
        url: address; messages leave its query out.
        parameters: of the query.
        data: fields of a form; with them the request is a POST.
        secret: (name, value) of a header whose value is never shown.
        hidden: parts of the address that are never shown, such as keys.
        patience: how long to go on.
        check: raises ValueError for a body that is not what was asked for; anything else that it raises is final.

    Raises:
        FetchError: the address, what happened, and what to do.
    """
    host = _host(url)
    secrets = {*hidden, *(secret[1].split()[-1:] if secret else ())} - {""}
    for attempt in range(1, patience.attempts + 1):
        try:
            return _answer(url, parameters, data, secret, patience.timeout, check)
        except _Trouble as error:
            trouble = error
        wait = trouble.wait
        if wait is None:  # a server that counts requests and sets no wait mostly counts them by the minute
            doubled = patience.first_wait * 2 ** (attempt - 1)
            wait = patience.longest_wait if trouble.status == 429 else min(doubled, patience.longest_wait)
        lost = isinstance(trouble, _Unreachable) and host not in _answered
        if lost or not trouble.again or attempt == patience.attempts or wait > patience.longest_wait:
            break
        log.warning(_without(secrets, f"{host}: {trouble}; asking again in {wait:.3g} s"))
        sleep(wait)
    if isinstance(trouble, _Unreachable):
        raise FetchError(_without(secrets, f"{host}: {trouble}; this step needs the network"))
    often = f", {attempt} times" if attempt > 1 else ""
    pause = f", and asks to wait {trouble.wait:.0f} s" if trouble.wait else ""
    remedy = REMEDIES.get(trouble.status, LATER if trouble.again else "check the address")
    address = re.sub("//[^/]*@", "//", url.partition("?")[0])
    message = f"{address}: {trouble}{often}{pause}; {remedy}"
    raise FetchError(_without(secrets, message), trouble.status)


def fetch_json(url: str, *, check: Callable[[object], object] | None = None, **options) -> object:
    """Return the JSON that a server answers.

    Args:
        url: as for `fetch`.
        check: raises ValueError for a content that is not what was asked for.
        options: as for `fetch`.

    Raises:
        FetchError: as `fetch`.
    """

    def parsed(body: bytes) -> object:
        try:
            content = json.loads(body)
        except ValueError:
            start = body[:40].decode("utf-8", "replace").strip()
            raise ValueError(f"no JSON, it begins '{start}'" if start else "it is empty") from None
        if check:
            check(content)
        return content

    return json.loads(fetch(url, check=parsed, **options))


def fetch_file(url: str, path: Path, **options) -> Path:
    """Return a file, fetched whole if it is not there.

    Args:
        url: as for `fetch`.
        path: of the file.
        options: as for `fetch`.

    Raises:
        FetchError: as `fetch`.
        UserError: the file cannot be written.
    """
    if not path.exists():
        body = fetch(url, **options)
        try:
            with written_whole(path) as partial:
                partial.write_bytes(body)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); make room, or mend permissions") from None
    return path


def _without(secrets: set[str], text: str) -> str:
    """Return a text in one line, stars in place of each secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())


@cache
def _session() -> requests.Session:
    """Return the session that keeps connections open."""
    logging.getLogger("urllib3").setLevel(logging.INFO)  # finer lines show addresses with their keys
    session = requests.Session()
    session.headers["User-Agent"] = f"advance-companion/{__version__}"  # the rules of most map servers ask for a name
    return session


def _answer(url, parameters, data, secret, timeout: float, check) -> bytes:
    """Return the body of one answer, arguments as those of `fetch`; raise _Trouble for what is no whole, fit answer."""
    request = {"params": parameters, "data": data, "headers": dict([secret]) if secret else None, "timeout": timeout}
    try:
        with _session().request("POST" if data else "GET", url, stream=True, **request) as response:
            _answered.add(_host(url))
            body = _body(response, timeout)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        if isinstance(error.__context__, urllib3.exceptions.MaxRetryError):
            raise _Unreachable(f"cannot be reached ({_root(error)})") from None
        raise _Trouble(f"no whole answer ({_root(error)})") from None
    except (requests.RequestException, UnicodeError) as error:  # its text may quote the secret
        raise _Trouble(f"cannot be asked for ({type(error).__name__})", again=False) from None
    status = response.status_code
    if status != 200:
        raise _Trouble(f"answered {status}{_detail(body)}", status, status in FOR_NOW, asked_wait(response))
    if check:
        try:
            check(body)
        except ValueError as error:
            raise _Trouble(f"not what was asked for: {error}", status) from None
    return body


def _host(url: str) -> str:
    """Return the host of an address, and its port, without a user's name and password."""
    return url.partition("//")[2].partition("/")[0].rpartition("@")[2]


def _body(response: requests.Response, timeout: float) -> bytes:
    """Return the whole body, unless it comes more slowly than `SLOWEST`."""
    start, body = monotonic(), bytearray()
    while part := response.raw.read1(65536, decode_content=True):
        body += part
        if monotonic() - start > timeout + len(body) / SLOWEST:
            raise _Trouble(f"too slow, {len(body)} bytes in {monotonic() - start:.3g} s")
    return bytes(body)


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
