"""What a sound file's header claims and what is there: sizes left open, streams cut off, formats that are not read.

libsndfile decodes no further than a length that it takes from the header or estimates from it. Where that length is
wrong and the samples are there, it is given the same stream behind a corrected head.

Chapter: The dataset.
"""

import io
import os
import struct
from pathlib import Path
from shlex import quote

OPEN_ENDED = 1 << 16  # bytes around multiples of 2 GiB: programs that write to a pipe claim such sizes
LAST_PAGE = 1 << 17  # bytes, twice the largest page of an Ogg stream

NOT_READ = {
    ".m4a": "AAC in MP4", ".mp4": "AAC in MP4", ".m4b": "AAC in MP4", ".aac": "AAC", ".wma": "Windows Media",
    ".opus": "Opus", ".oga": "Ogg", ".amr": "AMR", ".3gp": "AMR or AAC", ".aif": "AIFF", ".aiff": "AIFF",
    ".caf": "Core Audio", ".webm": "WebM", ".mka": "Matroska", ".gsm": "GSM", ".ape": "Monkey's Audio",
    ".wv": "WavPack", ".ac3": "AC-3", ".au": "AU", ".mp2": "MPEG layer II",
}  # fmt: skip
OTHERS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b"caff", b".snd", b"riff")  # read by libsndfile
CODECS = {
    0x50: "MPEG layer II", 0x55: "MP3", 0xFF: "AAC", 0x160: "Windows Media", 0x161: "Windows Media",
    0x162: "Windows Media", 0x163: "Windows Media", 0x1600: "AAC", 0x1610: "AAC", 0x2000: "AC-3", 0x2001: "DTS",
    0x674F: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis", 0x704F: "Opus", 0xA106: "AAC", 0xF1AC: "FLAC",
    0x0022: "TrueSpeech", 0x0130: "ACELP", 0x0042: "G.723.1", 0x0083: "G.729", 0x0270: "ATRAC3",
}  # fmt: skip
FOREIGN = [
    (4, b"ftyp", "AAC, or another format in MP4"),
    (0, b"ADIF", "AAC"),
    (0, bytes.fromhex("3026b2758e66cf11"), "Windows Media"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"TTA1", "True Audio"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"\x0bw", "AC-3"),
    (0, b"MThd", "MIDI, which holds notes and no sound"),
    (28, b"Speex   ", "Speex in Ogg"),
]


class _SameStream(io.RawIOBase):
    """A file whose first bytes, up to ``tail``, are replaced by a head of any length."""

    def __init__(self, path: Path, head: bytes, tail: int):
        self._head, self._tail, self._at = head, tail, 0
        self._file = open(path, "rb")  # noqa: SIM115  closed with this
        self._size = len(head) + max(os.fstat(self._file.fileno()).st_size - tail, 0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer) -> int:
        if self._at < len(self._head):
            data = self._head[self._at : self._at + len(buffer)]
        else:
            self._file.seek(self._at - len(self._head) + self._tail)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def stream(path: Path) -> tuple[Path | io.RawIOBase, bool]:
    """Return (what libsndfile is to decode, whether the stream is cut off).

    The first is the file itself, or a stream with a corrected head, to be closed: of a WAV file whose sizes were never
    filled in, and of an MP3 file that does not say, or says wrongly, how many frames it has. Libraries below libsndfile
    print complaints of what is no MP3 file, so it is an empty stream then.
    """
    with open(path, "rb") as file:
        magic = file.read(12)
        file.seek(0)
        if magic[:4] in (b"RIFF", b"RIFX", b"RF64"):
            return _wave(path, file)
        if magic[:4] == b"OggS":
            return path, not _ogg_ends(file)
        if magic[:3] == b"ID3" or path.suffix.lower() == ".mp3" or _Mp3Frame.of(magic):
            return _mp3(path, file)
    return path, False


