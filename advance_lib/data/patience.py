"""How long to go on asking a server, and how long it asks to wait.

Chapter: Building a dataset.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests


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


def asked_wait(response: requests.Response) -> float | None:
    """Return the seconds of ``Retry-After``, which is a number or a date (RFC 9110, section 10.2.3), or None."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
