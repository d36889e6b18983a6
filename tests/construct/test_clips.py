"""Clips are checked against recordings whose samples say where they lie."""

import wave

import numpy as np
import pytest
import soundfile

from advance_lib.construct.clips import cut_clip, draw_window, write_clip
from advance_lib.data.media import MediaError, read_clip

RATE = 1000


def counting(path, seconds, channels=1, rate=RATE):
    """Write a recording whose n-th sample is n."""
    samples = np.arange(int(seconds * rate), dtype=np.int16)
    soundfile.write(path, np.repeat(samples[:, None], channels, axis=1), rate, subtype="PCM_16")
    return path


def clip_of(path, seed=0, pair="7"):
    return cut_clip(path, draw_window(path, seed, pair))


def test_a_long_recording_gives_one_window_of_ten_seconds(tmp_path):
    path = counting(tmp_path / "long.wav", 25)
    samples = clip_of(path)
    first = int(samples[0])
    assert samples.dtype == np.int16 and np.array_equal(samples, np.arange(first, first + 10 * RATE))
    assert draw_window(path, 0, "7").seconds == first / RATE


@pytest.mark.parametrize("seconds", [2, 3.3, 9.99, 10])
def test_a_short_recording_is_repeated_as_a_whole(tmp_path, seconds):
    samples = clip_of(counting(tmp_path / "short.wav", seconds))
    assert np.array_equal(samples, (samples[0] + np.arange(10 * RATE)) % int(seconds * RATE))


def test_less_than_two_seconds_are_dropped(tmp_path):
    with pytest.raises(MediaError, match=r"short\.wav: lasts 2\.00 s; recordings under 2 s are not used"):
        clip_of(counting(tmp_path / "short.wav", 1.999))


def test_the_window_follows_from_seed_and_id_alone(tmp_path):
    path = counting(tmp_path / "long.wav", 25)
    windows = {pair: draw_window(path, 0, pair) for pair in ("7", "7_1", "7_2", "7_3", "7_4")}
    assert len(set(windows.values())) == 5
    assert {pair: draw_window(path, 0, pair) for pair in reversed(windows)} == windows
    assert draw_window(path, 1, "7") != windows["7"]


@pytest.mark.parametrize(("seconds", "last"), [(20, 10), (8, 6), (4, 2)])  # repeated to 20, 16 and 12 s
def test_windows_lie_everywhere_with_equal_chance(tmp_path, seconds, last):
    path = counting(tmp_path / "long.wav", seconds, rate=100)
    starts = np.array([draw_window(path, 0, str(pair)).seconds for pair in range(400)])
    assert starts.min() < 0.02 * last and 0.98 * last < starts.max() <= last
    assert np.all(np.abs(np.histogram(starts, 4, (0, last))[0] - 100) < 40)  # 4.6 standard deviations


def test_the_file_is_16_bit_mono_and_read_back_the_same(tmp_path):
    samples = clip_of(counting(tmp_path / "stereo.wav", 12, channels=2, rate=2000))
    write_clip(tmp_path / "clip.wav", samples, 2000)
    with wave.open(str(tmp_path / "clip.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 2000)
        assert file.readframes(10**6) == samples.astype("<i2").tobytes()
    found, rate = read_clip(tmp_path / "clip.wav")
    assert rate == 2000 and np.array_equal(found * 2**15, samples)


def test_samples_beyond_full_scale_are_clipped_not_wrapped(tmp_path):
    soundfile.write(tmp_path / "loud.wav", np.tile([1.5, -1.5], 2 * RATE), RATE, subtype="FLOAT")
    samples = clip_of(tmp_path / "loud.wav")
    assert set(samples.tolist()) == {-(2**15), 2**15 - 1}


@pytest.mark.parametrize("seconds", [4, 30])
@pytest.mark.parametrize("content", ["noise", "truncated", "not finite"])
def test_a_broken_recording_is_refused_by_name(tmp_path, content, seconds):
    path = tmp_path / "broken.ogg"
    tone = np.sin(np.arange(seconds * 8000) / 5)
    if content == "noise":
        path.write_bytes(bytes(range(256)) * 100)
    elif content == "truncated":
        path = path.with_suffix(".flac")
        soundfile.write(path, tone, 8000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    else:
        path = path.with_suffix(".wav")
        soundfile.write(path, np.where(tone > 0.99, np.nan, tone), 8000, subtype="FLOAT")
    with pytest.raises(MediaError, match="broken"):
        clip_of(path)


def test_a_stream_that_does_not_say_its_length_has_windows_up_to_its_end(tmp_path):
    """An MP3 file without its first frame, which counts the others, and a FLAC file that leaves its length open."""
    tone = 0.5 * np.sin(np.arange(30 * 22_050) / 20)
    path = tmp_path / "stream.mp3"
    soundfile.write(
        path, tone, 22_050, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.5
    )
    whole = path.read_bytes()
    path.write_bytes(whole[whole.find(whole[:2], 4) :])
    flac = tmp_path / "stream.flac"
    soundfile.write(flac, tone, 22_050)
    whole = bytearray(flac.read_bytes())
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)
    flac.write_bytes(whole)
    for recording in (path, flac):
        starts = [draw_window(recording, 0, str(pair)).seconds for pair in range(20)]
        assert min(starts) < 4 and 16 < max(starts) <= 20.2
        for pair in range(5):
            assert np.abs(clip_of(recording, pair=str(pair))).max() > 1000
