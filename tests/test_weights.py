import hashlib

import pytest

from advance_lib.cache import UserError
from advance_lib.cli import main
from advance_lib.networks.weights import WEIGHTS, Weights, fetch_weights, weights_file, weights_folder

CONTENT = b"a few numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("ADVANCE_WEIGHTS", raising=False)


@pytest.fixture
def server(web, monkeypatch):
    """Serves a tiny file in place of the real one; holds the paths that it was asked for."""
    address, asked = web("/v1/tiny.pt", CONTENT)
    monkeypatch.setitem(WEIGHTS, "mn04", Weights(address, SHA256))
    return asked


def test_kept_beside_the_build_folder_or_where_one_says(build, monkeypatch, tmp_path):
    assert weights_folder() == build.parent / "data" / "weights"
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path / "mine"))
    assert WEIGHTS["mn04"].path == tmp_path / "mine" / "mn04_as_mAP_432.pt"


def test_downloaded_once(server, build, capsys):
    path = build.parent / "data" / "weights" / "tiny.pt"
    for _ in range(2):
        assert main(["download", "weights", "mn04"]) == 0
    assert capsys.readouterr() == (f"{path}\n{path}\n", "")
    assert path.read_bytes() == CONTENT and weights_file("mn04") == path
    assert server == ["/v1/tiny.pt"]


def test_a_file_put_there_by_hand_is_not_fetched(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ADVANCE_WEIGHTS", str(tmp_path))
    (tmp_path / "tiny.pt").write_bytes(CONTENT)
    assert fetch_weights("mn04") == weights_file("mn04") == tmp_path / "tiny.pt"
    assert not server


def test_a_damaged_file_is_noticed_and_replaced(server):
    path = fetch_weights("mn04")
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"tiny\.pt: its checksum .*`advance download weights mn04`$"):
        weights_file("mn04")
    assert fetch_weights("mn04").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: Weights(url, "0" * 64), "hash"),
        (lambda url: Weights(url.replace("tiny", "other"), SHA256), "404"),
        (lambda url: Weights("http://127.0.0.1:9/v1/other.pt", SHA256), "refused"),
    ],
)
def test_a_failed_download_is_one_clear_line(server, monkeypatch, capsys, change, words):
    weights = change(WEIGHTS["mn04"].url)
    monkeypatch.setitem(WEIGHTS, "mn04", weights)
    assert main(["download", "weights", "mn04"]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith(f"advance: {weights.url}: ") and words in message and "\n" not in message
    assert f"download it by hand as {weights.path} (sha256 {weights.sha256})" in message
    assert not list(weights.path.parent.iterdir())  # nothing half is left


def test_listen_says_what_to_fetch(tmp_path, capsys):
    (tmp_path / "any.wav").touch()
    assert main(["listen", str(tmp_path / "any.wav")]) == 2
    message = capsys.readouterr().err.strip()
    assert message.endswith("mn04_as_mAP_432.pt: no such file; fetch it with `advance download weights mn04`")


def test_unknown_weights():
    for function in (fetch_weights, weights_file):
        with pytest.raises(UserError, match="no weights 'mn99'; there are mn04"):
            function("mn99")
