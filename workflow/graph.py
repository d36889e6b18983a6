"""What the graph in ``Snakefile`` needs to know before anything runs; imports nothing heavy."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advance_lib.cache import UserError, build_folder, digest
from advance_lib.experiments.profiles import get_profile

CHECKOUT = Path(__file__).parents[1]
KNOWN = {"profile": "mini", "dataset": "miniature", "seeds": "", "device": "auto", "shares": "1"}


@dataclass(frozen=True)
class Asked:
    """What the caller of the graph asked for.

    Attributes:
        profile, dataset, seeds, device: as for `advance train`; seeds are never empty.
        shares: in how many jobs to train.
    """

    profile: str
    dataset: str
    seeds: str
    device: str
    shares: int

    @property
    def slug(self) -> str:
        """The name of the book's folder: profile and dataset."""
        if self.dataset in ("miniature", "advance"):
            return f"{self.profile}-{self.dataset}"
        folder = Path(self.dataset).expanduser().resolve()
        name = "".join(letter if letter.isalnum() else "-" for letter in folder.name)
        return f"{self.profile}-{name}-{digest(str(folder))[:6]}"

    @property
    def folder(self) -> Path:
        """The book's folder."""
        return build_folder() / "books" / self.slug

    @property
    def words(self) -> str:
        """The same for ``pages.py``, ready for a shell: ``profile=mini dataset=miniature …``."""
        names = ("profile", "dataset", "seeds", "device")
        return shlex.join(f"{name}={getattr(self, name)}" for name in names)


def requested(config: Mapping[str, object]) -> Asked:
    """Read the graph's configuration.

    Raises:
        UserError: an option that the graph does not know, or shares that are no number from 1 on.
    """
    unknown = sorted(set(config) - set(KNOWN))
    if unknown:
        raise UserError(f"no option '{unknown[0]}'; the graph knows {', '.join(KNOWN)}")
    options = KNOWN | {name: str(value) for name, value in config.items() if value not in ("", None)}
    if not re.fullmatch("[1-9][0-9]*", options["shares"]):
        raise UserError(f"shares={options['shares']}: say in how many jobs to train, such as shares=8")
    seeds = options["seeds"] or str(len(get_profile(options["profile"]).seeds))
    return Asked(options["profile"], options["dataset"], seeds, options["device"], int(options["shares"]))


def chapters() -> list[str]:
    """Return the names of the notebooks in the table of contents, in order, without the status page."""
    import yaml

    contents = yaml.safe_load((CHECKOUT / "_toc.yml").read_text(encoding="utf-8"))
    files = [contents["root"]]
    for part in contents.get("parts", [contents]):
        files += [chapter["file"] for chapter in part.get("chapters", [])]
    names = [Path(file).name for file in files if (CHECKOUT / f"{file}.ipynb").exists()]
    return [name for name in names if name != "status"]


def texts() -> list[Path]:
    """Return the files besides notebooks that the pages are made of; docstrings make the reference of the library."""
    inside = sorted(path for path in (CHECKOUT / "book").rglob("*") if path.is_file() and path.suffix != ".ipynb")
    left_out = re.compile(r"/(\.|__pycache__)")
    shown = [path for path in inside if not left_out.search(path.relative_to(CHECKOUT).as_posix())]
    modules = [path for package in CHECKOUT.glob("advance_*") for path in sorted(package.rglob("*.py"))]
    return [CHECKOUT / "_config.yml", CHECKOUT / "_toc.yml", *shown, *modules]


def references() -> list[Path]:
    """Return the stored reference runs and measurements."""
    return sorted((CHECKOUT / "results").glob("*.json"))
