"""Everything that is asked for, in one place: which data, how large, which choices, which networks.

Chapter: Use it on your own data.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advance_lib.cache import UserError
from advance_lib.data.splits import THE_SPLIT, Split, split_named
from advance_lib.experiments.profiles import Profile, get_profile
from advance_lib.models.own import is_own, own_network, require_own
from advance_lib.models.pretrained import THEIRS_AUDIO, THEIRS_VISUAL, Hearing, Spectrograms, partly_fixed
from advance_lib.models.weights import weights_file
from advance_lib.training.devices import accelerator
from advance_lib.transfer.presets import CODE, PAPER, Preset, differences, get_preset

VISUAL, AUDIO = ("rendered", *THEIRS_VISUAL), ("rendered", *THEIRS_AUDIO)


@dataclass(frozen=True)
class Sources:
    """Which pre-trained networks a run starts from, and which one teaches it.

    Attributes:
        visual: N_v(0): ``"rendered"``, trained on the miniature's aerial pictures; ``"official"``, the authors' of
            AID; ``"imagenet"``, torchvision's.
        audio: N_a(0) that is fine-tuned: ``"rendered"``, trained on the miniature's event clips; ``"official"``, the
            authors' of AudioSet; ``"mn04"``, EfficientAT's of AudioSet, whose first blocks stay as they are.
        teacher: the network whose soft responses are transferred, named as for ``audio``; None is N_a(0) itself.

    Each may be a network of one's own, ``"my_net.py:transformer"``; see `own`.

    Raises:
        UserError: no such source.
    """

    visual: str = "rendered"
    audio: str = "rendered"
    teacher: str | None = None

    def __post_init__(self):
        for name, known in (("visual", VISUAL), ("audio", AUDIO), ("teacher", (None, *AUDIO))):
            if is_own(source := getattr(self, name)):
                require_own(source)
            elif source not in known:
                choices = ", ".join(filter(None, known))
                raise UserError(f"no {name} network '{source}'; choose one of {choices}, or FILE.py:FUNCTION")

    def require(self, pretrained: bool = True, teacher: bool = True) -> None:
        """Refuse networks whose weights are not there.

        Args:
            pretrained: networks start from them; else only what is never trained is needed.
            teacher: its knowledge is transferred.

        Raises:
            UserError: names the file, and how to fetch it.
        """
        visual, audio = THEIRS_VISUAL.get(self.visual), THEIRS_AUDIO.get(self.audio)
        needed = [theirs for theirs in (visual, audio) if theirs and (pretrained or partly_fixed(theirs.backbone))]
        needed += [THEIRS_AUDIO[self.teaching]] if teacher and self.teaching in THEIRS_AUDIO else []
        for theirs in needed:
            if theirs.file:
                weights_file(theirs.file)

    @property
    def teaching(self) -> str:
        """The source of the teacher."""
        return self.teacher or self.audio

    @property
    def new_event_head(self) -> bool:
        """Whether the student is not the teacher's own network, so that |Na needs a new event head."""
        return self.teaching != self.audio

    def visual_backbone(self, profile: Profile) -> str:
        """The name of N_v in `audiovisual.BACKBONES`."""
        if is_own(self.visual):
            return own_network(self.visual)
        return THEIRS_VISUAL[self.visual].backbone if self.visual in THEIRS_VISUAL else profile.visual

    def audio_backbone(self, profile: Profile) -> str:
        """The name of N_a in `audiovisual.BACKBONES`."""
        if is_own(self.audio):
            return own_network(self.audio)
        return THEIRS_AUDIO[self.audio].backbone if self.audio in THEIRS_AUDIO else profile.audio

    def raw_colours(self, preset: Preset) -> bool:
        """Whether photographs keep their colours from 0 to 255, as the authors' network expects them."""
        theirs = THEIRS_VISUAL.get(self.visual)
        return preset.image_scale == "raw" or (theirs is not None and theirs.raw_colours)

    def hearing(self, preset: Preset) -> Hearing:
        """How N_a hears a recording; the preset's front end is for the library's own."""
        return THEIRS_AUDIO[self.audio].hearing if self.audio in THEIRS_AUDIO else Spectrograms(preset.front_end)


RENDERED = Sources()


