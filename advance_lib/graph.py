"""What the graph in ``Snakefile`` needs to know before anything runs; imports nothing heavy."""

import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advance_lib.cache import PACKAGE, UserError, build_folder, digest

CHECKOUT = PACKAGE.parent


class _Quotable(str):
    """A string whose format code ``q`` quotes it for a shell."""

    def __format__(self, code: str) -> str:
        return shlex.quote(self) if code == "q" else super().__format__(code)


@dataclass(frozen=True)
class Asked:
    """What the caller of the graph asked for."""

    profile: str
    dataset: str
    seeds: str
    device: str
    shares: int
    slug: str
    texts: tuple[Path, ...]
    references: tuple[Path, ...]


def requested(config: Mapping[str, object]) -> Asked:
    """Read the graph's configuration.

    Raises:
        UserError: an option that the graph does not know, or shares that are no number from 1 on.
    """
    from advance_lib.experiments.profiles import get_profile

    known = {"profile": "mini", "dataset": "miniature", "seeds": "", "device": "auto", "shares": "1"}
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise UserError(f"no option '{unknown[0]}'; the graph knows {', '.join(known)}")
    options = known | {name: str(value) for name, value in config.items() if value not in ("", None)}
    if not re.fullmatch("[1-9][0-9]*", options["shares"]):
        raise UserError(f"shares={options['shares']}: say in how many jobs to train, such as shares=8")
    seeds = options["seeds"] or str(len(get_profile(options["profile"]).seeds))
    return Asked(
        options["profile"],
        _Quotable(options["dataset"]),
        seeds,
        options["device"],
        int(options["shares"]),
        slug(options["profile"], options["dataset"]),
        texts(),
        tuple(sorted((CHECKOUT / "results").glob("*.json"))),
    )


def slug(profile: str, dataset: str) -> str:
    """Return the name of the folder of a book: profile and dataset."""
    if dataset in ("miniature", "advance"):
        return f"{profile}-{dataset}"
    folder = Path(dataset).expanduser().resolve()
    name = "".join(letter if letter.isalnum() else "-" for letter in folder.name)
    return f"{profile}-{name}-{digest(str(folder))[:6]}"


def chapters() -> list[str]:
    """Return the names of the notebooks in the table of contents, in order, without the status page."""
    import yaml

    contents = yaml.safe_load((CHECKOUT / "_toc.yml").read_text(encoding="utf-8"))
    files = [contents["root"]]
    for part in contents.get("parts", [contents]):
        files += [chapter["file"] for chapter in part.get("chapters", [])]
    names = [Path(file).name for file in files if (CHECKOUT / f"{file}.ipynb").exists()]
    return [name for name in names if name != "status"]


def texts() -> tuple[Path, ...]:
    """Return the files besides notebooks that the pages are made of; docstrings make the reference of the library."""
    inside = sorted(path for path in (CHECKOUT / "book").rglob("*") if path.is_file() and path.suffix != ".ipynb")
    left_out = re.compile(r"/(\.|__pycache__)")
    shown = [path for path in inside if not left_out.search(path.relative_to(CHECKOUT).as_posix())]
    return (CHECKOUT / "_config.yml", CHECKOUT / "_toc.yml", *shown, *sorted(PACKAGE.rglob("*.py")))


if __name__ == "__main__":
    print(f"The book: {build_folder() / 'books' / slug(*sys.argv[1:3]) / 'html' / 'index.html'}")