def _wave(path: Path, file: io.BufferedReader) -> tuple[Path | io.RawIOBase, bool]:
    size = os.fstat(file.fileno()).st_size
    order = ">" if file.read(4) == b"RIFX" else "<"
    whole, at, long_size = int.from_bytes(file.read(4), "big" if order == ">" else "little"), 12, None
    while True:
        file.seek(at)
        if len(chunk := file.read(8)) < 8:
            return path, False
        claimed = struct.unpack(f"{order}4xI", chunk)[0]
        if chunk[:4] == b"ds64" and len(sizes := file.read(16)) == 16:  # of an RF64 file
            long_size = struct.unpack("<8xQ", sizes)[0]
        if chunk[:4] == b"data":
            break
        at += 8 + claimed + claimed % 2
    begin = at + 8
    there = size - begin
    if long_size is not None and claimed == 0xFFFFFFFF:
        claimed = long_size
    if claimed == 0 < there and not _only_chunks(file, begin, order):
        file.seek(0)
        head = bytearray(file.read(begin))
        head[4:8] = struct.pack(f"{order}I", min(size - 8, 0xFFFFFFFF))
        head[-4:] = struct.pack(f"{order}I", min(there, 0xFFFFFFFF))
        return _SameStream(path, bytes(head), begin), False
    left_open = claimed > 1 << 30 and (claimed + OPEN_ENDED) % (1 << 31) < 2 * OPEN_ENDED
    # A file that reaches the end its head states is whole. A byte of grace: some forget the padding of odd chunks.
    return path, claimed > there + 1 and not left_open and (whole == 0 or whole + 8 > size + 1)


def _only_chunks(file: io.BufferedReader, at: int, order: str) -> bool:
    """Return whether a RIFF file goes on with chunks to its end."""
    size = os.fstat(file.fileno()).st_size
    while at + 8 <= size:
        file.seek(at)
        chunk = file.read(8)
        if not all(32 <= byte < 127 for byte in chunk[:4]):
            return False
        claimed = struct.unpack(f"{order}4xI", chunk)[0]
        at += 8 + claimed + claimed % 2
    return at - 1 <= size <= at  # the last one may lack its padding


