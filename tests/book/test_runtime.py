import hashlib
import io
import tarfile

import pytest

import runtime
from advance_lib.cache import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the files that are kept and one more, and its own pinned checksum."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*runtime.FILES, "large.wasm"):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    monkeypatch.setattr(runtime, "SHA512", hashlib.sha512(path.read_bytes()).hexdigest())
    return path


def test_three_files_of_the_package_are_kept(package, tmp_path):
    runtime.unpack(package, tmp_path / "kept")
    assert {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()} == {n: n for n in runtime.FILES}


def test_another_package_than_the_pinned_one_is_refused(package, tmp_path):
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(UserError, match="sha512 differs"):
        runtime.unpack(package, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_without_npm_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="npm is needed"):
        runtime.fetch(tmp_path / "kept")
