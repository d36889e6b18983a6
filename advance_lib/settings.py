"""The settings of a chapter: what its parameters cell says, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from advance_lib.cache import UserError
from advance_lib.datasets import Dataset, open_dataset
from advance_lib.profiles import Profile, get_profile
from advance_lib.runs import Request, Run, environment, finished


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
    if not listed:
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
    """

    profile: str
    dataset: str
    seeds: int | str | Sequence[int] | None
    device: str

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
        return open_dataset(self.dataset, self.sizes)

    def runs(self, *cells: str) -> list[Run]:
        """Return the finished runs of some cells for every seed, training those that are missing."""
        requests = [Request(cell, seed, self.dataset, self.profile) for cell in cells for seed in self.seed_list]
        return finished(requests, self.device)

    def _repr_html_(self) -> str:
        dataset = self.open()
        rows = {
            "profile": self.profile,
            "dataset": f"{dataset.title}: {len(dataset.catalogue):,} pairs at "
            f"{dataset.catalogue['location'].nunique():,} locations",
            "training seeds": ", ".join(map(str, self.seed_list)),
            "device": environment("cpu" if self.device == "auto" else self.device)["device"],
        }
        cells = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{v}</td></tr>" for k, v in rows.items())
        return f"<table class='settings'><caption>Settings of this run</caption>{cells}</table>"