def _ogg_ends(file: io.BufferedReader) -> bool:
    """Return whether the last page of an Ogg stream is whole and marked as the last."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - LAST_PAGE))
    tail = file.read()
    at = tail.rfind(b"OggS\0")
    if at < 0 or len(tail) < at + 27 or len(tail) < at + 27 + tail[at + 26]:
        return False
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    return bool(tail[at + 5] & 4) and len(tail) >= at + 27 + len(table) + sum(table)


RATES = (44_100, 48_000, 32_000)
KBPS = {
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class _Mp3Frame:
    """The header of one frame of MPEG layer III."""

    def __init__(self, bits: int):
        version = {3: 1, 2: 2, 0: 2}[bits >> 19 & 3]  # 0 is version 2.5
        self.bits = bits
        self.kind = bits & 0xFFFE0C00  # version, layer and rate, the same for all frames of a stream
        rate = RATES[bits >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[bits >> 19 & 3]
        kbps = KBPS[version][(bits >> 12 & 15) - 1]
        self.length = (144 if version == 1 else 72) * 1000 * kbps // rate + (bits >> 9 & 1)
        mono = bits >> 6 & 3 == 3
        self.tag_at = 4 + ((17 if mono else 32) if version == 1 else (9 if mono else 17))

    @classmethod
    def of(cls, head: bytes) -> "_Mp3Frame | None":
        bits = int.from_bytes(head[:4], "big")
        if len(head) < 4 or bits >> 21 != 0x7FF or bits >> 19 & 3 == 1 or bits >> 17 & 3 != 1:
            return None
        return None if bits >> 12 & 15 in (0, 15) or bits >> 10 & 3 == 3 else cls(bits)

    def promised(self, frame: bytes) -> int | None:
        """Return how many frames this one says will follow; -1 where it is a tag without that, None where none."""
        tag = frame[self.tag_at : self.tag_at + 12]
        if tag[:4] in (b"Xing", b"Info") and len(tag) == 12:
            return int.from_bytes(tag[8:12], "big") if tag[7] & 1 else -1
        return int.from_bytes(frame[50:54], "big") if frame[36:40] == b"VBRI" else None

    def announcing(self, frames: int) -> bytes:
        """Return a frame of silence, in the manner of this one, that says how many follow (Xing's tag)."""
        for index in range(1, 15):
            quiet = _Mp3Frame(self.bits & ~0xF200 | index << 12 | 1 << 16)  # no padding, no checksum
            if quiet.length >= self.tag_at + 12:
                break
        tag = quiet.bits.to_bytes(4, "big").ljust(quiet.tag_at, b"\0") + b"Xing" + struct.pack(">II", 1, frames)
        return tag.ljust(quiet.length, b"\0")


def _mp3(path: Path, file: io.BufferedReader) -> tuple[Path | io.RawIOBase, bool]:
    size, at = os.fstat(file.fileno()).st_size, 0
    while (tag := file.read(10))[:3] == b"ID3" and len(tag) == 10:  # its size has seven bits a byte
        length = sum((byte & 127) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        at += 10 + length + (10 if tag[5] & 16 else 0)
        file.seek(at)
    if tag[:4] in OTHERS or (tag[:1] == b"\xff" and tag[1] & 0xE4 == 0xE4):  # layers I and II among them
        return path, False
    at = _next_frame(file, at, None)
    if at is None:
        return _SameStream(path, b"", size), False
    file.seek(at)
    head = file.read(256)
    first = _Mp3Frame.of(head)
    promised = first.promised(head)
    if promised is not None:
        at += first.length
    begin, frames = at, 0
    while at is not None and at + 4 <= size:
        file.seek(at)
        frame = _Mp3Frame.of(file.read(4))
        if frame is None or frame.kind != first.kind:
            at = _next_frame(file, at + 1, first.kind)  # a tag at the end, or damage
        elif (at := at + frame.length) <= size:
            frames += 1
    # Some writers count the frame of the tag as well.
    if promised in (frames, frames + 1) or frames == 0:
        return path, False
    return _SameStream(path, first.announcing(frames), begin), promised is not None and promised > frames


def _next_frame(file: io.BufferedReader, at: int, kind: int | None) -> int | None:
    """Return where the next frame begins that another one follows, or None."""
    step = 1 << 16
    while True:
        file.seek(at)
        data = file.read(step + 3)
        if len(data) < 4:
            return None
        for index in range(min(step, len(data) - 3)):
            if data[index] == 0xFF and (frame := _Mp3Frame.of(data[index : index + 4])):
                file.seek(at + index + frame.length)
                following = _Mp3Frame.of(file.read(4))
                if following and following.kind == frame.kind and kind in (None, frame.kind):
                    return at + index
        at += step


def foreign_format(path: Path) -> str:
    """Return the name of a format that is not read, by the first bytes of a file, or an empty text."""
    with open(path, "rb") as file:
        head = file.read(4096)
    for at, magic, name in FOREIGN:
        if head[at : at + len(magic)] == magic:
            return name
    if len(head) > 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # a frame's length leads to the next one
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if head[length : length + 2] in (b"", head[:2]):
            return "AAC"
    return "GSM 06.10 without a header" if _is_bare_gsm(path) else ""


def to_wav(path: Path) -> str:
    """Return how a recording of any format becomes one that is read and keeps its id."""
    name = path.stem + (".flac" if path.suffix.lower() == ".wav" else ".wav")
    given = "-f gsm " if _is_bare_gsm(path) else ""
    return f"convert it in its place with `ffmpeg {given}-i {quote(path.name)} {quote(name)}`"


def _is_bare_gsm(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(33 * 100)
    return len(head) >= 99 and all(byte >> 4 == 0xD for byte in head[: len(head) // 33 * 33 : 33])


def is_text(head: bytes) -> bool:
    """Return whether the beginning of a file looks like text, in ASCII or a superset of it."""
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)


def why_not_read(path: Path) -> str:
    """Return what a file is that libsndfile takes for no recording, with a remedy."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE" and (at := head.find(b"fmt ")) > 0:
        codec = struct.unpack(f"{'>' if head[:4] == b'RIFX' else '<'}H", head[at + 8 : at + 10].ljust(2, b"\0"))[0]
        if name := CODECS.get(codec):
            return f"a WAV file with {name} in it is not read; {to_wav(path)}, or remove the pair"
    if head[:4] in OTHERS or head[:3] == b"ID3":
        return "a damaged sound file, or one of a kind that is not read; fetch it again, convert it or remove the pair"
    if is_text(head):
        return "not a sound file but a text, such as a server's notice; fetch it again or remove the pair"
    return f"not a WAV, FLAC, Ogg or MP3 file; if it plays elsewhere, {to_wav(path)}, otherwise remove the pair"
