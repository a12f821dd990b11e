"""The built site, served to a real browser. `make test-site` builds it and runs these tests."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HTML = ROOT / "build/site/html"
SCREENSHOTS = ROOT / "build/site/screenshots"
TEXT = {".html", ".css", ".js", ".svg", ".json", ".txt", ".ipynb", ".md"}  # what GitHub Pages sends compressed

sys.path.insert(0, str(ROOT / "site"))


class Pages(SimpleHTTPRequestHandler):
    """Files as GitHub Pages sends them: text compressed."""

    def log_message(self, *words: object) -> None:
        pass

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in TEXT or not path.is_file():
            return super().send_head()
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None


@pytest.fixture(scope="session")
def html() -> Path:
    if not (HTML / "index.html").exists():
        pytest.skip("the site is not built: make test-site builds it and runs these tests.")
    return HTML


@pytest.fixture(scope="session")
def address(html: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which a package brings along."""
    package = pytest.importorskip("axe_playwright_python", reason="the extra `site` has it.")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
