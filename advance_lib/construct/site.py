"""A dataset under construction: its working folder, and what belongs to one pair, made where it is missing.

Chapter: Building a dataset.
"""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image

from advance_lib.cache import build_folder, write_json, written_whole
from advance_lib.construct import photographs
from advance_lib.construct.area import around
from advance_lib.construct.clips import cut_clip, draw_window, write_clip
from advance_lib.construct.overpass import Feature, features_in
from advance_lib.construct.photographs import Imagery
from advance_lib.construct.plan import Beginning, Plan
from advance_lib.construct.recordings import Recording, fetch_preview
from advance_lib.construct.tables import Place, read_json, read_table
from advance_lib.data.fetching import USUAL, Patience

JPEG_QUALITY = 95


@dataclass(frozen=True)
class Site:
    """Where a dataset is being built, and what the steps need to know.

    Attributes:
        out: the dataset's folder.
        beginning: the plan and the day of its first start.
        token: Freesound's; None takes it from the environment.
        patience: with servers.
        say: shows a text to the user.
        again: search Freesound anew, though there is a list.
    """

    out: Path
    beginning: Beginning
    token: str | None = field(default=None, repr=False)
    patience: Patience = USUAL
    say: Callable[[str], object] = print
    again: bool = False

    @property
    def plan(self) -> Plan:
        """What is built."""
        return self.beginning.plan

    @property
    def folder(self) -> Path:
        """The working folder."""
        return self.out / "construction"

    def recordings(self) -> dict[int, Recording]:
        """Return the recordings that have a preview, by number."""
        return {recording.id: recording for recording in read_table(self.folder / "recordings.csv", Recording)}

    def preview(self, recording: Recording) -> Path:
        """Return the file of a recording, fetched if it is not there; raises as `recordings.fetch_preview`."""
        return fetch_preview(recording, self.folder / "previews", self.patience)

    def clip(self, recording: Recording, pair_id: str) -> float:
        """Cut the clip of a pair if it is not there; return the second at which it begins.

        Raises:
            MediaError: the recording cannot be used.
        """
        preview = self.preview(recording)
        window = draw_window(preview, self.plan.seed, pair_id)
        path = self.folder / "clips" / f"{pair_id}.wav"
        if not path.exists():
            write_clip(path, cut_clip(preview, window), window.rate)
        return window.seconds

    def photograph(self, imagery: Imagery, pair_id: str, latitude: float, longitude: float) -> None:
        """Take the photograph of a pair if it is not there; raises as `photographs.photograph`."""
        path, plan = self.folder / "photographs" / f"{pair_id}.jpg", self.plan
        if path.exists():
            return
        place = (latitude, longitude, plan.metres_per_pixel, plan.side)
        tiles = build_folder() / "tiles"
        pixels = photographs.photograph(imagery, *place, tiles=tiles, patience=self.patience)
        picture = io.BytesIO()
        Image.fromarray(pixels).save(picture, "JPEG", quality=JPEG_QUALITY)
        with written_whole(path) as partial:
            partial.write_bytes(picture.getvalue())

    def features(self, place: Place) -> tuple[list[Feature], dict[str, str]]:
        """Return what the map knows about the photograph of a place, asked for if it is not there.

        Returns:
            Its features; and of what was odd there, the reasons by kind and number.

        Raises:
            FetchError: the map cannot be asked.
        """
        path = self.folder / "features" / f"{place.id}.json"
        if not path.exists():
            area = around(place.latitude, place.longitude, self.plan.metres)
            left: dict[str, str] = {}
            features = features_in(area, self.plan.overpass, self.patience, left)
            write_json(path, {"features": [asdict(feature) for feature in features], "left_out": left})
        content = read_json(path)
        if isinstance(content, list):  # of earlier versions, which refused what is odd
            content = {"features": content, "left_out": {}}
        features = [
            Feature(**entry | {"outlines": tuple(tuple(map(tuple, line)) for line in entry["outlines"])})
            for entry in content["features"]
        ]
        return features, content["left_out"]
