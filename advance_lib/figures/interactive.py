"""Figures that answer: a still picture, and a script that lets the reader move what it shows.

The scripts are plain JavaScript, ``figures/scripts/``, one file a figure. They need neither a library nor a network,
and work where a page is opened from a disk.
"""

import json
from importlib.resources import files

from IPython.display import HTML

from advance_lib.figures.page import site_file

INLINE = 20_000  # characters of data that may stand in the page; more lies in a file beside it
# A browser reads no data from a disk, but it does run a script from there: data in a file is a script, too.
_START = """
  const box = document.currentScript.previousElementSibling;
  const start = data => { box.replaceChildren(); figure(box, data); box.dataset.ready = 'yes'; };
  const inline = DATA;
  if (inline) return start(inline);
  const source = document.createElement('script');
  source.src = box.querySelector('a.data').href;
  source.onload = () => start(window.advanceData['NAME']);
  document.head.append(source);
"""


def interactive(name: str, data: object, still: str) -> HTML:
    """Return a figure that answers, for `page.show`.

    Args:
        name: of ``scripts/NAME.js``, which holds ``const figure = (box, data) => {…};`` and may use what ``kit.js``
            makes. Once it has drawn into ``box``, an element, that has ``data-ready="yes"``.
        data: what the script shows, as JSON can hold it; photographs and sounds are addresses, as `page.image_file` and
            `page.sound_file` return them.
        still: HTML shown where no script runs; it says the same in one view.
    """
    scripts = files("advance_lib.figures") / "scripts"
    code = "".join((scripts / f"{file}.js").read_text(encoding="utf-8") for file in ("kit", name))
    written, link = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/"), ""
    if len(written) > INLINE:
        file = site_file(f"{name}.js", f"(window.advanceData ??= {{}})['{name}'] = {written};".encode())
        link, written = f'<a class="data" href="{file}">The data of this figure</a>', "null"
    start = _START.replace("NAME", name).replace("DATA", written)
    box = f'<div class="interactive" data-figure="{name}">{still}{link}</div>'
    return HTML(f"{box}<script>(() => {{\n{code}{start}}})();</script>")
