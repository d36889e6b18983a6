"""What all runs of one setting share, each part made when it is first asked for: data, networks, inputs, knowledge.

PyTorch is loaded where networks get something to learn from; to find a finished run none is needed.

Chapters: The dataset; Hearing; Seeing; The knowledge of sounds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advance_lib.cache import digest
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.dataset import Dataset
from advance_lib.data.features import image_array
from advance_lib.data.places import dataset_folder, require_split
from advance_lib.data.splits import EXAM, THE_SPLIT, posterior_rows, without_exam
from advance_lib.experiments.profiles import Profile
from advance_lib.experiments.settings import RENDERED, Settings, Sources
from advance_lib.miniature.world import World, render_aerial_set, render_event_set, render_world
from advance_lib.models.own import is_own, own_pretrained
from advance_lib.models.pretrained import THEIRS_AUDIO, THEIRS_VISUAL, Pretrained, partly_fixed
from advance_lib.training.devices import environment
from advance_lib.transfer.presets import PAPER
from advance_lib.transfer.pretraining import pretrain_audio, pretrain_visual
from advance_lib.transfer.recipe import Recipe

if TYPE_CHECKING:
    from advance_lib.training.inputs import Inputs
    from advance_lib.transfer.knowledge import Knowledge
    from advance_lib.transfer.recogniser import Given


def world_of(profile: Profile, exam: bool = False) -> World:
    """Return the miniature world of a profile, or its exam."""
    return World(pairs=profile.pairs, side=profile.render_side, exam=exam)


def render_pretraining_sets(profile: Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the miniature's AID and its AudioSet, rendering them where they are missing."""
    return render_aerial_set(profile.aerial_pictures, profile.image_side), render_event_set(profile.event_clips)


