"""The decoder in headless Chromium, for tests and measurements: what it says, without the page around it."""

from __future__ import annotations

import base64
import re
import shutil
import sys
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
# Numbers go back as the bodies of requests: as text they would take several times their memory.
DECODE = """async ([file, slices]) => {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const begin = performance.now();
    let preview = null;
    const onPart = () => { preview ??= (performance.now() - begin) / 1000; };
    try {
        const options = { onPart, slices: slices ?? undefined };
        const { parts, rgba, bits, ...facts } = await window.decoder.decode(bytes, options);
        window.said = { parts, rgba };
        return { ...facts, preview };
    } catch (error) {
        return { error: error.message };
    }
}"""
# The same by the page's own worker. A file cannot keep it busy for ever: after some milliseconds the page gives up.
OPEN = """async ([file, milliseconds]) => {
    const { Codec } = await import("/page/codec.js");
    window.codec ??= new Codec();
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const ignored = () => {};
    const work = window.codec.decode(bytes, { onLoading: ignored, onLoaded: ignored, onPart: ignored });
    let timer;
    const patience = new Promise((_, reject) => {
        timer = setTimeout(reject, milliseconds, new Error("there is no answer."));
    });
    try {
        const { result, fault } = await Promise.race([work, patience]);
        const { parts, rgba, bits, ...facts } = result;
        window.said = { parts, rgba };
        return { ...facts, error: fault };
    } catch (error) {
        window.said = null;
        return { error: error.message, because: error.because ?? null };
    } finally {
        clearTimeout(timer);
    }
}"""
TAKE = """async () => {
    const { parts, rgba } = window.said;
    window.said = null;
    await fetch("/parts", { method: "POST", body: new Blob(parts) });
    await fetch("/rgba", { method: "POST", body: new Blob([rgba]) });
}"""


class Decoded(NamedTuple):
    """facts: sizes, bytes of sections, seconds by stage; latents: of all parts, int32; pixels (3, H, W)."""

    facts: dict[str, Any]
    latents: NDArray[np.int32]
    pixels: NDArray[np.uint8]


class Tab:
    """A tab of the browser. `load` comes before `decode`; `open` has its own decoder, in the page's worker."""

    def __init__(self, page: Any, received: dict[str, bytes], threads: int) -> None:
        self.page, self.received, self.threads = page, received, threads

    def load(self) -> float:
        """Load the decoder: seconds, its self-test included."""
        return self.page.evaluate(LOAD, self.threads)

    def decode(self, data: bytes, slices: int | None = None) -> Decoded:
        """Facts say the seconds until the first preview, too. Raises ValueError with the decoder's sentence."""
        facts = self.page.evaluate(DECODE, [base64.b64encode(data).decode(), slices])
        if "error" in facts:
            raise ValueError(facts["error"])
        return self._taken(facts)

    def open(self, data: bytes, seconds: float) -> Decoded | dict[str, Any]:
        """What the page's worker makes of a file: {error, because} if there is no picture.

        Of a file whose first parts give a picture, facts say the error, too. because: "file", "size" or "decoder", as
        the page has it; None if there is no answer within so many seconds.
        """
        facts = self.page.evaluate(OPEN, [base64.b64encode(data).decode(), 1000 * seconds])
        return facts if "because" in facts else self._taken(facts)

    def _taken(self, facts: dict[str, Any]) -> Decoded:
        facts["peak_memory"] = self.peak_memory()  # what follows is not the decoder's
        self.page.evaluate(TAKE)
        return decoded(facts, self.received.pop("/parts"), self.received.pop("/rgba"))

    def processor_seconds(self) -> float:
        """What its process has taken of the processors so far, all threads together."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        session.detach()
        return next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")

    def peak_memory(self) -> int | None:
        """Bytes that its process has held at most so far; None where nobody says (elsewhere than on Linux)."""
        session = self.page.context.browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        files = [Path(f"/proc/{each['id']}/status") for each in processes if each["type"] == "renderer"]
        said = [re.search(r"VmHWM:\s*(\d+) kB", file.read_text()) for file in files if file.exists()]
        return max((1024 * int(each[1]) for each in said if each), default=None)


def decoded(facts: dict[str, Any], latents: bytes, rgba: bytes) -> Decoded:
    """From the decoder's own layout. Raises ValueError if a pixel is transparent."""
    pixels = np.frombuffer(rgba, np.uint8).reshape(facts["height"], facts["width"], 4)
    if not (pixels[..., 3] == 255).all():
        raise ValueError("some pixels are transparent.")
    return Decoded(facts, np.frombuffer(latents, "<i4"), pixels[..., :3].transpose(2, 0, 1))


class Files(SimpleHTTPRequestHandler):
    """A server of files that says nothing, and keeps what it is sent."""

    headers_sent: dict[str, str] = {}  # noqa: RUF012
    received: dict[str, bytes] = {}  # noqa: RUF012

    def log_message(self, *words: object) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        super().end_headers()

    def do_POST(self) -> None:
        self.received[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


class Server(ThreadingHTTPServer):
    def handle_error(self, *connection: Any) -> None:
        """A browser that leaves a page hangs up in the middle of a file: no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*connection)


@contextmanager
def opened(folder: Path, threads: int = 1) -> Iterator[Tab]:
    """Chromium, with what `gather` and `export` have put into a folder; LookupError if there is no browser."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise LookupError(f"No browser is installed: one of {', '.join(BROWSERS)} is needed.")
    received: dict[str, bytes] = {}
    sent = ISOLATED if threads > 1 else {}
    handler = type("Handler", (Files,), {"headers_sent": sent, "received": received})
    server = Server(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as session:
            # As root, in a container, Chromium's sandbox cannot start; the pages are our own.
            browser = session.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{server.server_port}/model/model.json")
            yield Tab(page, received, threads)
            browser.close()
    finally:
        server.shutdown()
