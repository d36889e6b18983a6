"""Sphinx extension: docstrings written in plain text become links and code, and chapters tell their own goals."""

import json
import re
from collections import Counter
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.addnodes import desc_signature
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

# How docstrings call a chapter, where that is not the beginning of its title.
SHORT = {"claims": "The claims"}


def chapters(source: Path) -> dict[str, str]:
    """Return the first cell of each notebook in the table of contents, by the notebook's name and in order."""
    contents = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    files = [source / f"{chapter['file']}.ipynb" for part in contents["parts"] for chapter in part["chapters"]]
    cells = {file.stem: json.loads(file.read_text(encoding="utf-8"))["cells"][0] for file in files if file.exists()}
    return {name: "".join(cell["source"]) for name, cell in cells.items()}


def titles(first_cells: dict[str, str]) -> dict[str, str]:
    """Return how docstrings call the chapters, and the chapters' names."""
    called = {first.splitlines()[0].lstrip("# ").split(":")[0]: name for name, first in first_cells.items()}
    return called | {title: name for name, title in SHORT.items() if name in first_cells}


def linked_chapters(docstring: str, called: dict[str, str]) -> str:
    """Turn a module's last paragraph, ``Chapter: …`` or ``Chapters: …``, into links.

    Args:
        docstring: of a module.
        called: how docstrings call the chapters, and the chapters' names.
    """
    text, label, named = docstring.partition("\n\nChapter")
    either = "|".join(re.escape(title) for title in sorted(called, key=len, reverse=True))
    links = re.sub(either, lambda found: f":doc:`{found[0]} </book/{called[found[0]]}>`", " ".join(named.split()))
    return text + label + links


def as_rst(docstring: str, modules: dict[str, str]) -> str:
    """Return a docstring in reStructuredText: single backticks are code, linked where they name something here.

    Args:
        docstring: plain text with single and double backticks, and roles.
        modules: dotted names of the library's modules by their last part.
    """

    def code(name: str) -> str:
        if name in modules:
            return f":py:mod:`{name} <{modules[name]}>`"
        return f":py:obj:`{name}`" if name.isidentifier() else f"``{name}``"

    pieces = re.split(r"(:[\w:]+:`[^`]+`|``[^`]+``|`[^`\n]+`)", docstring)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            piece = re.sub(r"[*|\\]|_(?!\w)", r"\\\g<0>", piece)  # no emphasis, substitution or link is meant
            if "equation" in docstring.lower():
                piece = re.sub(r"(?<=\s)\((10|[1-9])\)", r":eq:`eq-\1`", piece)
        elif piece[0] == "`" and piece[1] != "`":
            piece = code(piece[1:-1])
        pieces[i] = piece
    return "".join(pieces)


def process(app, what, name, obj, options, lines) -> None:
    """Rewrite a docstring before the Google style is read."""
    text = "\n".join(lines)
    if what == "module":
        text = linked_chapters(text, titles(app.env.chapters))
    text = re.sub(r"^Returns:\n +", ":returns: ", text, flags=re.MULTILINE)  # else "One row: …" would be a type
    lines[:] = as_rst(text, app.env.library_modules).split("\n")
    app.env.before_napoleon = list(lines)


def restore(app, what, name, obj, options, lines) -> None:
    """Undo what the Google style makes of an attribute's text: it takes all before the first colon for a type."""
    if what == "attribute":
        lines[:] = app.env.before_napoleon


def skip(app, what, name, obj, skipped, options) -> bool | None:
    """Leave out the fields of named tuples, whose docstrings Python makes up; their class describes them."""
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field number") else None


class Typography(SphinxPostTransform):
    """What a sentence calls ``L_SQ|Na`` is typeset with subscripts, a hyphen before a number becomes a minus, 7% 7 %.

    Code and formulas stay as they are.
    """

    default_priority = 900

    def run(self, **_):
        from advance_lib.analysis.words import with_minus
        from advance_lib.figures.page import LOSS, typeset_table

        verbatim = nodes.literal | nodes.literal_block | nodes.math | nodes.math_block | nodes.raw | desc_signature
        for text in list(self.document.findall(nodes.Text)):
            above = text
            while above is not None and not isinstance(above, verbatim):
                above = above.parent
            if above is not None or text.parent is None:
                continue
            written, pieces, at = re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", with_minus(str(text))), [], 0
            for found in LOSS.finditer(written):
                index = nodes.subscript("", found[1])
                index += nodes.subscript("", found[2]) if found[2] else []
                pieces += [nodes.Text(written[at : found.start()]), nodes.emphasis("", "L"), index]
                at = found.end()
            if pieces or written != str(text):
                text.parent.replace(text, [*pieces, nodes.Text(written[at:])])
        for raw in [raw for raw in self.document.findall(nodes.raw) if 'class="dataframe"' in raw.astext()]:
            raw.replace_self(nodes.raw("", typeset_table(raw.astext()), format="html"))


class LearningGoals(SphinxDirective):
    """A list of the chapters, each with what it says that one will learn."""

    def run(self):
        found = []
        for name, first in self.env.chapters.items():
            goal = re.search(r"\*\*You will learn( to)?\*\*(.+?)(\n\n|$)", first, flags=re.DOTALL)
            if goal:
                infinitives = re.sub(r"(, |\band )to ", r"\1", " ".join(goal[2].split()))  # "students learn to" has it
                found.append(f"- [](/book/{name}.ipynb): {infinitives}")
        return self.parse_text_to_nodes("\n".join(found))


def link_sources(app, page, template, context, doctree) -> None:
    """Link each figure and table of a chapter to the chapter's notebook, and to its commit where a repository is told.

    The address of the repository is ``repository: url`` in ``_config.yml``.
    """
    if not app.env.doc2path(page).endswith(".ipynb") or "body" not in context:
        return
    name = page.rpartition("/")[2]
    links = f' <a class="runs" href="../_sources/{page}.ipynb" download="{name}.ipynb">source</a>'
    if repository := app.config.html_theme_options.get("repository_url"):
        from advance_lib.analysis.records import commit

        links += f' <a class="runs" href="{repository}/blob/{commit()}/{page}.ipynb">at its commit</a>'
    context["body"] = re.sub(r"(?=</figcaption></figure>)|(?<=Download this table as CSV</a>)", links, context["body"])


def begin(app, env, names) -> None:
    """Read the chapters once, before any page is read."""
    import advance_bench
    import advance_lib

    env.chapters = chapters(Path(app.srcdir))
    packages = [Path(package.__file__).parent for package in (advance_lib, advance_bench)]
    files = [(path, package.parent) for package in packages for path in package.rglob("[!_]*.py")]
    dotted = [".".join(path.relative_to(above).with_suffix("").parts) for path, above in files]
    last_parts = Counter(name.rpartition(".")[2] for name in dotted)
    env.library_modules = {last: name for name in dotted if last_parts[last := name.rpartition(".")[2]] == 1}


def setup(app) -> dict:
    """Called by Sphinx."""
    app.connect("env-before-read-docs", begin)
    app.connect("autodoc-process-docstring", process, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-skip-member", skip)
    app.connect("html-page-context", link_sources)
    app.add_directive("learning-goals", LearningGoals)
    app.add_post_transform(Typography)
    for name in ("sphinx-mathjax-offline", "sphinx_multitoc_numbering"):
        app.extensions[name].parallel_read_safe = True  # neither reads pages, nor says so
    return {"parallel_read_safe": True}