@dataclass(frozen=True)
class Settings:
    """All choices, once; a run is a cell and a seed of a setting.

    Attributes:
        dataset: ``"miniature"``, ``"advance"`` or a folder in ADVANCE's layout.
        profile: ``"smoke"``, ``"mini"`` or ``"paper"``, or another name in `profiles.PROFILES`.
        seeds: of the trainings; a number n stands for 0 … n-1, None for the profile's own. Kept as a tuple.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        split: of the dataset.
        skip_broken: leave unusable pairs of the dataset out.
        preset: the choices in which paper and code differ.
        sources: of the pre-trained networks.

    Raises:
        UserError: a profile, device or seeds that are not there.
    """

    dataset: str = "miniature"
    profile: str = "mini"
    seeds: int | str | Sequence[int] | None = None
    device: str = "auto"
    split: Split = THE_SPLIT
    skip_broken: bool = False
    preset: Preset = PAPER
    sources: Sources = RENDERED

    def __post_init__(self):
        accelerator(self.device)
        object.__setattr__(self, "seeds", parse_seeds(self.seeds, self.sizes))

    @property
    def sizes(self) -> Profile:
        """The profile itself."""
        return get_profile(self.profile)

    def departures(self) -> dict[str, str]:
        """Return in words what of split, preset and networks is not the default."""
        usual, found = Sources(), {}
        if self.split != THE_SPLIT:
            found["split"] = split_in_words(self.split)
        if self.skip_broken:
            found["unusable pairs"] = "left out"
        if changed := differences(self.preset):
            found["preset"] = "code" if self.preset == CODE else ", ".join(f"{k} = {v}" for k, v in changed.items())
        for name in ("visual", "audio", "teacher"):
            if (source := getattr(self.sources, name)) != getattr(usual, name):
                found[f"{name} network"] = source
        return found


def split_in_words(split: Split) -> str:
    """Return what a table calls a split, such as ``by location, draw 0``."""
    if split.by in ("given", "official"):  # there is one of each
        return split.by
    return "the dataset's own" if split.by == "own" else f"by {split.by}, draw {split.seed}"


def parse_seeds(seeds: int | str | Sequence[int] | None, profile: Profile) -> tuple[int, ...]:
    """Return training seeds: a number n means 0 … n-1, a sequence means itself, None the profile's own.

    As a text, a comma makes a sequence: ``"3"`` is 0, 1, 2 and ``"3,"`` is the seed 3 alone.

    Raises:
        UserError: not a positive number and not a list of different integers.
    """
    if seeds is None or seeds == "":
        return profile.seeds
    try:
        if isinstance(seeds, int) or (isinstance(seeds, str) and "," not in seeds):
            listed = tuple(range(int(seeds)))
        else:
            listed = tuple(map(int, seeds.strip(" ,").split(",") if isinstance(seeds, str) else seeds))
    except ValueError:
        listed = ()
    if not listed or len(set(listed)) < len(listed) or min(listed) < 0:
        raise UserError(f"seeds '{seeds}': give how many, such as 3, or a list, such as 0,1,2 (one seed alone: 2,)")
    return listed


CHOICES = ("dataset", "profile", "seeds", "device", "split", "skip_broken", "preset", "visual", "audio", "teacher")


def asked(fields: Sequence[str] = (), **words: object) -> Settings:
    """Return settings from words, as they stand on a command line or in a chapter's first cell.

    What is not given, or None, is what the environment says (``ADVANCE_DATASET``, ``ADVANCE_SPLIT`` … one variable for
    each of `CHOICES`), else the default of `Settings`.

    Args:
        fields: changes of single fields of the preset, such as ``"relevance=pca"``.
        words: any of `CHOICES`: `Settings`' fields, with ``split`` and ``preset`` by name (``"official"``,
            ``"code"``) and `Sources`' three fields in place of ``sources``.

    Raises:
        UserError: a choice that there is not, or a word that it does not know.
    """
    for name in words:
        if name not in CHOICES:
            raise UserError(f"no option '{name}'; choose among {', '.join(CHOICES)}")
    given = {name: os.environ.get(f"ADVANCE_{name.upper()}") or None for name in CHOICES}
    given |= {name: word for name, word in words.items() if word is not None}
    given = {name: word for name, word in given.items() if word is not None}
    if isinstance(skip := given.get("skip_broken"), str):
        given["skip_broken"] = skip.lower() in ("1", "true", "yes")
    networks = {name: given.pop(name) for name in ("visual", "audio", "teacher") if name in given}
    split, preset = split_named(given.pop("split", "own")), get_preset(given.pop("preset", "paper"), fields)
    return Settings(**given, split=split, preset=preset, sources=Sources(**networks))


def of_chapter(variables: Mapping[str, object]) -> Settings:
    """Return the settings that a chapter's first cell says.

    Args:
        variables: the chapter's ``globals()``; only `CHOICES` are looked at.

    Raises:
        UserError: a word that means nothing.
    """
    return asked(**{name: variables.get(name) for name in CHOICES})
