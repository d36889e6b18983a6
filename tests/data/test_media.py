import numpy as np
import pytest
import soundfile
from PIL import Image

from advance_lib.data.media import MediaError, read_clip, read_image, read_sound, ten_seconds


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.sin(np.arange(40_000) / 10) * 0.5, 8000, subtype="PCM_16")
    return path


def test_image_is_rgb(photograph):
    assert read_image(photograph).shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P"])
def test_other_colour_models_are_converted(tmp_path, photograph, mode):
    path = tmp_path / ("other.png" if mode == "P" else "other.jpg")
    Image.open(photograph).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (64, 48, 3) and image.dtype == np.uint8


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(grey).save(path)
    image = read_image(path)
    assert image.min() == 0 and image.max() == 255 and abs(image.mean() - 127.5) < 1


@pytest.mark.parametrize("content", [b"", b"just some text", None])
def test_bad_images_are_named(tmp_path, photograph, content):
    path = tmp_path / "bad.jpg"
    whole = photograph.read_bytes()
    path.write_bytes(whole[: len(whole) * 4 // 10] if content is None else content)
    with pytest.raises(MediaError, match=r"bad\.jpg.*(fetch it again|remove)"):
        read_image(path)


def test_truncated_sound_is_noticed(tmp_path, recording):
    path = tmp_path / "cut.wav"
    path.write_bytes(recording.read_bytes()[:27_001])  # the last sample is half there
    with pytest.raises(MediaError, match=r"cut\.wav: truncated after 1\.6\d s"):
        read_sound(path)


def test_sounds_without_sense_are_named(tmp_path):
    for name, content in (("empty.wav", b""), ("text.wav", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name):
            read_sound(tmp_path / name)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    with pytest.raises(MediaError, match="no samples"):
        read_sound(tmp_path / "none.wav")
    samples = np.zeros(30_000, np.float32)
    samples[100:105] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 8000, subtype="FLOAT")
    with pytest.raises(MediaError, match="5 samples are not finite"):
        read_sound(tmp_path / "nan.wav")


def test_stereo_is_mixed_down(tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([np.full(96_000, 0.5), np.full(96_000, -0.25)], axis=1), 48_000, subtype="FLOAT")
    samples, rate = read_sound(path)
    assert rate == 48_000 and samples.shape == (96_000,) and np.allclose(samples, 0.125)


def test_ten_seconds_repeats_cuts_and_refuses():
    assert np.array_equal(ten_seconds(np.arange(30, dtype=np.float32), 10), np.tile(np.arange(30), 4)[:100])
    assert np.array_equal(ten_seconds(np.arange(150, dtype=np.float32), 10), np.arange(100))
    assert len(ten_seconds(np.zeros(20, np.float32), 10)) == 100
    with pytest.raises(MediaError, match=r"1\.90 s"):
        ten_seconds(np.zeros(19, np.float32), 10)


def test_too_short_clip_is_named(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros(8000), 8000)
    with pytest.raises(MediaError, match=r"short\.wav"):
        read_clip(tmp_path / "short.wav")
