"""The steps from an area to a dataset; each reads the tables of those before it and writes its own (section 3).

What a step has fetched or made for one place is kept and not made again. A place that cannot be used is written to
``left_out.csv`` with the reason, and so is what a server lists that cannot be used; a server that cannot be asked
stops the step, and so does a step that would leave nothing.

Chapter: Building a dataset.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from tqdm import tqdm

from advance_lib.cache import UserError, write_json
from advance_lib.construct.area import NORTHERN_EDGE, around
from advance_lib.construct.balance import Pair, balanced, locations
from advance_lib.construct.export import export
from advance_lib.construct.photographs import MissingImagery, imagery_named, terms_of
from advance_lib.construct.recordings import MissingPreview, Recording, search, token_from_environment
from advance_lib.construct.review import LEAVE_OUT, Row, merged, read_review, write_review
from advance_lib.construct.scene_rules import suggest
from advance_lib.construct.site import Site
from advance_lib.construct.tables import Label, LeftOut, Place, read_table, write_table
from advance_lib.data.media import SHORTEST_SECONDS, MediaError


class Unusable(UserError):
    """A recording that no pair can be made of."""


def _check(recording: Recording) -> None:
    """Refuse a recording of which no pair can be made, before anything is fetched for it."""
    if recording.seconds < SHORTEST_SECONDS:
        raise Unusable(f"lasts {recording.seconds:.2f} s; recordings under {SHORTEST_SECONDS} s are not used")
    if abs(recording.latitude) > NORTHERN_EDGE - 0.1:
        raise Unusable(f"made at latitude {recording.latitude:g}, where the maps end")


def _require(kept: Collection, left: dict[str, str], what: str, remedy: str) -> None:
    """Refuse to go on where nothing is kept; say why for the first that was left out."""
    if not kept:
        reasons = f" (left out: {len(left)}; the first: {next(iter(left.values()))})" if left else ""
        raise UserError(f"{what}{reasons}; {remedy}")


def find_recordings(site: Site) -> dict[str, str]:
    """Search Freesound and fetch previews: ``found.csv``, ``odd.csv``, ``recordings.csv``, ``previews/``.

    Args:
        site: where.

    Returns:
        What is left out: reasons by id. The same goes for all steps.

    Raises:
        UserError: nothing was found, or a server cannot be asked. The same goes for all steps.
    """
    plan, listing, odd_ones = site.plan, site.folder / "found.csv", site.folder / "odd.csv"
    place = f"recordings in {plan.area}"
    if site.again or not listing.exists():
        found: dict[int, Recording] = {}
        odd: dict[str, str] = {}
        token = site.token or token_from_environment()
        for query in plan.queries:  # a recording may answer several
            for recording in search(plan.area, query, token, plan.freesound, site.patience, odd):
                found.setdefault(recording.id, recording)
        asked = "".join(f" '{query}'" for query in plan.queries if query)
        remedy = f"choose a larger area{' or other queries' if asked else ''}"
        _require(found, odd, f"{plan.freesound}: no {place}{' for' + asked if asked else ''}", remedy)
        rows = [LeftOut("recordings", name, reason) for name, reason in odd.items() if name not in map(str, found)]
        write_table(odd_ones, LeftOut, rows)
        write_table(listing, Recording, sorted(found.values(), key=lambda recording: recording.id))
    kept, left = [], {row.id: row.reason for row in read_table(odd_ones, LeftOut)} if odd_ones.exists() else {}
    for recording in tqdm(read_table(listing, Recording), "previews", leave=False):
        try:
            _check(recording)
            site.preview(recording)
            kept.append(recording)
        except (Unusable, MissingPreview) as error:
            left[str(recording.id)] = str(error)
    _require(kept, left, f"{plan.freesound}: none of the {place} can be used", "begin another dataset elsewhere")
    write_table(site.folder / "recordings.csv", Recording, kept)
    return left


def cut_clips(site: Site) -> dict[str, str]:
    """Cut a random clip out of each recording: ``clips.csv``, ``clips/``."""
    cut, left = [], {}
    for recording in tqdm(site.recordings().values(), "clips", leave=False):
        try:
            site.clip(recording, str(recording.id))
            cut.append(Place(recording.id, *recording.place))
        except (MediaError, MissingPreview) as error:
            left[str(recording.id)] = str(error).replace(f"{site.folder}/", "")
    _require(cut, left, f"{site.folder}: no clip can be cut", "begin another dataset elsewhere")
    write_table(site.folder / "clips.csv", Place, cut)
    return left


def take_photographs(site: Site) -> dict[str, str]:
    """Take a photograph of each place that has a clip: ``photographs.csv``, ``photographs/``, ``imagery.json``."""
    imagery = imagery_named(site.plan.imagery)
    site.say(terms_of(imagery))
    credit = {"name": imagery.name, "attribution": imagery.attribution, "terms": imagery.terms}
    write_json(site.folder / "imagery.json", credit)
    taken, left = [], {}
    for place in tqdm(read_table(site.folder / "clips.csv", Place), "photographs", leave=False):
        try:
            site.photograph(imagery, str(place.id), place.latitude, place.longitude)
            taken.append(place)
        except MissingImagery as error:
            left[str(place.id)] = str(error)
    remedy = f"check the address {imagery.url}; a dataset with another one, or with coarser photographs, begins anew"
    _require(taken, left, f"{imagery.name}: no photograph could be had", remedy)
    write_table(site.folder / "photographs.csv", Place, taken)
    return left


def suggest_labels(site: Site) -> dict[str, str]:
    """Ask the map about each photograph's ground and apply the rules: ``labels.csv``, ``features/``."""
    labels, left = [], {}
    for place in tqdm(read_table(site.folder / "photographs.csv", Place), "labels", leave=False):
        area = around(place.latitude, place.longitude, site.plan.metres)
        features, odd = site.features(place)
        left |= {f"{element} near {place.id}": reason for element, reason in odd.items()}
        found = suggest(features, area)
        labels.append(Label(place.id, found.scene or "", found.reason, found.review))
    write_table(site.folder / "labels.csv", Label, labels)
    return left


