"""What every page must be in a browser: each check takes a loaded page and returns the problems that it found."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from runtime import FOLDER as RUNTIME

ROOT = Path(__file__).parents[3]
SITE = ROOT / "_build" / "books" / "smoke-miniature" / "html"
TELEPHONE, TABLET, LAPTOP = 390, 768, 1280
WIDTHS = (TELEPHONE, TABLET, LAPTOP, 1440, 1920)
PAPER = 718  # px: the width of A4 between margins of a centimetre
SMALLEST = 9  # px: what can be read in a figure; on a telephone figures are opened and enlarged
# Faults of Sphinx's markup, not of the book: a rule of axe-core, and elements on which it is not asked.
SPHINX_FAULTS = {
    "aria-required-children": ".citation-list",  # a list whose entries have the role doc-biblioentry
    "definition-list": "dt.sig > dl",  # the parameters of a long signature: definitions without terms
}

FORMULAS = r"""() => {
  const problems = [...document.querySelectorAll('.math')]
    .filter(formula => !formula.querySelector('mjx-container')).map(formula => 'not rendered: ' + formula.textContent);
  for (const error of document.querySelectorAll('mjx-merror, mjx-mtext[style*="color: red"]')) {
    const [formula] = MathJax.startup.document.getMathItemsWithin(error.closest('mjx-container').parentElement);
    problems.push('not understood: ' + formula.math);
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement.closest('pre, code, script, style, .math')
        && /\\[([]|\$\$|\$[^$\s][^$]*\$/.test(text.data)) problems.push('raw TeX: ' + text.data.trim());
  }
  return problems;
}"""
PICTURES = """() => Promise.all([...document.images].map(async image => {
  image.loading = 'eager';
  await image.decode().catch(() => {});
  const name = image.getAttribute('src').slice(0, 80);
  return [image.naturalWidth ? '' : 'no picture: ' + name, image.alt.trim() ? '' : 'no alternative text: ' + name];
})).then(found => found.flat().filter(Boolean))"""
PLAYERS = """() => Promise.all([...document.querySelectorAll('audio')].map(async audio => {
  if (audio.readyState < 1 && !audio.error) await new Promise(done => {
    for (const event of ['loadedmetadata', 'error']) audio.addEventListener(event, done);
    setTimeout(done, 20000);
    audio.load();
  });
  return Number.isFinite(audio.duration) && audio.duration > 0 ? '' : 'no sound: ' + audio.getAttribute('src');
})).then(found => found.filter(Boolean))"""
TOO_WIDE = """() => {
  const root = document.documentElement, beyond = root.scrollWidth - root.clientWidth;
  if (beyond <= 1) return [];
  const clipped = element => element !== document.body
    && (getComputedStyle(element).overflowX !== 'visible' || clipped(element.parentElement));
  const [widest] = [...document.body.querySelectorAll('*')].filter(element => !clipped(element.parentElement))
    .sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right);
  return [`${beyond} px too wide at ${root.clientWidth} px: ${widest.outerHTML.slice(0, 120)}`];
}"""
# Every slide of a deck in turn, on a screen of its own size: what lies over the edge, under the words, or is too small.
SLIDES = """async smallest => {
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  const problems = [];
  for (const [number, slide] of Reveal.getSlides().entries()) {
    Reveal.slide(number);
    await new Promise(requestAnimationFrame);
    const say = text => problems.push(`slide ${number + 1}, ${slide.querySelector('h2').textContent}: ${text}`);
    const inside = (element, frame) => {
      const [box, edge] = [element.getBoundingClientRect(), frame.getBoundingClientRect()];
      return !box.width || (box.left >= edge.left - 1 && box.top >= edge.top - 1
        && box.right <= edge.right + 1 && box.bottom <= edge.bottom + 1);
    };
    const seen = [...slide.querySelectorAll('*')].filter(element => !element.closest('.notes, mjx-container *, svg *'));
    const over = seen.find(element => !inside(element, element.parentElement.closest('.looked-at') || slide));
    if (over) say(`over the edge: ${over.outerHTML.slice(0, 100)}`);
    const hidden = seen.find(element => getComputedStyle(element).overflow !== 'visible'
      && (element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1));
    if (hidden) say(`cut: ${hidden.outerHTML.slice(0, 100)}`);
    const small = seen.find(element => !element.closest('mjx-container, sub, sup, svg, option')
      && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
      && element.getBoundingClientRect().width && parseFloat(getComputedStyle(element).fontSize) < smallest);
    if (small) say(`small letters: ${small.outerHTML.slice(0, 100)}`);
  }
  return problems;
}"""
# A room is the content box of what a table or figure stands in. What scrolls there must show it: a shadow at the edge,
# which is a background that scrolls along (`background-attachment: local`).
OUT_OF_ROOM = """() => {
  const problems = [], width = document.documentElement.clientWidth;
  const scrolls = element => element && element !== document.body && (['auto', 'scroll'].includes(
    getComputedStyle(element).overflowX) && getComputedStyle(element).backgroundAttachment.includes('local')
    || scrolls(element.parentElement));
  for (const element of document.querySelectorAll('article :is(table, figure, figure img, figure svg, .interactive)')) {
    const box = element.getBoundingClientRect();
    if (!box.width || element.closest('mjx-container') || scrolls(element.parentElement)) continue;
    let around = element.parentElement;
    while (['inline', 'contents'].includes(getComputedStyle(around).display)) around = around.parentElement;
    const style = getComputedStyle(around), padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const left = around.getBoundingClientRect().left + around.clientLeft + parseFloat(style.paddingLeft);
    const right = left + around.clientWidth - padding;
    if (box.left < left - 1 || box.right > right + 1) problems.push(`out of its room at ${width} px: `
      + `${Math.round(box.width)} px in ${Math.round(right - left)}: ${element.outerHTML.slice(0, 120)}`);
  }
  return problems;
}"""
SMALL_TEXT = """smallest => {
  const problems = [], width = document.documentElement.clientWidth;
  const look = (size, text) => {
    if (size < smallest - 0.05) problems.push(`small text at ${width} px: ${size.toFixed(1)} px: ${text}`);
  };
  for (const image of document.querySelectorAll('article img[data-smallest]')) {
    const shown = image.getBoundingClientRect().width / image.naturalWidth;
    look(image.dataset.smallest * 4 / 3 * shown, image.getAttribute('src').slice(-60));
  }
  for (const figure of document.querySelectorAll('article :is(figure, .interactive)')) {
    const texts = document.createTreeWalker(figure, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
      if (!text || element.closest('script, style, mjx-container, sub, sup')) continue;
      if (!element.getClientRects().length) continue;
      const scale = element.closest('svg') ? Math.hypot(element.getScreenCTM().a, element.getScreenCTM().b) : 1;
      look(parseFloat(getComputedStyle(element).fontSize) * scale, text.slice(0, 60));
    }
  }
  return [...new Set(problems)];
}"""
ELEMENTS = """([rule, targets, known]) => targets.map(target => document.querySelector(target))
  .filter(element => !element.matches(known)).map(element => `${rule}: ${element.outerHTML.slice(0, 160)}`)"""


def load(page: Page, address: str) -> list[str]:
    """Open an address, wait for its formulas, and return what failed; what fails later is added to the list."""
    problems = []

    def asked(request):
        if urlsplit(request.url).netloc not in (urlsplit(address).netloc, ""):
            problems.append(f"another host: {request.url}")

    def failed(request):
        # A player that knows its duration breaks the transfer off; `players` looks at what it got.
        if request.resource_type != "media":
            problems.append(f"failed request: {request.url} ({request.failure})")

    def answered(response):
        if response.status >= 400:
            problems.append(f"failed request: {response.url} ({response.status})")

    def printed(message):
        if message.type == "error":
            problems.append(f"console: {message.text}")

    listeners = {"request": asked, "requestfailed": failed, "response": answered, "console": printed}
    for event, listener in listeners.items():
        page.on(event, listener)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.goto(address)
    page.wait_for_function("!document.querySelector('script[src*=mathjax]') || window.MathJax?.startup?.promise")
    page.evaluate("async () => { await window.MathJax?.startup?.promise }")
    return problems


def formulas(page: Page) -> list[str]:
    """Return formulas that MathJax left alone or did not understand, and TeX in the running text."""
    return page.evaluate(FORMULAS)


def pictures(page: Page) -> list[str]:
    """Return pictures that are not there or have no alternative text."""
    return page.evaluate(PICTURES)


def players(page: Page) -> list[str]:
    """Return players without a sound of finite duration."""
    return page.evaluate(PLAYERS)


def links(page: Page, site: Path) -> list[str]:
    """Return links into the served folder that lead to no file of it, or to an anchor that its file lacks."""
    problems = []
    origin = page.evaluate("location.origin")
    for address in sorted(set(page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)"))):
        url = urlsplit(address)
        file = site / unquote(url.path).lstrip("/")
        if not address.startswith(f"{origin}/"):
            continue
        if not file.is_file():
            problems.append(f"no such file: {url.path}")
        elif url.fragment.strip("/") and f'id="{unquote(url.fragment)}"' not in file.read_text(encoding="utf-8"):
            problems.append(f"no such anchor: {url.path}#{url.fragment}")
    return problems


def too_wide(page: Page) -> list[str]:
    """Return where the whole page scrolls sideways."""
    problems = []
    for width in (TELEPHONE, TABLET, LAPTOP):
        page.set_viewport_size({"width": width, "height": 900})
        problems += page.evaluate(TOO_WIDE)
    return problems


def slides(page: Page) -> list[str]:
    """Return what does not fit on the slides of a deck, 1280 by 800 pixels, or is written in less than 20 pixels."""
    page.set_viewport_size({"width": 1280, "height": 800})
    return page.evaluate(SLIDES, 20)


def out_of_room(page: Page) -> list[str]:
    """Return tables and figures that are wider than what they stand in, unless that scrolls and shows that it does.

    On paper nothing scrolls, and so they must be whole.
    """
    problems = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        problems += page.evaluate(OUT_OF_ROOM)
    page.set_viewport_size({"width": PAPER, "height": 900})
    page.emulate_media(media="print")  # nothing scrolls there
    problems += [f"on paper: {problem}" for problem in page.evaluate(OUT_OF_ROOM)]
    page.emulate_media(media="screen")
    return problems


def small_text(page: Page) -> list[str]:
    """Return text in figures that is too small on a laptop and wherever there is more room.

    What is set below or above a line counts with that line.
    """
    problems = []
    for width in (width for width in WIDTHS if width >= LAPTOP):
        page.set_viewport_size({"width": width, "height": 900})
        problems += page.evaluate(SMALL_TEXT, SMALLEST)
    return problems


def accessibility(page: Page) -> list[str]:
    """Return what axe-core calls serious or critical: light on a laptop, dark on a telephone."""
    problems = []
    for theme, width in (("light", LAPTOP), ("dark", TELEPHONE)):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_function("theme => (document.documentElement.dataset.theme ?? theme) === theme", arg=theme)
        page.wait_for_timeout(400)  # the theme lets the focus reach what scrolls 300 ms after a change of width
        for violation in Axe().run(page).response["violations"]:
            rule = f"{violation['id']} ({theme}, {width} px)"
            if violation["impact"] in ("serious", "critical"):
                targets = [node["target"][0] for node in violation["nodes"]]
                problems += page.evaluate(ELEMENTS, [rule, targets, SPHINX_FAULTS.get(violation["id"], ":not(*)")])
    return problems


def of_page(page: Page, address: str, site: Path) -> list[str]:
    """Return all that is wrong with a page of the served folder ``site``: every check above, on one load."""
    problems = load(page, address)
    problems += formulas(page) + pictures(page) + players(page) + links(page, site)
    return problems + too_wide(page) + out_of_room(page) + small_text(page) + accessibility(page)


def too_large(site: Path) -> list[str]:
    """Return the pages of more than 2 MB, and the book where it has more than 60 MB, or 80 MB with its runtime."""
    sizes = {path.relative_to(site).as_posix(): path.stat().st_size for path in site.rglob("*") if path.is_file()}
    large = {name: size for name, size in sizes.items() if name.endswith(".html") and size > 2_000_000}
    whole = sum(sizes.values())
    book = whole - sum(size for name, size in sizes.items() if f"/{RUNTIME}/" in name)
    large |= {"the book": book} if book > 60_000_000 else {}
    large |= {"the book and its runtime": whole} if whole > 80_000_000 else {}
    return [f"{name}: {size / 1e6:.1f} MB" for name, size in large.items()]
