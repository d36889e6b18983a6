import pytest

from advance_lib.cache import UserError
from advance_lib.data.splits import Split
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import CHOICES, Settings, Sources, asked, parse_seeds
from advance_lib.models.pretrained import FRONT_END, Spectrograms
from advance_lib.transfer.presets import CODE, PAPER


@pytest.mark.parametrize(
    ("given", "meant"), [(None, (0, 1)), (3, (0, 1, 2)), ("2", (0, 1)), ("4,7", (4, 7)), ([5], (5,)), ("5,", (5,))]
)
def test_seeds(given, meant):
    assert parse_seeds(given, PROFILES["smoke"]) == meant
    assert Settings(profile="smoke", seeds=given).seeds == meant


@pytest.mark.parametrize("given", ["many", "0", [], "1,x", "1,1", -1, ","])
def test_bad_seeds(given):
    with pytest.raises(UserError, match="seeds"):
        Settings(seeds=given)


def test_a_setting_that_says_the_same_is_the_same():
    assert Settings(seeds=3) == Settings(seeds="0,1,2") == Settings()
    assert len({Settings(seeds=2), Settings(seeds=(0, 1)), Settings(dataset="advance")}) == 2


def test_what_is_asked_in_words():
    settings = asked(["relevance=pca"], dataset="advance", profile="smoke", seeds="7,", split="official", audio="mn04")
    assert settings.dataset == "advance" and settings.seeds == (7,) and settings.split == Split("official")
    assert settings.sources == Sources(audio="mn04") and settings.preset.relevance == "pca"
    assert asked(preset="code").preset == CODE and asked() == Settings() and asked(seeds=None) == Settings()


def test_words_of_the_environment_stand_behind_those_of_the_caller(monkeypatch):
    monkeypatch.setenv("ADVANCE_PROFILE", "smoke")
    monkeypatch.setenv("ADVANCE_SPLIT", "pair")
    monkeypatch.setenv("ADVANCE_SKIP_BROKEN", "1")
    settings = asked(split="location")
    assert settings.profile == "smoke" and settings.split == Split("location") and settings.skip_broken


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"profile": "huge"}, "no profile 'huge'; choose one of smoke, mini, paper"),
        ({"split": "halves"}, "no split 'halves'"),
        ({"preset": "mine"}, "no preset 'mine'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"audio": "mn05"}, "no audio network 'mn05'"),
        ({"colour": "red"}, "no option 'colour'; choose among dataset, profile"),
    ],
)
def test_a_word_that_means_nothing_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        asked(**words)


def test_every_choice_of_the_settings_can_be_asked_for():
    fields = set(Settings.__dataclass_fields__) - {"sources"} | set(Sources.__dataclass_fields__)
    assert set(CHOICES) == fields


def test_a_source_that_is_not_known():
    with pytest.raises(UserError, match="no teacher network 'mn05'; choose one of rendered, official, mn04"):
        Sources(teacher="mn05")


def test_what_each_source_expects():
    profile, official = PROFILES["paper"], Sources("official", "official")
    assert official.hearing(PAPER) == Spectrograms(FRONT_END) == Sources().hearing(CODE) != Sources().hearing(PAPER)
    assert official.raw_colours(PAPER) and not Sources("imagenet").raw_colours(PAPER)
    assert official.visual_backbone(profile) == "resnet101" and official.audio_backbone(profile) == "resnet50 audio"
    mn04, taught = Sources(audio="mn04"), Sources(teacher="mn04")
    assert [s.new_event_head for s in (Sources(), mn04, taught, Sources(audio="mn04", teacher="mn04"))] == [
        False, False, True, False,
    ]  # fmt: skip
