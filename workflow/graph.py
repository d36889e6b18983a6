"""What the graph in ``Snakefile`` needs to know before anything runs; imports nothing heavy."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from advance_lib.cache import UserError, build_folder, digest, imported_modules
from advance_lib.data.places import dataset_folder, require_split
from advance_lib.experiments.profiles import PROFILES

CHECKOUT = Path(__file__).parents[1]
NETWORKS = {"visual": ("rendered", "official", "imagenet"), "audio": ("rendered", "official", "mn04")}
WORDS = {
    "profile": tuple(PROFILES),
    "device": ("auto", "cpu", "cuda"),
    "split": ("own", "location", "given", "official", "pair", "grid"),
    "preset": ("paper", "code"),
    **NETWORKS,
    "teacher": ("", *NETWORKS["audio"]),
    "skip_broken": ("no", "yes"),
}
YES_OR_NO = {"1": "yes", "true": "yes", "0": "no", "false": "no"}


@dataclass(frozen=True)
class Asked:
    """What the caller of the graph asked for, in the words of `advance train`; the defaults are the book's own.

    Raises:
        UserError: a word that is not known, a dataset that is not there, or numbers that are none.
    """

    profile: str = "mini"
    dataset: str = "miniature"
    seeds: str = ""
    device: str = "auto"
    shares: str = "1"
    split: str = "own"
    preset: str = "paper"
    visual: str = "rendered"
    audio: str = "rendered"
    teacher: str = ""
    skip_broken: str = "no"

    def __post_init__(self):
        for name, known in WORDS.items():
            if getattr(self, name) not in known:
                choices = ", ".join(filter(None, known))
                raise UserError(f"no {name} '{getattr(self, name)}'; choose one of {choices}")
        if not re.fullmatch("[1-9][0-9]*", self.shares):
            raise UserError(f"shares={self.shares}: say in how many jobs to train, such as shares=8")
        if not self.seeds:
            object.__setattr__(self, "seeds", str(len(PROFILES[self.profile].seeds)))
        listed = self.seeds.removesuffix(",").split(",")
        if not re.fullmatch(r"[1-9]\d*|(\d+,)+\d*", self.seeds) or len(set(listed)) < len(listed):
            raise UserError(f"seeds '{self.seeds}': give how many, such as 3, or a list, such as 0,1,2")
        require_split(self.dataset, self.split)
        if folder := dataset_folder(self.dataset):  # as seen from here, whatever folder a step runs in
            named = self.dataset if self.dataset == "advance" else str(folder.resolve())
            object.__setattr__(self, "dataset", named)

    def departures(self) -> dict[str, str]:
        """Return the choices beside profile, dataset, seeds and device that are not the book's own."""
        usual = {"profile", "dataset", "seeds", "device", "shares"}
        further = [field for field in fields(self) if field.name not in usual]
        return {f.name: getattr(self, f.name) for f in further if getattr(self, f.name) != f.default}

    @property
    def slug(self) -> str:
        """The name of the book's folder: profile, dataset, and what departs from the book's own choices."""
        name = self.dataset
        if name not in ("miniature", "advance"):
            folder = Path(name).expanduser().resolve()
            name = "".join(letter if letter.isalnum() else "-" for letter in folder.name)
            name += f"-{digest(str(folder))[:6]}"
        further = [word.replace("_", "-") for pair in self.departures().items() for word in pair]
        return "-".join([self.profile, name, *further])

    @property
    def folder(self) -> Path:
        """The book's folder."""
        return build_folder() / "books" / self.slug

    @property
    def words(self) -> str:
        """The same for ``pages.py``, ready for a shell: ``profile=mini dataset=miniature …``."""
        usual = {name: getattr(self, name) for name in ("profile", "dataset", "seeds", "device")}
        return shlex.join(f"{name}={value}" for name, value in (usual | self.departures()).items())

    def flags(self, *names: str) -> str:
        """Return options of the command ``advance``, ready for a shell; of the choices that a book's name says, those
        that depart from the book's own.
        """
        usual = ("profile", "dataset", "seeds", "device")
        given = {name: getattr(self, name) for name in names if name in usual}
        given |= {name: value for name, value in self.departures().items() if name in names}
        skip = given.pop("skip_broken", "no") == "yes"
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        return shlex.join([*words, *["--skip-broken"] * skip])


def requested(config: Mapping[str, object]) -> Asked:
    """Read the graph's configuration; an option that is empty counts as not given.

    Raises:
        UserError: an option that the graph does not know, or as `Asked` does.
    """
    known = [field.name for field in fields(Asked)]
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise UserError(f"no option '{unknown[0]}'; the graph knows {', '.join(known)}")
    options = {name: str(value) for name, value in config.items() if value not in ("", None)}
    if "skip_broken" in options:
        options["skip_broken"] = YES_OR_NO.get(options["skip_broken"].lower(), options["skip_broken"])
    return Asked(**options)


def modules_of(chapter: Path) -> list[str]:
    """Return the modules of ours that a chapter imports: with what they import, the code behind its figures."""
    return sorted(set(imported_modules(_code_of(chapter))))


def references_of(chapter: Path) -> list[Path]:
    """Return the stored records of the studies that a chapter names, in texts such as ``"tables-miniature"``."""
    named = set(re.findall(r"[\"'](\w+)-", _code_of(chapter)))
    return [path for path in sorted((CHECKOUT / "results").glob("*.json")) if path.stem.split("-")[0] in named]


def _code_of(chapter: Path) -> str:
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


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
    left_out = re.compile(r"/(\.|__pycache__|lectures/)")
    shown = [path for path in inside if not left_out.search(path.relative_to(CHECKOUT).as_posix())]
    packages = [CHECKOUT / name for name in ("advance_lib", "advance_bench")]
    modules = [path for package in packages for path in sorted(package.rglob("*.py"))]
    return [CHECKOUT / "_config.yml", CHECKOUT / "_toc.yml", *shown, *modules]
