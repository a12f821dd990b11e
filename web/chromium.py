"""The decoder in headless Chromium, for tests and measurements: no page, only what it says."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 600_000  # milliseconds
# Headers that let a page use several threads. A plain server of files, such as GitHub Pages, sends none.
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
LOAD = """async (threads) => {
    const ort = await import("/ort/ort.wasm.min.mjs");
    ort.env.wasm.wasmPaths = "/ort/";
    ort.env.wasm.numThreads = threads;
    const { Decoder } = await import("/decoder/decoder.js");
    const read = async (name) => (await fetch(`/model/${name}`)).arrayBuffer();
    const begin = performance.now();
    window.decoder = await Decoder.load(ort, read);
    return (performance.now() - begin) / 1000;
}"""
DECODE = """async (file) => {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const inText = (array) => {
        const bytes = new Uint8Array(array.buffer);
        let text = "";
        for (let n = 0; n < bytes.length; n += 4096) text += String.fromCharCode(...bytes.subarray(n, n + 4096));
        return btoa(text);
    };
    const begin = performance.now();
    let preview = null;
    const onPart = () => { preview ??= (performance.now() - begin) / 1000; };
    try {
        const { parts, rgba, seconds, width, height } = await window.decoder.decode(bytes, { onPart });
        return { parts: parts.map(inText), rgba: inText(rgba), seconds, preview, width, height };
    } catch (error) {
        return { name: error.name, error: error.message };
    }
}"""


class Decoded(NamedTuple):
    """latents: of all parts, int32; pixels (3, H, W); seconds: by stage; preview: until the first small picture."""

    latents: NDArray[np.int32]
    pixels: NDArray[np.uint8]
    seconds: dict[str, float]
    preview: float


class Tab:
    """A tab of the browser, in which the decoder is loaded."""

    def __init__(self, page: Any, threads: int) -> None:
        self.page = page
        self.load_seconds: float = page.evaluate(LOAD, threads)

    def processor_seconds(self) -> float:
        """What its process has taken of the processors so far, all threads together."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")

    def decode(self, data: bytes) -> Decoded:
        """Raises ValueError with the decoder's sentence."""
        said = self.page.evaluate(DECODE, base64.b64encode(data).decode())
        if "error" in said:
            raise ValueError(said["error"])
        latents = np.frombuffer(b"".join(map(base64.b64decode, said["parts"])), "<i4")
        rgba = np.frombuffer(base64.b64decode(said["rgba"]), np.uint8).reshape(said["height"], said["width"], 4)
        return Decoded(latents, rgba[..., :3].transpose(2, 0, 1), said["seconds"], said["preview"])


class Files(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    headers_sent: dict[str, str] = {}  # noqa: RUF012

    def log_message(self, *words: object) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        super().end_headers()


@contextmanager
def opened(folder: Path, threads: int = 1) -> Iterator[Tab]:
    """Chromium, with what `gather` and `export` have put into a folder; LookupError if there is no browser."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise LookupError(f"No browser is installed: one of {', '.join(BROWSERS)} is needed.")
    handler = type("Handler", (Files,), {"headers_sent": ISOLATED if threads > 1 else {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as session:
            # As root, in a container, Chromium's sandbox cannot start; the pages are our own.
            browser = session.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{server.server_port}/model/model.json")
            yield Tab(page, threads)
            browser.close()
    finally:
        server.shutdown()
