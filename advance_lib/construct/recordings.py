"""Geotagged recordings of an area from Freesound, with their authors and licences (section 3).

API: https://freesound.org/docs/api, version 2. Searches need a token, previews do not.

Chapter: Building a dataset.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import soundfile

from advance_lib.cache import UserError
from advance_lib.construct.area import Area
from advance_lib.data.fetching import USUAL, FetchError, Patience, ask_json, fetch_file

FREESOUND = "https://freesound.org/apiv2"
FIELDS = "id,name,username,license,url,geotag,duration,previews,tags"
PAGE_SIZE = 150  # the largest that the API allows
PREVIEW = "preview-hq-ogg"  # 44.1 kHz, about 192 kbit/s


class MissingPreview(UserError):
    """A recording that the server cannot give, or not in a form that decodes; the caller leaves it out."""


@dataclass(frozen=True)
class Recording:
    """A recording on Freesound.

    Attributes:
        id: its number.
        name: its title.
        author: who uploaded it.
        licence: address of its Creative Commons licence.
        url: its page.
        latitude: where it was made, in degrees.
        longitude: where it was made, in degrees.
        seconds: how long it lasts.
        preview: address of a compressed copy.
        tags: as its author chose them.
    """

    id: int
    name: str
    author: str
    licence: str
    url: str
    latitude: float
    longitude: float
    seconds: float
    preview: str
    tags: tuple[str, ...]

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude in degrees."""
        return self.latitude, self.longitude


def token_from_environment() -> str:
    """Return Freesound's token from ``$FREESOUND_TOKEN``.

    Raises:
        UserError: it is not set, or no token; says how to get one.
    """
    token = os.environ.get("FREESOUND_TOKEN", "").strip()
    remedy = "https://freesound.org/apiv2/apply gives one to anybody with an account"
    if not token:
        raise UserError(f"$FREESOUND_TOKEN is not set: searching Freesound needs a token; {remedy}")
    if not re.fullmatch("[!-~]+", token):  # and do not quote it
        raise UserError(f"$FREESOUND_TOKEN is no token: it has blanks or letters outside ASCII; {remedy}")
    return token


def search(
    area: Area, query: str, token: str, server: str = FREESOUND, patience: Patience = USUAL
) -> Iterator[Recording]:
    """Yield the recordings of an area that match a query, oldest first, page after page.

    Recordings without a geotag or a preview are left out.

    Args:
        area: where they were made.
        query: words, as one would type them into Freesound; ``""`` matches all.
        token: of a Freesound account.
        server: address of the API.
        patience: how long to go on asking.

    Raises:
        FetchError: no answer, an expired token, or an answer that is no list of recordings.
    """
    for box in area.boxes:
        for page in count(1):
            answer = ask_json(
                f"{server}/search/text/",
                parameters={
                    "query": query,
                    "filter": f'geotag:"Intersects({box.west:.6f} {box.south:.6f} {box.east:.6f} {box.north:.6f})"',
                    "fields": FIELDS,
                    "sort": "created_asc",  # what is uploaded meanwhile does not shift the pages
                    "page_size": PAGE_SIZE,
                    "page": page,
                },
                secret=("Authorization", f"Token {token}"),
                patience=patience,
                check=_recordings,
            )
            yield from (recording for recording in _recordings(answer) if area.contains(*recording.place))
            if not answer.get("next"):  # its address is not followed: the token stays with this server
                break


def _recordings(answer: object) -> list[Recording]:
    """Return the usable recordings of a page; raise ValueError for what is no page."""
    try:
        return [_recording(entry) for entry in answer["results"] if entry["geotag"] and PREVIEW in entry["previews"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no list of recordings ({type(error).__name__} {error})") from None


def _recording(entry: dict) -> Recording:
    latitude, longitude = map(float, entry["geotag"].split())
    return Recording(
        id=int(entry["id"]),
        name=entry["name"],
        author=entry["username"],
        licence=entry["license"],
        url=entry["url"],
        latitude=latitude,
        longitude=longitude,
        seconds=float(entry["duration"]),
        preview=entry["previews"][PREVIEW],
        tags=tuple(entry["tags"]),
    )


def fetch_preview(recording: Recording, folder: Path, patience: Patience = USUAL) -> Path:
    """Return the file ``<id>.<ext>`` of a recording's preview, fetched if it is not there.

    Raises:
        MissingPreview: the server has none, or none that decodes whole; nothing is left in the folder.
        FetchError: the server cannot be asked.
    """
    path = folder / f"{recording.id}{PurePosixPath(urlsplit(recording.preview).path).suffix}"
    try:
        return fetch_file(recording.preview, path, patience=patience, check=partial(_check_sound, recording.seconds))
    except FetchError as error:
        if error.status in (200, 404, 410):
            raise MissingPreview(f"recording {recording.id} is left out: {error}") from None
        raise


def _check_sound(seconds: float, body: bytes) -> None:
    """Raise ValueError for a file that does not decode, or lasts less than nine tenths of the given seconds."""
    try:
        with soundfile.SoundFile(BytesIO(body)) as sound:
            found = sum(len(block) for block in sound.blocks(1 << 16)) / sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"it does not decode ({error})") from None
    if found < 0.9 * seconds:
        raise ValueError(f"it lasts {found:.1f} s instead of {seconds:.1f} s")
