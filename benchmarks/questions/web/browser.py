"""A folder served on this machine, and headless Chromium that opens it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSERS = "chromium", "chromium-browser", "google-chrome"
DRIVER = "chromedriver"
FLAGS = "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"
SCRIPT_SECONDS = 300
"""Most that one script in a page may take."""


class _Handler(SimpleHTTPRequestHandler):
    """Files for a page that is isolated from other origins, which gives it a clock of 5 us in place of 100 us."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on the loopback interface within the context: its address, with ``/`` at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def missing() -> str | None:
    """What a headless browser lacks here, if anything."""
    try:
        import selenium  # noqa: F401
    except ModuleNotFoundError:
        return "needs selenium: pip install '.[dev]'"
    if not (_browser() and shutil.which(DRIVER)):
        return "needs Chromium and chromedriver on PATH"
    return None


@contextmanager
def headless() -> Iterator[Chrome]:
    """Chromium without a window, within the context; `missing` tells whether there is one."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = _browser() or ""
    for flag in FLAGS:
        options.add_argument(flag)
    browser = Chrome(options=options, service=ChromeService(shutil.which(DRIVER)))
    try:
        browser.set_script_timeout(SCRIPT_SECONDS)
        yield browser
    finally:
        browser.quit()


def call(browser: Chrome, function: str, *given: object) -> Any:
    """What an asynchronous function of the page returns.

    Raises
    ------
    RuntimeError
        It threw an error.
    """
    script = """
    const [name, given, done] = arguments;
    window[name](...given).then((value) => done({ value }), (error) => done({ error: String(error) }));
    """
    said = browser.execute_async_script(script, function, given)  # type: ignore[no-untyped-call]
    if "error" in said:
        raise RuntimeError(f"{function}{given} in the browser: {said['error']}")
    return said["value"]


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
