"""The settings of a chapter: what its parameters cell says, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from advance_lib.cache import UserError
from advance_lib.data.dataset import Dataset, open_dataset
from advance_lib.data.splits import THE_SPLIT, Split
from advance_lib.experiments.cells import CELLS
from advance_lib.experiments.profiles import Profile, get_profile
from advance_lib.experiments.runs import Request, Run, finished
from advance_lib.experiments.sources import RENDERED, Sources
from advance_lib.models.weights import WEIGHTS
from advance_lib.training.devices import environment
from advance_lib.transfer.presets import PAPER, Preset

L_S_CELLS = ("sound/Ls", "image/Ls", "image+sound/Ls")
SPLITS_BY_LOCATION = (0, 1, 2)  # the first is the tables' own, unless the dataset brings one


def parse_seeds(seeds: int | str | Sequence[int] | None, profile: Profile) -> tuple[int, ...]:
    """Return training seeds: a number n means 0 … n-1, a sequence means itself, None the profile's own.

    Raises:
        UserError: not a positive number and not a list of integers.
    """
    if seeds is None or seeds == "":
        return profile.seeds
    try:
        listed = (
            tuple(range(int(seeds)))
            if isinstance(seeds, int | str) and "," not in str(seeds)
            else tuple(int(seed) for seed in (seeds.split(",") if isinstance(seeds, str) else seeds))
        )
    except ValueError:
        listed = ()
    if not listed or len(set(listed)) < len(listed):
        raise UserError(f"seeds '{seeds}': give how many, such as 3, or a list, such as 0,1,2")
    return listed


@dataclass(frozen=True)
class Settings:
    """What a chapter was run with; the four parameters of every chapter.

    Attributes:
        profile: ``"smoke"``, ``"mini"`` or ``"paper"``.
        dataset: ``"miniature"``, ``"advance"`` or a folder in ADVANCE's layout.
        seeds: how many training seeds, a list of them, or None for the profile's own.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        skip_broken: leave unusable pairs of the dataset out.
        preset: the choices in which paper and code differ.
        split: of the dataset, where a request names no other.
        sources: of the pre-trained networks.
    """

    profile: str
    dataset: str
    seeds: int | str | Sequence[int] | None
    device: str
    skip_broken: bool = False
    preset: Preset = PAPER
    split: Split = THE_SPLIT
    sources: Sources = RENDERED

    @property
    def sizes(self) -> Profile:
        """The profile itself."""
        return get_profile(self.profile)

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The training seeds."""
        return parse_seeds(self.seeds, self.sizes)

    def open(self) -> Dataset:
        """Return the dataset, rendering it first if that is asked for."""
        return open_dataset(self.dataset, self.sizes, self.split, self.skip_broken)

    def with_real_ears(self) -> "Settings | None":
        """Return these settings with mn04 as N_a(0).

        None for the miniature, where other networks were asked for, or where mn04 was not downloaded.
        """
        if self.dataset == "miniature" or self.sources != RENDERED or not WEIGHTS["mn04"].path.is_file():
            return None
        return replace(self, sources=Sources(audio="mn04"))

    def request(self, cell: str, seed: int, split: Split | None = None, **changes: object) -> Request:
        """Return the request for one run of a cell with these settings; ``changes`` are other fields of a request."""
        fields = {"preset": self.preset, "sources": self.sources} | changes
        return Request(cell, seed, self.dataset, self.profile, split or self.split, self.skip_broken, **fields)

    def requests(self, *cells: str, split: Split | None = None) -> list[Request]:
        """Return the requests for some cells and every seed."""
        return [self.request(cell, seed, split) for cell in cells for seed in self.seed_list]

    def requests_of_book(self) -> list[Request]:
        """Return every run that the chapters show, so that a graph can train them beforehand."""
        by_split = [run for by in ("location", "pair") for run in self.requests("image+sound/Ls", split=Split(by))]
        own = [*self.requests(*CELLS), *by_split, *self.requests_of_splits()]
        if real := self.with_real_ears():
            averaged = replace(real, preset=replace(real.preset, sq_reduction="mean"))
            own += [*real.requests(*CELLS), *averaged.requests("image+sound/SQ|Na", "image+sound/SQ|Nv+a")]
        return own

    def requests_of_splits(self) -> list[Request]:
        """Return the runs of the L_s cells on several splits by location, one training seed each."""
        splits = [Split("location", seed) for seed in SPLITS_BY_LOCATION]
        return [self.request(cell, self.seed_list[0], split) for split in splits for cell in L_S_CELLS]

    def runs(self, *cells: str) -> list[Run]:
        """Return the finished runs of some cells for every seed, training those that are missing."""
        return finished(self.requests(*cells), self.device)

    def _repr_html_(self) -> str:
        dataset = self.open()
        rows = {
            "profile": self.profile,
            "dataset": f"{dataset.title}: {len(dataset.catalogue):,} pairs at "
            f"{dataset.catalogue['location'].nunique():,} locations",
            "training seeds": ", ".join(map(str, self.seed_list)),
            "device": environment(self.device)["device"],
        }
        cells = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{v}</td></tr>" for k, v in rows.items())
        return f"<table class='settings'><caption>Settings of this run</caption>{cells}</table>"
