"""Fixtures: the built smoke book on a server of its own, and one Chromium that reaches nothing else."""

import re
import shutil
import threading
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from checks import SITE
from playwright.sync_api import sync_playwright

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("gpu", "quic", "background-networking", "component-update", "sync")
FAKES = ("device", "ui")  # camera and microphone are made up, and nobody is asked for leave
FLAGS = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
FLAGS += [f"--use-fake-{name}-for-media-stream" for name in FAKES]
ELSEWHERE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")


@pytest.fixture(autouse=True)
def build():
    """What was built for the book is looked at here; the other tests build in folders of their own."""


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium, or Playwright's own where somebody has installed that; none is downloaded."""
    with sync_playwright() as playwright:
        found = [path for path in map(shutil.which, (*CHROMIUMS, playwright.chromium.executable_path)) if path]
        if not found:
            pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
        browser = playwright.chromium.launch(executable_path=found[0], args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """An empty tab from which no other host can be reached."""
    with browser.new_context() as context:
        context.route(ELSEWHERE, lambda route: route.abort())
        yield context.new_page()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Print nothing."""


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder on the loopback interface and returns its address."""
    with ExitStack() as servers:

        def start(folder):
            server = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)))
            servers.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture(scope="session")
def site():
    """The folder of the built smoke book."""
    if not (SITE / "index.html").exists():
        pytest.skip("the smoke book is not built (make book PROFILE=smoke SEEDS=2)")
    return SITE


@pytest.fixture(scope="session")
def address(serve, site):
    return serve(site)
