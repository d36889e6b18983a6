"""The miniature world on disk: locations, siblings, clips and masks in ADVANCE's own file layout.

Everything is drawn from (seed, location), so the same world gives the same bytes, in whatever order and
by however many processes it is rendered. Painting and synthesis are loaded by whoever renders: a world that is there
is found without SciPy.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from joblib import Parallel, delayed
from PIL import Image
from tqdm import tqdm

from advance_lib.cache import code_digest, cores, digest, entry, written_whole
from advance_lib.data.published import ADVANCE_COUNTS

RATE = 22_050  # Hz, as in ADVANCE
CLIP_SECONDS = 10
FEWEST_LOCATIONS = 10
# Centre, then the four directions of section 3, as shares of the photograph's side (x right, y down).
OFFSETS = ((0, 0), (0, -0.18), (0.18, 0), (0, 0.18), (-0.18, 0))


@dataclass(frozen=True)
class World:
    """What determines every byte of a rendered dataset.

    Attributes:
        pairs: about how many pairs (imbalance as in ADVANCE, at least ten locations a scene).
        side: side of the photographs in pixels.
        seed: of everything.
        exam: the world's exam set instead of its dataset: as many pairs, at other locations.
        difficulty: of the photographs, see `photographs.render_place`.
        g: factor on the published odds of the events, see `sounds.draw_events`.
    """

    pairs: int = 1014
    side: int = 256
    seed: int = 2020
    exam: bool = False
    difficulty: float = 0.88
    g: float = 20.0


@dataclass(frozen=True)
class Location:
    """One place of the world and the pairs that were made there."""

    scene: str
    name: str
    seed: tuple[int, ...]
    pairs: int

    @property
    def ids(self) -> list[str]:
        """Ids of its pairs: the location itself, then its siblings."""
        return [self.name] + [f"{self.name}_{sibling}" for sibling in range(1, self.pairs)]


def locations_of(world: World) -> list[Location]:
    """Lay out a world: how many pairs at how many locations of each scene.

    The number of pairs follows ADVANCE's published counts. Scenes that have siblings there have about
    two pairs a location here, so that a small world still has enough places to learn from.
    """
    from advance_lib.miniature.photographs import SCENES

    total = sum(pairs for pairs, _ in ADVANCE_COUNTS.values())
    names = np.random.default_rng(world.seed).permutation(100_000)[world.exam :: 2]
    locations = []
    for scene in SCENES:
        published_pairs, published_locations = ADVANCE_COUNTS[scene]
        pairs = max(FEWEST_LOCATIONS, round(world.pairs * published_pairs / total))
        has_siblings = published_locations < published_pairs
        count = max(FEWEST_LOCATIONS, -(-pairs // 2)) if has_siblings else pairs
        for index in range(count):
            number = len(locations)
            share = pairs // count + (index < pairs % count)
            seed = (world.seed, int(world.exam), number)
            locations.append(Location(scene, f"{names[number]:05d}", seed, share))
    return locations


def _write_image(image: np.ndarray, path: Path) -> None:
    with written_whole(path) as partial:
        picture = Image.fromarray(image)
        if path.suffix == ".png":
            picture.save(partial, optimize=True)
        else:
            picture.save(partial, quality=92)


def _write_sound(samples: np.ndarray, path: Path) -> None:
    # As libsndfile does it, which takes three times as long: 32 bits, of which the upper half is kept.
    samples = (np.rint(samples * np.float32(2**31)).astype(np.int32) >> 16).astype(np.int16)
    with written_whole(path) as partial:
        soundfile.write(partial, samples, RATE, subtype="PCM_16")


def _render_location(world: World, location: Location, folder: Path) -> list[dict]:
    """Render one location's files, unless they are there, and return its rows of ``pairs.csv``."""
    from advance_lib.miniature.photographs import render_place
    from advance_lib.miniature.sounds import draw_events, mix

    streams = [np.random.default_rng((*location.seed, stream)) for stream in range(3)]
    events = draw_events(location.scene, streams[1], world.g)
    seconds = float(streams[1].uniform(10.2, 13) + 2 * (location.pairs - 1))
    starts = streams[2].uniform(0, seconds - CLIP_SECONDS, location.pairs)
    rows = [
        {
            "id": pair_id,
            "scene": location.scene,
            "location": location.name,
            "start_s": round(float(start), 3),
            "events": ";".join(events),
        }
        for pair_id, start in zip(location.ids, starts, strict=True)
    ]
    paths = [
        [folder / sense / location.scene / f"{row['id']}{suffix}" for row in rows]
        for sense, suffix in (("vision", ".jpg"), ("mask", ".png"), ("sound", ".wav"))
    ]
    if all(path.exists() for kind in paths for path in kind):
        return rows
    place = render_place(location.scene, streams[0], world.side, world.difficulty)
    recording = mix(events, streams[1], seconds, RATE)
    middle = (len(place.canvas) - world.side) / 2
    for index, row in enumerate(rows):
        dx, dy = OFFSETS[index % len(OFFSETS)]
        x, y = round(middle + dx * world.side), round(middle + dy * world.side)
        crop = slice(y, y + world.side), slice(x, x + world.side)
        first = int(row["start_s"] * RATE)
        _write_image(place.canvas[crop], paths[0][index])
        _write_image(place.mask[crop], paths[1][index])
        _write_sound(recording[first : first + CLIP_SECONDS * RATE], paths[2][index])
    return rows


