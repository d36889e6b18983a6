"""The synthetic sound events, the published odds behind them and the recordings mixed from them."""

import numpy as np
import pytest

from advance_lib.data.published import advance_posteriors
from advance_lib.miniature.sounds import (
    EVENTS,
    INSTRUMENTS,
    LOUDNESS,
    draw_events,
    mix,
    published_posteriors,
    synthesise,
)

RATE = 22_050


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def odds(scene: str, g: float) -> np.ndarray:
    p = published_posteriors()[scene].to_numpy()
    return g * p / (1 - p)


@pytest.mark.parametrize("event", EVENTS)
def test_every_instrument_plays_a_take_that_never_falls_silent(event):
    for seconds, rate in ((8.37, RATE), (5.5, 16_000)):
        take = synthesise(event, rng(1, rate), seconds, rate)
        assert take.dtype == np.float32 and take.shape == (round(seconds * rate),)
        assert np.isfinite(take).all() and np.abs(take).max() <= 1
        loud, peak = rms(take), np.abs(take).max()
        assert loud == pytest.approx(LOUDNESS, rel=1e-3) or (loud < LOUDNESS and peak == pytest.approx(1, rel=1e-3))
        for start in range(0, len(take) - 5 * rate, rate // 3):
            assert rms(take[start : start + 5 * rate]) > 0.05 * loud


def test_an_instrument_has_no_state_but_the_generator_and_no_two_takes_are_alike():
    for k, event in enumerate(EVENTS):
        first, again, other = (synthesise(event, rng(k, take), 3.0, RATE) for take in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.9


def test_takes_may_be_shorter_than_one_call():
    for event in EVENTS:
        take = synthesise(event, rng(3), 1.0, RATE)
        assert take.shape == (RATE,) and np.isfinite(take).all()


def test_an_unknown_event_is_named_in_the_error():
    with pytest.raises(ValueError, match="'Unicorn'"):
        synthesise("Unicorn", rng(0), 1.0, RATE)
    with pytest.raises(ValueError, match="'Unicorn'"):
        mix(["Speech", "Unicorn"], rng(0), 1.0, RATE)


def test_the_posteriors_are_one_row_per_instrument():
    table = published_posteriors()
    assert tuple(table.index) == EVENTS == tuple(INSTRUMENTS)
    assert table.shape == (len(EVENTS), 13) and len(EVENTS) >= 28
    assert ((table >= 0) & (table < 1)).all(axis=None)
    table.iloc[:] = 0  # the caller's copy
    assert published_posteriors().to_numpy().max() > 0.6


def test_the_posteriors_are_in_audiosets_order():
    order = list(advance_posteriors().index)
    assert list(EVENTS) == sorted(EVENTS, key=order.index)


@pytest.mark.parametrize(("scene", "g"), [("airport", 1.0), ("orchard", 6.0), ("train station", 30.0)])
def test_events_come_up_with_the_published_odds_times_g(scene, g):
    trials, stream = 3000, rng(5)
    draws = [draw_events(scene, stream, g) for _ in range(trials)]
    assert all(draws) and all(sorted(drawn, key=EVENTS.index) == drawn for drawn in draws)
    share = np.array([sum(event in drawn for drawn in draws) for event in EVENTS]) / trials
    w = odds(scene, g)
    alone, nothing = w / (1 + w), np.prod(1 / (1 + w))
    expected = alone + nothing * w / w.sum()  # drawn on its own, or as the one event of an empty draw
    sigma = np.sqrt(expected * (1 - expected) / trials)
    assert (np.abs(share - expected) < 4.5 * sigma + 1e-3).all()


def test_a_recording_has_at_least_one_event_even_at_tiny_odds():
    stream = rng(6)
    draws = [draw_events("forest", stream, 1e-9) for _ in range(400)]
    assert {len(drawn) for drawn in draws} == {1}
    share = np.array([draws.count([event]) / 400 for event in EVENTS])
    w = odds("forest", 1.0)
    np.testing.assert_allclose(share, w / w.sum(), atol=0.1)


def test_drawing_refuses_unknown_scenes_and_impossible_odds():
    with pytest.raises(ValueError, match="unknown scene 'moon'"):
        draw_events("moon", rng(0), 1.0)
    with pytest.raises(ValueError, match="positive"):
        draw_events("beach", rng(0), 0.0)


def test_recordings_differ_in_level_never_clip_and_are_never_digitally_silent():
    levels = []
    for k in range(12):
        events = list(rng(7, k).choice(EVENTS, k % 4, replace=False))
        recording = mix(events, rng(8, k), 10.2, RATE)
        assert recording.dtype == np.float32 and recording.shape == (round(10.2 * RATE),)
        assert np.isfinite(recording).all() and np.abs(recording).max() < 1
        frames = recording[: len(recording) // 500 * 500].reshape(-1, 500)
        assert (frames.std(axis=1) > 1e-6).all()
        levels.append(20 * np.log10(rms(recording)))
    assert max(levels) <= -12 + 0.01 and np.std(levels) > 2


def test_a_recording_is_made_again_from_its_seed():
    first, again, other = (mix(["Goose", "Wind"], rng(seed), 6.0, RATE) for seed in (9, 9, 10))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
