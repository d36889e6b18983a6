"""Zip archives of others, unpacked without trusting them: nothing outside the folder, nothing more than declared.

Chapter: Building a dataset.
"""

import lzma
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from tqdm import tqdm

from advance_lib.cache import UserError, digest
from advance_lib.data.fetching import require_space

# What zipfile lets through from damaged files; ValueError: names that are no text, offsets that lie nowhere.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError)


class ArchiveError(UserError):
    """An archive that is damaged or not to be trusted; the message has its name and the member's."""


def _objection(member: zipfile.ZipInfo) -> str:
    """Return what speaks against unpacking a member, or ``""``."""
    # Windows' reading of a name takes both slashes and drive letters for what they could mean anywhere.
    name = PureWindowsPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if name.anchor:
        return "has an absolute path"
    if ".." in name.parts:
        return "leads out of the folder"
    if "\\" in member.filename or not (name.parts or member.filename.endswith("/")):
        return "has no usable name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    return ""


def _members(zipped: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, after a look at all members."""
    names: set[str] = set()
    members = zipped.infolist()
    for member in members:
        # Names that differ in capitals alone are one file on some disks.
        objection = "occurs twice" if member.filename.casefold() in names else _objection(member)
        if objection:
            raise ArchiveError(f"{zipped.filename}: {member.filename!r} {objection}; nothing was unpacked")
        names.add(member.filename.casefold())
    return [member for member in members if not member.is_dir()]


def _is_there(path: Path, member: zipfile.ZipInfo) -> bool:
    return path.is_file() and path.stat().st_size == member.file_size and zlib.crc32(path.read_bytes()) == member.CRC


def extract(archive: Path, folder: Path) -> Path:
    """Unpack a zip archive into a new folder, which appears when it is whole.

    An interrupted extraction goes on where it stopped. Members become plain files with the permissions of new ones.

    Args:
        archive: a zip file.
        folder: must not exist, else it is returned as it is.

    Raises:
        ArchiveError: no zip file, a truncated or damaged one, one with members that are absolute, lead out of the
            folder, are links, are encrypted or occur twice, or one that holds more than it declares.
        UserError: the disk has no room for what it declares.
    """
    if folder.exists():
        return folder
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = _members(zipped)
            key = digest([(member.filename, member.CRC, member.file_size) for member in members])
            partial = folder.with_name(f".{folder.name}.{key}.partial")
            missing = [member for member in members if not _is_there(partial / member.filename, member)]
            require_space(folder.parent, sum(member.file_size for member in missing), f"unpacking {archive.name}")
            for member in tqdm(missing, f"unpacking {archive.name}", leave=False):
                file = partial / member.filename
                file.parent.mkdir(parents=True, exist_ok=True)
                # zipfile stops at the declared size; that there was more shows in the checksum.
                with zipped.open(member) as source, open(file, "wb") as out:
                    shutil.copyfileobj(source, out)
                    if out.tell() < member.file_size:
                        raise zipfile.BadZipFile(f"{member.filename!r} holds less than it declares")
            partial.mkdir(parents=True, exist_ok=True)  # of an empty archive
            os.replace(partial, folder)
    except DAMAGE as error:
        raise ArchiveError(
            f"{archive}: a damaged or truncated archive ({error or 'it ends too early'}); remove it and fetch it again"
        ) from None
    except OSError as error:
        raise UserError(
            f"{archive}: cannot be unpacked to {folder} ({error.strerror or error}); mend that and retry"
        ) from None
    return folder
