"""ONNX Runtime Web, with which the page Try it recognises: fetched with npm, checked, and kept beside the books.

``python workflow/runtime.py``, or ``make try``. It is no part of the project: the books build without it.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from advance_lib.cache import UserError, build_folder, written_whole

VERSION = "1.30.0"
SHA512 = (  # of the package, as its registry states it
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
FOLDER = "onnxruntime-web"  # below the build folder; `figures.try_it` looks for it there
PATIENCE = 180  # seconds
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def unpack(package: Path, folder: Path) -> None:
    """Keep the three files of a package that a page needs.

    Raises:
        UserError: it is not the package that was pinned.
    """
    if hashlib.sha512(package.read_bytes()).hexdigest() != SHA512:
        raise UserError(f"{package.name}: not the file that was pinned here (its sha512 differs); nothing was kept")
    with tarfile.open(package) as archive:
        for name in FILES:
            with written_whole(folder / name) as partial:
                partial.write_bytes(archive.extractfile(f"package/dist/{name}").read())


def fetch(folder: Path) -> None:
    """Fetch the package with npm and keep what a page needs of it.

    Raises:
        UserError: npm is not there or fails, or as `unpack`.
    """
    if not shutil.which("npm"):
        raise UserError("npm is needed, which comes with Node.js; install it, or leave the page as it is")
    with tempfile.TemporaryDirectory() as here:
        command = ["npm", "pack", "--silent", f"onnxruntime-web@{VERSION}"]
        try:
            done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError(f"npm had no answer for {PATIENCE} seconds; is there a network?") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise UserError(f"`{' '.join(command)}` failed: {said[-1] if said else 'it did not say why'}")
        unpack(Path(here, f"onnxruntime-web-{VERSION}.tgz"), folder)


if __name__ == "__main__":
    try:
        fetch(build_folder() / FOLDER)
    except UserError as error:
        sys.exit(f"runtime.py: {error}")
    print(f"{build_folder() / FOLDER}: build the book again, and look at it with `make serve`")