def _in_parallel(task: Callable[..., list[dict]], arguments: Iterable[tuple], what: str) -> pd.DataFrame:
    arguments = list(arguments)
    jobs = Parallel(n_jobs=cores(), return_as="generator", batch_size=4)(delayed(task)(*one) for one in arguments)
    return pd.DataFrame([row for rows in tqdm(jobs, what, len(arguments), leave=False) for row in rows])


def _forget_halves(folder: Path) -> None:
    """Delete what an interrupted rendering was writing when it was stopped."""
    for path in folder.rglob(".*"):
        path.unlink()


def render_world(world: World) -> Path:
    """Render a dataset, unless it is there already.

    Returns:
        The folder with ``vision``, ``sound``, ``mask`` (the scene-defining object of each photograph) and
        ``pairs.csv`` (id, scene, location, start of the clip in its recording in seconds, events).
    """

    def make(folder: Path) -> None:
        _forget_halves(folder)
        arguments = ((world, location, folder) for location in locations_of(world))
        table = _in_parallel(_render_location, arguments, "rendering the exam" if world.exam else "rendering the world")
        with written_whole(folder / "pairs.csv") as partial:
            table.to_csv(partial, index=False)

    return entry("worlds", digest(asdict(world), code_digest("advance_lib.miniature.world")), make)


def _render_event_clip(index: int, seed: int, folder: Path) -> list[dict]:
    from advance_lib.miniature.sounds import EVENTS, mix

    generator = np.random.default_rng((seed, 2, index))
    count = 1 + generator.choice(3, p=(0.4, 0.35, 0.25))
    # The first event goes round, so that every event occurs; company is drawn at random.
    others = generator.choice(len(EVENTS), len(EVENTS), replace=False)
    chosen = [index % len(EVENTS), *(other for other in others if other != index % len(EVENTS))][:count]
    path = folder / "sound" / f"{index:05d}.wav"
    if not path.exists():
        _write_sound(mix([EVENTS[i] for i in chosen], generator, CLIP_SECONDS, RATE), path)
    return [{"sound": path.name, "events": ";".join(EVENTS[i] for i in sorted(chosen))}]


def render_event_set(clips: int, seed: int = 7) -> pd.DataFrame:
    """Render the miniature's AudioSet: clips of one to three events each.

    Args:
        clips: how many.
        seed: another world than any dataset's.

    Returns:
        One row a clip: ``sound`` (path), ``sound_sha256`` (here the clip's key), ``events`` (joined by ``;``).
    """

    def make(folder: Path) -> None:
        _forget_halves(folder)
        table = _in_parallel(_render_event_clip, ((i, seed, folder) for i in range(clips)), "rendering event clips")
        with written_whole(folder / "clips.csv") as partial:
            table.to_csv(partial, index=False)

    key = digest(clips, seed, code_digest("advance_lib.miniature.world"))
    folder = entry("event-sets", key, make)
    table = pd.read_csv(folder / "clips.csv", dtype=str)
    return table.assign(
        sound_sha256=[f"{key}/{name}" for name in table["sound"]],
        sound=[str(folder / "sound" / name) for name in table["sound"]],
    )


AERIAL_DIFFICULTY = 0.3  # a curated set like AID shows its categories clearly


def _render_aerial_picture(index: int, seed: int, side: int, folder: Path) -> list[dict]:
    from advance_lib.miniature.photographs import EXTRA_CATEGORIES, SCENES, render_place

    categories = sorted((*SCENES, *EXTRA_CATEGORIES))
    category = categories[index % len(categories)]
    path = folder / "vision" / f"{index:05d}.jpg"
    if not path.exists():
        generator = np.random.default_rng((seed, 3, index))
        place = render_place(category, generator, side, AERIAL_DIFFICULTY)
        margin = (len(place.canvas) - side) // 2
        _write_image(place.canvas[margin : margin + side, margin : margin + side], path)
    return [{"image": path.name, "category": category}]


def render_aerial_set(pictures: int, side: int, seed: int = 7) -> pd.DataFrame:
    """Render the miniature's AID: clear pictures of more categories than the 13 scenes.

    Args:
        pictures: how many.
        side: pixels.
        seed: another world than any dataset's.

    Returns:
        One row a picture: ``image`` (path), ``image_sha256`` (here the picture's key), ``category``.
    """

    def make(folder: Path) -> None:
        _forget_halves(folder)
        arguments = ((i, seed, side, folder) for i in range(pictures))
        table = _in_parallel(_render_aerial_picture, arguments, "rendering aerial pictures")
        with written_whole(folder / "pictures.csv") as partial:
            table.to_csv(partial, index=False)

    key = digest(pictures, side, seed, code_digest("advance_lib.miniature.world"))
    folder = entry("aerial-sets", key, make)
    table = pd.read_csv(folder / "pictures.csv", dtype=str)
    return table.assign(
        image_sha256=[f"{key}/{name}" for name in table["image"]],
        image=[str(folder / "vision" / name) for name in table["image"]],
    )
