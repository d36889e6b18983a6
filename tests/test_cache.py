import errno
import os
import shutil
import subprocess
import sys

import pytest

from advance_lib import cache


def test_syntax_digest_ignores_comments_and_docstrings_but_not_code():
    plain = "def loss(x):\n    return x + 1\n"
    explained = '"""Module."""\n\n\ndef loss(x):  # why\n    """What."""\n    return (x + 1)\n'
    changed = "def loss(x):\n    return x + 2\n"
    assert cache.syntax_digest(plain) == cache.syntax_digest(explained)
    assert cache.syntax_digest(plain) != cache.syntax_digest(changed)


def test_a_program_has_one_digest_in_every_python():
    """Python 3.12 gave functions another field: a key that counts it is another one there, and all runs are lost."""
    program = "class A:\n    def f(self, x=None, *, y: int = 1) -> str:\n        return f'{x!r:>{y}}' if x else []\n"
    assert cache.syntax_digest(program) == "c9c7443d2b334f08"


def test_code_digest_follows_imports(monkeypatch, tmp_path):
    package = tmp_path / "advance_lib"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "losses.py").write_text("def scene_loss(x):\n    return x\n")
    (package / "engine.py").write_text("from advance_lib.losses import scene_loss\n")
    monkeypatch.setattr(cache, "PACKAGE", package)

    def forget():
        cache.code_digest.cache_clear()
        cache._module_digest.cache_clear()

    def digest():
        forget()
        return cache.code_digest("advance_lib.engine")

    before = digest()
    (package / "losses.py").write_text('def scene_loss(x):\n    """An edited comment."""\n    return x\n')
    assert digest() == before
    (package / "losses.py").write_text("def scene_loss(x):\n    return 2 * x\n")
    changed = digest()
    assert changed != before
    (package / "kept").mkdir()
    (package / "losses.py").rename(package / "kept" / "losses.py")
    (package / "engine.py").write_text("from advance_lib.kept.losses import scene_loss\n")
    assert digest() == changed
    (package / "engine.py").write_text('from advance_lib.kept.losses import scene_loss\n\nTABLE = "events.csv"\n')
    named = digest()
    (package / "other.csv").write_text("1")
    assert digest() == named
    (package / "events.csv").write_text("1")
    assert digest() != named
    (package / "engine.py").write_text('def draw(show):\n    return show("mixer")\n')
    without = digest()
    (package / "scripts").mkdir()
    (package / "scripts" / "mixer.js").write_text("1")
    assert digest() != without
    forget()


def test_written_whole_leaves_nothing_after_a_failure(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), cache.written_whole(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("System error."), OSError("4096 requested and 0 written"), OSError(errno.ENOSPC, "Error writing")],
    ids=str,
)
def test_a_full_disk_is_named_whatever_the_library_says(error, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(OSError) as told, cache.written_whole(tmp_path / "clip.wav"):
        raise error
    assert told.value.errno == errno.ENOSPC and told.value.filename == str(tmp_path / "clip.wav")


def test_a_refusal_names_the_file_and_not_its_temporary_name(tmp_path):
    with pytest.raises(OSError) as told, cache.written_whole(tmp_path / "clip.wav") as partial:
        raise PermissionError(errno.EACCES, "Permission denied", str(partial))
    assert told.value.filename == str(tmp_path / "clip.wav")


def test_an_error_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as told, cache.written_whole(tmp_path / "clip.wav"):
        raise FileNotFoundError(errno.ENOENT, "No such file", "source.wav")
    assert told.value.filename == "source.wav"
    with pytest.raises(ZeroDivisionError), cache.written_whole(tmp_path / "clip.wav"):
        raise ZeroDivisionError


def test_entry_is_made_once_and_resumes(build):
    calls = []

    def fails(folder):
        (folder / "first").write_text("done")
        raise KeyboardInterrupt

    def succeeds(folder):
        calls.append((folder / "first").exists())
        (folder / "second").write_text("done")

    with pytest.raises(KeyboardInterrupt):
        cache.entry("things", "key", fails)
    assert not (build / "things" / "key").exists()
    for _ in range(2):
        folder = cache.entry("things", "key", succeeds)
    assert calls == [True] and {path.name for path in folder.iterdir()} == {"first", "second"}


def test_build_folder_can_be_moved(tmp_path):
    code = "from advance_lib.cache import build_folder; print(build_folder())"
    environment = os.environ | {"ADVANCE_BUILD": str(tmp_path / "elsewhere")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str((tmp_path / "elsewhere").resolve())
