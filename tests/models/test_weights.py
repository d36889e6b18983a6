import hashlib

import pytest

from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.data import fetching as download
from advance_lib.data.fetching import Patience
from advance_lib.models.weights import RECORD, WEIGHTS, Weights, fetch_weights, weights_file, weights_folder
from tests.file_server import file_server, md5

CONTENT = b"a few numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OFFICIAL = {"audioset_audio_pretrain.pt": b"of sounds", "AID_visual_pretrain.pt": b"of pictures", "README.md": b"other"}
QUICK = Patience(attempts=2, first_wait=0.0, timeout=5.0)


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("ADVANCE_WEIGHTS", raising=False)


@pytest.fixture
def server(monkeypatch):
    """Serves a tiny file in place of the real one, and the authors' record."""
    with file_server(monkeypatch) as server:
        address = server.add("/v1/tiny.pt", CONTENT)
        monkeypatch.setitem(WEIGHTS, "mn04", Weights(address, SHA256, "mn04"))
        server.add_record(RECORD, OFFICIAL)
        yield server


def test_kept_beside_the_build_folder_or_where_one_says(build, monkeypatch, tmp_path):
    assert weights_folder() == build.parent / "data" / "weights"
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path / "mine"))
    assert WEIGHTS["mn04"].path == tmp_path / "mine" / "mn04_as_mAP_432.pt"
    assert WEIGHTS["AID"].path == tmp_path / "mine" / "AID_visual_pretrain.pt"


def test_downloaded_once(server, build, capsys):
    path = build.parent / "data" / "weights" / "tiny.pt"
    for _ in range(2):
        assert main(["download", "weights", "mn04"]) == 0
    assert capsys.readouterr() == (f"{path}\n{path}\n", "")
    assert path.read_bytes() == CONTENT and weights_file("mn04") == path
    assert server.asked == [("/v1/tiny.pt", None)]


def test_a_file_put_there_by_hand_is_not_fetched(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    (tmp_path / "tiny.pt").write_bytes(CONTENT)
    assert fetch_weights("mn04") == [weights_file("mn04")] == [tmp_path / "tiny.pt"]
    assert not server.asked


def test_a_damaged_file_is_noticed_and_replaced(server):
    path = fetch_weights("mn04")[0]
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"tiny\.pt: its checksum .*`advance download weights mn04`$"):
        weights_file("mn04")
    assert fetch_weights("mn04")[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: Weights(url, "0" * 64, "mn04"), "another checksum"),
        (lambda url: Weights(url.replace("tiny", "other"), SHA256, "mn04"), "404"),
        (lambda url: Weights("http://127.0.0.1:9/v1/other.pt", SHA256, "mn04"), "refused"),
    ],
)
def test_a_failed_download_is_one_clear_line(server, monkeypatch, capsys, change, words):
    weights = change(WEIGHTS["mn04"].url)
    monkeypatch.setitem(WEIGHTS, "mn04", weights)
    assert main(["download", "weights", "mn04"]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith(f"advance: {weights.url}: ") and words in message and "\n" not in message
    assert f"download it by hand as {weights.path} (sha256 {weights.sha256})" in message
    left = [path.name for path in weights.path.parent.iterdir() if not path.name.endswith(".lock")]
    assert not left  # nothing half


def test_listen_says_what_to_fetch(tmp_path, capsys):
    (tmp_path / "any.wav").touch()
    assert main(["listen", str(tmp_path / "any.wav")]) == 2
    message = capsys.readouterr().err.strip()
    assert message.endswith("mn04_as_mAP_432.pt: no such file; fetch it with `advance download weights mn04`")


def test_unknown_weights():
    with pytest.raises(UserError, match="no weights 'mn99' to download; there are mn04, official"):
        fetch_weights("mn99")
    with pytest.raises(UserError, match="no weights 'mn99'; there are mn04, AudioSet, AID"):
        weights_file("mn99")


def test_the_authors_files_come_with_the_checksums_of_their_record(server, capsys, monkeypatch):
    for name in ("AudioSet", "AID"):
        with pytest.raises(UserError, match=r"\.pt: no such file; fetch it with `advance download weights official`$"):
            weights_file(name)
    assert main(["download", "weights", "official"]) == 0
    paths = [weights_file("AudioSet"), weights_file("AID")]
    assert capsys.readouterr() == (f"{paths[0]}\n{paths[1]}\n", "")
    for path in paths:
        assert path.read_bytes() == OFFICIAL[path.name]
        checksum, name = path.with_name(f"{path.name}.md5").read_text().split("  ")
        assert f"md5:{checksum}" == md5(OFFICIAL[path.name]) and name == f"{path.name}\n"
    assert len(server.asked) == 3
    monkeypatch.setattr(download, "ZENODO", "http://127.0.0.1:9/api")  # all is there: the network is not needed
    assert fetch_weights("official") == paths and len(server.asked) == 3


def test_a_damaged_file_of_the_authors_is_noticed_and_replaced(server):
    path = fetch_weights("official", QUICK)[1]
    path.write_bytes(b"of victures")
    with pytest.raises(UserError, match=r"AID_visual_pretrain\.pt: its checksum is not that of AID; fetch it with"):
        weights_file("AID")
    asked = len(server.asked)
    assert fetch_weights("official", QUICK)[1].read_bytes() == b"of pictures"
    assert len(server.asked) == asked + 2  # the record and the one file


def test_the_authors_files_put_there_by_hand(server, monkeypatch, tmp_path):
    """They are used as they are; a later download compares them with the record."""
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    for name, content in OFFICIAL.items():
        (tmp_path / name).write_bytes(content)
    assert weights_file("AID") == tmp_path / "AID_visual_pretrain.pt" and not server.asked
    fetch_weights("official", QUICK)
    assert server.asked == [(f"/api/records/{RECORD}", None)]


def test_a_record_without_one_of_the_files(server):
    server.add_record(RECORD, {"AID_visual_pretrain.pt": b"of pictures", "README.md": b"other"})
    with pytest.raises(UserError, match=r"has no audioset_audio_pretrain\.pt, but AID_visual_pretrain\.pt, README\.md"):
        fetch_weights("official", QUICK)


def test_without_network_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(download, "ZENODO", "http://127.0.0.1:9/api")
    assert main(["download", "weights", "official"]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("advance: http://127.0.0.1:9/api/records/4082894: cannot be reached (Connection refused)")
    assert message.endswith(f"put the files of https://zenodo.org/records/4082894 into {weights_folder()}")
    assert "\n" not in message
