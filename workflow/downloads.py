"""The notebooks that pages offer for download, made so that they open anywhere.

On a page a chapter's pictures and sounds are files beside it, which do not travel with the notebook. Small ones are put
into it; what holds a large one, or a script, gives way to a sentence. The first cell says how to get the companion.
"""

import base64
import mimetypes
import re
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from advance_lib.cache import written_whole
from graph import CHECKOUT

SMALL = 150_000  # bytes of all files that one output shows
LINK = re.compile(r'(src|href)="[^"]*/site/([0-9a-f]{12}-([^"]+))"( download="[^"]*")?')
ENLARGED = re.compile(r'<a href="([^"]+)">(<img src="\1"[^>]*>)</a>')
LEFT_OUT = "*What stands here on the page needs files or a script beside it: run the notebook to see it.*"

HEAD = """> This is a chapter of *The ADVANCE companion*, as it was executed{when}. To run it, get the companion{where},
> put this file into the folder `book`, and open it with `make lab`, which installs everything into an environment of
> its own. In an environment of yours, `pip install -e '.[book,construct]'` in the companion's folder does."""


def repository(config: Path = CHECKOUT / "_config.yml") -> str:
    """Return the address of the companion's repository, empty where none is configured (``repository.url``)."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    return (settings.get("repository") or {}).get("url", "").rstrip("/")


def portable(executed: NotebookNode, files: Path, address: str = "") -> NotebookNode:
    """Return an executed chapter for use elsewhere.

    Args:
        executed: the chapter, whose outputs may link to ``…/site/HASH-NAME``.
        files: the folder in which those files lie.
        address: of the companion's repository, if it has one.
    """
    made = executed.metadata.get("papermill", {})
    for path in ("input_path", "output_path"):
        made.pop(path, None)
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            output.get("metadata", {}).get("advance", {}).pop("list", None)
            for mime, text in output.get("data", {}).items():
                if isinstance(text, str) and mime in ("text/html", "text/markdown"):
                    output.data[mime] = _embedded(text, files)
            if LEFT_OUT in output.get("data", {}).values():
                output.data = NotebookNode({"text/markdown": LEFT_OUT, "text/plain": LEFT_OUT})
    when = f" on {made['start_time'][:10]}" if "start_time" in made else ""
    where = f" (`git clone {address}`)" if address else ""
    head = nbformat.v4.new_markdown_cell(HEAD.format(when=when, where=where), id="the-companion")
    executed.cells.insert(0, head)
    # What an output says may hold a path of this machine as well.
    return nbformat.reads(nbformat.writes(executed).replace(f"{CHECKOUT}/", ""), as_version=4)


def _embedded(text: str, files: Path) -> str:
    text = ENLARGED.sub(r"\2", text)
    links = LINK.findall(text)
    sizes = [(files / name).stat().st_size for _, name, *_ in links if (files / name).is_file()]
    whole = len(sizes) == len(links) and text.count("/site/") == len(links)
    if "<script" in text or not whole or sum(sizes) > SMALL:
        return LEFT_OUT

    def inside(link: re.Match) -> str:
        content = base64.b64encode((files / link[2]).read_bytes()).decode()
        saved = f' download="{link[3]}"' if link[1] == "href" else ""
        return f'{link[1]}="data:{mimetypes.guess_type(link[3])[0]};base64,{content}"{saved}'

    return LINK.sub(inside, text)


def make_portable(pages: Path, files: Path) -> None:
    """Rewrite the notebooks that the pages of a site offer for download.

    Args:
        pages: folder of the site; Sphinx has copied the sources of its pages into ``_sources``.
        files: the folder of the files that outputs link to.
    """
    address = repository()
    for path in sorted((pages / "_sources").rglob("*.ipynb")):
        notebook = portable(nbformat.read(path, as_version=4), files, address)
        with written_whole(path) as partial:
            nbformat.write(notebook, partial)
