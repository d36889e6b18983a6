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
from pathlib import Path

import soundfile

from advance_lib.cache import UserError
from advance_lib.construct.area import Area
from advance_lib.construct.entries import OddEntry, field, on_earth, shown, typed
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
    area: Area,
    query: str,
    token: str,
    server: str = FREESOUND,
    patience: Patience = USUAL,
    left: dict[str, str] | None = None,
) -> Iterator[Recording]:
    """Yield the recordings of an area that match a query, oldest first, page after page.

    What the server lists without all that makes a recording, such as a geotag or a preview, is left out.

    Args:
        area: where they were made.
        query: words, as one would type them into Freesound; ``""`` matches all.
        token: of a Freesound account.
        server: address of the API.
        patience: how long to go on asking.
        left: takes the reasons for what is left out, by number, or by place in the list where it has no number.

    Raises:
        FetchError: no answer, an expired token, or an answer that is no list of recordings.
    """
    left = {} if left is None else left
    seen = count(1)
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
                check=_results,
            )
            for entry in _results(answer):
                name = f"result {next(seen)}{f' for {query}' if query else ''}"
                try:
                    yield _recording(entry, area)
                except OddEntry as error:
                    left[_name(entry) or name] = str(error)
            if not (answer.get("next") and _results(answer)):  # not followed: the token stays with this server
                break


def _results(answer: object) -> list:
    """Return the entries of a page; raise ValueError for what is no page."""
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise ValueError("no list of recordings")
    return answer["results"]


def _name(entry: object) -> str:
    """Return the number of a recording, or nothing where it has none."""
    try:
        return str(field(entry, "id", int))
    except OddEntry:
        return ""


def _recording(entry: object, area: Area) -> Recording:
    """Return a recording of an area; raise OddEntry for what is none."""
    number, geotag = field(entry, "id", int), field(entry, "geotag", str)
    if number < 0:
        raise OddEntry(f"id is {number}")
    try:
        latitude, longitude = on_earth(*map(float, geotag.split()))
    except (TypeError, ValueError):
        raise OddEntry(f"geotag is {shown(geotag)}, not a latitude and a longitude in degrees") from None
    if not area.contains(latitude, longitude):
        raise OddEntry(f"made at {latitude:g}, {longitude:g}, outside the area")
    preview = field(field(entry, "previews", dict), PREVIEW, str)
    if not re.match("https?://", preview):
        raise OddEntry(f"{PREVIEW} is {shown(preview)}, not an address")
    tags = tuple(typed(tag, str, "a tag") for tag in field(entry, "tags", list))
    typed(" ".join(tags), str, "tags")
    return Recording(
        id=number,
        name=field(entry, "name", str),
        author=field(entry, "username", str),
        licence=field(entry, "license", str),
        url=field(entry, "url", str),
        latitude=latitude,
        longitude=longitude,
        seconds=float(field(entry, "duration", float)),
        preview=preview,
        tags=tags,
    )


def fetch_preview(recording: Recording, folder: Path, patience: Patience = USUAL) -> Path:
    """Return the file ``<id>.ogg`` of a recording's preview, fetched if it is not there.

    Raises:
        MissingPreview: its address gives none, or none that decodes whole; nothing is left in the folder.
        FetchError: the server cannot be asked.
    """
    path = folder / f"{recording.id}.ogg"
    try:
        return fetch_file(recording.preview, path, patience=patience, check=partial(_check_sound, recording.seconds))
    except FetchError as error:
        if error.alone:
            raise MissingPreview(f"recording {recording.id} is left out: {error}") from None
        raise


def _check_sound(seconds: float, body: bytes) -> None:
    """Raise ValueError for a file that does not decode, or lasts less than nine tenths of the given seconds."""
    try:
        with soundfile.SoundFile(BytesIO(body)) as sound:
            found = sum(len(block) for block in sound.blocks(1 << 16)) / sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"it does not decode ({getattr(error, 'error_string', error)})") from None
    if found < 0.9 * seconds:
        raise ValueError(f"it lasts {found:.1f} s instead of {seconds:.1f} s")