def prepare_review(site: Site) -> dict[str, str]:
    """Lay out the labels for people, and keep what they have said before: ``review.csv``."""
    path, recordings = site.folder / "review.csv", site.recordings()
    rows = [
        Row(str(label.id), label.suggestion, label.reason, label.review, name=recording.name, url=recording.url)
        for label in read_table(site.folder / "labels.csv", Label)
        for recording in [recordings[label.id]]
    ]
    write_review(path, merged(rows, read_review(path) if path.exists() else []))
    return {}


def _labelled(rows: list[Row], recordings: dict[int, Recording], same_place: float) -> list[Pair]:
    """Return one pair for each place with a label, in the order of their numbers."""
    scenes = {int(row.id): row.label for row in rows if row.label}
    places = [(number, *recordings[number].place) for number in sorted(scenes)]
    location = locations(places, same_place)
    return [
        Pair(str(number), scenes[number], str(location[number]), latitude, longitude, "", number, 0.0)
        for number, latitude, longitude in places
    ]


def balance_pairs(site: Site) -> dict[str, str]:
    """Choose pairs and make their siblings: ``pairs.csv``, more ``clips/`` and ``photographs/``."""
    plan, path, recordings = site.plan, site.folder / "review.csv", site.recordings()
    suggestions = {str(label.id): label.suggestion for label in read_table(site.folder / "labels.csv", Label)}
    rows = read_review(path, suggestions)
    left = {
        row.id: "left out in the review" if row.scene == LEAVE_OUT else f"no label yet ({row.review}: {row.reason})"
        for row in rows
        if not row.label
    }
    pairs = _labelled(rows, recordings, plan.same_place)
    chosen = balanced(pairs, plan.smallest_scene, plan.shift_below, plan.shift * plan.metres)
    counts = Counter(pair.scene for pair in pairs)
    if not chosen:
        listing = ", ".join(f"{scene} {count}" for scene, count in counts.most_common()) or "no labels yet"
        raise UserError(
            f"{path}: no scene has {plan.smallest_scene} pairs ({listing}); label more places there, or begin another "
            "dataset with a larger area or a smaller smallest_scene"
        )
    few = f"scenes with fewer than {plan.smallest_scene} are dropped"
    kept = {pair.id for pair in chosen}
    left |= {pair.id: f"{pair.scene} has {counts[pair.scene]} pairs; {few}" for pair in pairs if pair.id not in kept}
    imagery, made, failed = imagery_named(plan.imagery), [], {}
    for pair in tqdm(chosen, "pairs", leave=False):
        try:
            site.photograph(imagery, pair.id, pair.latitude, pair.longitude)
            made.append(replace(pair, start=site.clip(recordings[pair.recording], pair.id)))
        except (MissingImagery, MissingPreview, MediaError) as error:
            failed[pair.id] = str(error).replace(f"{site.folder}/", "")
    _require(made, failed, f"{site.folder}: no pair can be made", "let the steps clips and photographs run again")
    write_table(site.folder / "pairs.csv", Pair, made)
    return left | failed


def export_dataset(site: Site) -> dict[str, str]:
    """Write ADVANCE's layout with attribution and datasheet: ``vision/``, ``sound/`` and three files beside them."""
    export(site.out, site.beginning)
    return {}