class Prepared:
    """Data, networks, inputs and knowledge of one setting; seeds do not matter here.

    Ask `prepared` for one.

    Raises:
        UserError: data or split are not there; said at once, before anything is rendered or trained.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.folder = dataset_folder(settings.dataset)
        require_split(settings.dataset, settings.split.by)
        settings.split.require(self.folder)

    @property
    def sizes(self) -> Profile:
        """The profile."""
        return self.settings.sizes

    def _sharing(self, **changes: object) -> Prepared:
        """The same without what a part does not depend on, so that it is made once for several settings."""
        return prepared(replace(self.settings, **changes))

    @cached_property
    def pairs(self) -> tuple[pd.DataFrame, ...]:
        """The pairs of the dataset and, where there is one, of its exam; nothing is split yet."""
        shared = self._sharing(split=THE_SPLIT, preset=PAPER, sources=RENDERED)
        if shared is not self:
            return shared.pairs
        if self.folder:
            pairs, exam = without_exam(read_catalogue(self.folder, self.settings.skip_broken))
            return (pairs, exam) if len(exam) else (pairs,)
        pairs = read_catalogue(render_world(world_of(self.sizes)), self.settings.skip_broken)
        return pairs, read_catalogue(render_world(world_of(self.sizes, exam=True))).assign(split=EXAM)

    @cached_property
    def data(self) -> Dataset:
        """The dataset, rendered first if that is asked for, checked and split.

        Raises:
            UserError: it cannot be used; the message says what to do.
        """
        name, split = self.settings.dataset, self.settings.split
        pairs, exam = (*self.pairs, self.pairs[0].iloc[:0])[:2]
        folder = self.folder or render_world(world_of(self.sizes))
        title = {"miniature": f"the miniature ({self.sizes.name})", "advance": "ADVANCE"}.get(name, folder.name)
        if split.is_given(pairs):
            title += ", split as given"
        return Dataset(name, title, folder, split.applied(pairs, folder), exam)

    @cached_property
    def visual(self) -> Pretrained:
        """N_v(0), trained where it is the library's own and missing."""
        sources, preset, sizes = self.settings.sources, self.settings.preset, self.sizes
        shared = self._sharing(
            dataset="miniature", split=THE_SPLIT, skip_broken=False, sources=Sources(visual=sources.visual),
            preset=replace(PAPER, image_scale=preset.image_scale),
        )  # fmt: skip
        if shared is not self:
            return shared.visual
        if sources.visual in THEIRS_VISUAL:
            return THEIRS_VISUAL[sources.visual].get()
        backbone = sources.visual_backbone(sizes)
        if is_own(backbone) and (theirs := own_pretrained(backbone)):
            return theirs
        pictures = render_aerial_set(sizes.aerial_pictures, sizes.image_side)
        raw = sources.raw_colours(preset)
        return pretrain_visual(pictures, sizes.image_side, backbone, sizes.pretraining, self.settings.device, raw)

    @cached_property
    def audio(self) -> Pretrained:
        """N_a(0), trained where it is the library's own and missing."""
        sources, preset, sizes = self.settings.sources, self.settings.preset, self.sizes
        hearing = {name: getattr(preset, name) for name in ("n_fft", "spectrum", "top_db")}
        shared = self._sharing(
            dataset="miniature", split=THE_SPLIT, skip_broken=False, sources=Sources(audio=sources.audio),
            preset=replace(PAPER, **hearing),
        )  # fmt: skip
        if shared is not self:
            return shared.audio
        if sources.audio in THEIRS_AUDIO:
            return THEIRS_AUDIO[sources.audio].get()
        backbone = sources.audio_backbone(sizes)
        if is_own(backbone) and (theirs := own_pretrained(backbone, sources.hearing(preset))):
            return theirs
        clips = render_event_set(sizes.event_clips)
        return pretrain_audio(clips, backbone, sizes.pretraining, self.settings.device, preset.front_end)

    @property
    def teacher(self) -> Pretrained:
        """The network whose soft responses are transferred: N_a(0), or another."""
        return self._teaching.audio

    @property
    def _teaching(self) -> Prepared:
        """The same setting with the teacher as N_a(0)."""
        return self._sharing(sources=Sources(audio=self.settings.sources.teaching))

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Photographs and sounds of all pairs, those of the exam last."""
        shared = self._sharing(split=THE_SPLIT)
        if shared is not self:
            return shared._arrays
        hearing = self.settings.sources.hearing(self.settings.preset)
        images = [image_array(part, self.sizes.image_side) for part in self.pairs]
        sounds = [hearing.arrays(part) for part in self.pairs]
        if len(self.pairs) == 1:
            return images[0], sounds[0]
        return np.concatenate(images), np.concatenate(sounds)

    @cached_property
    def inputs(self) -> Inputs:
        """The arrays, as the setting's networks want them, normalised with the statistics of the training split."""
        from advance_lib.training.inputs import Inputs, Normaliser

        data, (images, sounds) = self.data, self._arrays
        codes = {scene: index for index, scene in enumerate(data.scenes)}
        targets = data.pairs["scene"].map(codes).to_numpy(np.int64)
        raw_colours = self.settings.sources.raw_colours(self.settings.preset)
        normaliser = Normaliser.of(images, sounds, data.rows()["train"], raw_colours)
        return Inputs(images, sounds, targets, normaliser)

    @cached_property
    def knowledge(self) -> Knowledge:
        """What the teacher knows of the dataset's sounds."""
        from advance_lib.transfer.knowledge import knowledge_of

        settings, heard = self.settings, self._teaching
        rows = posterior_rows(self.data.pairs, settings.preset.posteriors)
        data_key = digest(self.data.key(), str(heard.settings.sources.hearing(settings.preset)))
        scenes = len(self.data.scenes)
        return knowledge_of(heard.audio, heard.inputs, data_key, rows, scenes, settings.preset, settings.device)

    def given(self, recipe: Recipe) -> Given:
        """Return what a recogniser of a recipe learns from.

        A network that starts at random (†) needs no other but mn04, whose first blocks are never trained; a branch
        that gets no input is part of the network all the same.
        """
        from advance_lib.transfer.recogniser import Given

        visual = self.visual.weights if recipe.pretrained else None
        audio = self.audio.weights if recipe.pretrained or partly_fixed(recipe.audio) else None
        knowledge = self.knowledge if recipe.transfer else None
        rows, scenes = self.data.rows(), len(self.data.scenes)
        return Given(self.inputs, rows, scenes, visual, audio, knowledge, self.settings.device)

    def key(self, recipe: Recipe) -> list:
        """Return what of the data and the networks determines a run of a recipe."""
        settings = self.settings
        audio = self.audio.key if recipe.pretrained or partly_fixed(recipe.audio) else None
        networks = [
            self.visual.key if recipe.pretrained else None,
            audio,
            self.teacher.key if recipe.transfer else None,
        ]
        hearing = settings.sources.hearing(settings.preset)
        seen_as = [self.sizes.image_side, settings.sources.raw_colours(settings.preset), str(hearing)]
        return [self.data.key(), networks, seen_as]

    def _repr_html_(self) -> str:
        """The settings as a chapter shows them: all that differs from the defaults is named."""
        data, settings = self.data, self.settings
        badge = " <mark title='It says nothing about ADVANCE.'>rendered data</mark>" * (settings.dataset == "miniature")
        exam = f", and an exam of {len(data.exam):,}" if len(data.exam) else ""
        rows = {
            "profile": settings.profile,
            "dataset": f"{data.title}: {len(data.catalogue):,} pairs at "
            f"{data.catalogue['location'].nunique():,} locations{exam}{badge}",
            "training seeds": ", ".join(map(str, settings.seeds)),
            "device": environment(settings.device)["device"],
        }
        return _table(rows | settings.departures())


def _table(rows: dict[str, str]) -> str:
    cells = "".join(f"<tr><th style='text-align:left'>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table class='settings'><caption>Settings of this run</caption>{cells}</table>"


@cache
def _prepared(settings: Settings) -> Prepared:
    return Prepared(settings)


def prepared(settings: Settings) -> Prepared:
    """Return what all runs of a setting share; the seeds change nothing here.

    Raises:
        UserError: data or split are not there.
    """
    return _prepared(replace(settings, seeds=settings.sizes.seeds))


def forget() -> None:
    """Forget what was prepared, so that changed files are read anew."""
    _prepared.cache_clear()
