"""What all tests share: one hypothesis profile; pictures, latents, tables and a codec made at random; and checks.

And a browser, with somebody who listens to what its pages say: for tests/site, tests/browser and tests/web.
"""

from __future__ import annotations

import copy
import functools
import shutil
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import numpy as np
import pytest
import torch
from torch import Tensor

from tutorial_lib.cdf import CdfTables
from tutorial_lib.transform_codec import Prior, TransformCodec
from tutorial_lib.workbench import other_machines

# The same examples on every machine and in every run: a red test stays red until it is mended.
hypothesis.settings.register_profile("course", deadline=None, derandomize=True)
hypothesis.settings.load_profile("course")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

torch.set_num_threads(1)  # the tests' tensors are small: a second thread would mostly wait for the first


@pytest.fixture(scope="session")
def noise() -> Callable[..., Tensor]:
    """noise(*shape, seed=0): uniform in [0, 1], as a picture of nothing is."""
    return lambda *shape, seed=0: torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="session")
def latent() -> Callable[..., Tensor]:
    """latent(*shape, seed=0): Gaussian, with a standard deviation of 4."""
    return lambda *shape, seed=0: 4 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="session")
def one_sentence() -> Callable[[BaseException], bool]:
    """one_sentence(error): does the message of an error consist of one?"""

    def check(error: BaseException) -> bool:
        message = str(error)
        return message.endswith(".") and "\n" not in message and ". " not in message

    return check


@pytest.fixture(scope="session")
def check_coding() -> Callable[..., list[list[bytes]]]:
    """check_coding(prior, y, parts, condition=None): raise unless what is decoded is the forward pass; the strings."""

    def check(prior: Prior, y: Tensor, parts: int, condition: Tensor | None = None) -> Sequence[Sequence[bytes]]:
        with torch.no_grad():
            strings = prior.compress(y, condition)
            y_hat, likelihoods = prior(y, condition)
            decoded = prior.decompress(strings, (y.shape[-2], y.shape[-1]), condition)
        assert [len(part) for part in strings] == [len(y)] * parts
        assert all(isinstance(string, bytes) for part in strings for string in part)
        assert decoded.dtype == torch.float32 and decoded.shape == y.shape
        assert torch.equal(decoded, y_hat)
        assert all((values > 0).all() and (values <= 1 + 1e-6).all() for values in likelihoods.values())
        return strings

    return check


@pytest.fixture(scope="session")
def check_codec() -> Callable[..., None]:
    """check_codec(codec, x, parts, quality=None): raise unless what is decoded is the forward pass's picture."""

    def check(codec: TransformCodec, x: Tensor, parts: int, quality: int | None = None) -> None:
        coded = codec.compress(x, quality)
        decoded = codec.decompress(**coded, quality=quality)
        with torch.no_grad():
            forward = codec(x, quality)
        assert coded.keys() == {"strings", "shape"} and coded["shape"] == tuple(x.shape[-2:])
        assert [len(part) for part in coded["strings"]] == [len(x)] * parts
        assert all(isinstance(string, bytes) for part in coded["strings"] for string in part)
        assert decoded.keys() == {"x_hat"} and decoded["x_hat"].shape == x.shape
        assert torch.equal(decoded["x_hat"], forward["x_hat"])
        assert forward.keys() == {"x_hat", "likelihoods"}
        assert forward["likelihoods"].keys() <= {"y", "z", *(f"part{n}" for n in range(parts))}
        for values in forward["likelihoods"].values():
            assert (values > 0).all() and (values <= 1 + 1e-6).all()

    return check


@pytest.fixture(scope="session")
def random_tables():
    """random_tables(rng, fewest=1): 1 to 7 tables of up to 200 symbols, flat or steep."""

    def make(rng: np.random.Generator, fewest: int = 1) -> CdfTables:
        rows = []
        for _ in range(rng.integers(1, 8)):
            cuts = rng.random(rng.integers(fewest, 201) - 1) ** rng.uniform(0.5, 6) * 65535
            inner = np.unique(cuts.astype(int) + 1)[:199]
            if len(inner) < fewest - 1:
                inner = np.arange(1, fewest)
            rows.append(np.array([0, *inner, 65536]))
        length = [len(row) for row in rows]
        cdf = [np.pad(row, (0, max(length) - len(row))) for row in rows]
        return CdfTables(cdf, length, rng.integers(-60, 10, len(rows)))

    return make


@pytest.fixture(scope="session")
def random_symbols():
    """random_symbols(rng, tables, indexes, reach): drawn from the tables, some far away."""

    def make(rng: np.random.Generator, tables: CdfTables, indexes: np.ndarray, reach: int) -> np.ndarray:
        symbols = np.empty(indexes.shape, dtype=np.int32)
        for position, t in np.ndenumerate(indexes):
            row = tables.cdf[t, : tables.length[t]]
            k = int(np.searchsorted(row, rng.integers(65536), side="right")) - 1
            value = k + int(tables.offset[t])
            if k == len(row) - 2 or rng.random() < 0.02:
                value = int(rng.choice([-1, 1]) * 2 ** rng.uniform(0, np.log2(reach)))
            symbols[position] = np.clip(value, -reach, reach - 1)
        return symbols

    return make


@pytest.fixture(scope="session")
def gradients_reach_all():
    """gradients_reach_all(module, but=…): raise unless each parameter has got a finite gradient that is not all 0.

    but: endings of the names of those that have nothing to learn, whose gradient is 0.
    """

    def check(module: torch.nn.Module, but: tuple[str, ...] = ()) -> None:
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert (parameter.grad.abs().max() == 0) == name.endswith(but), name

    return check


@pytest.fixture(scope="session")
def threads():
    """threads(number): a context in which PyTorch computes with so many."""
    return other_machines.threads


@pytest.fixture(scope="session")
def other_ways_to_compute(threads):
    """Pairs of a name and a context manager: settings under which PyTorch may order its sums differently."""
    return {"two threads": lambda: threads(2), "without mkldnn": lambda: torch.backends.mkldnn.flags(enabled=False)}


@pytest.fixture(scope="session")
def lively_codec():
    """lively_codec(seed=0): a small full codec with tables, and weights like those of one that has learned something.

    Tables and means differ from place to place, from channel to channel, and from quality to quality.
    """
    from tutorial_lib.codec import Codec

    @functools.cache
    def make(seed: int) -> Codec:
        torch.manual_seed(seed)
        codec = Codec(C=[6, 8, 8], P=[5, 7, 8], P_colour=[4, 6, 6], half=8, quarter=8, blocks=1).eval()
        rows, columns = torch.arange(64)[:, None] / 9, torch.arange(64) / 7
        x = (rows.sin() * columns.cos()).expand(2, 3, 64, 64) / 4 + 0.5
        codec.start_at(x + 0.1 * torch.randn(x.shape))
        with torch.no_grad():
            for layer in (*codec.synthesis.corrections, codec.synthesis.restoration.third):
                layer.weight.normal_(0, 0.03)
            for table in codec.synthesis.log_step:
                table.values.normal_(0, 0.05)
        codec.build_coder()
        return codec

    return lambda seed=0: copy.deepcopy(make(seed))


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium, without a window. Where the machine has none, the tests that need it are skipped, and say so."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `site` has it.")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser is installed: one of {', '.join(BROWSERS)} is needed (apt-get install chromium).")
    with playwright.sync_playwright() as session:
        # As root, in a container, Chromium's sandbox cannot start; the pages are our own.
        chromium = session.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def listen() -> Callable[..., list[str]]:
    """listen(page): a list that grows by each error and each warning that the page's console shows."""

    def listen_to(page) -> list[str]:
        said: list[str] = []

        def hear(message) -> None:
            if message.type in ("error", "warning"):
                said.append(f"{message.text} ({message.location['url']})")

        page.on("console", hear)
        page.on("pageerror", lambda error: said.append(str(error)))
        return said

    return listen_to


@pytest.fixture(scope="session")
def drop() -> Callable[..., None]:
    """drop(page, name, data, kind=""): a file of that media type is dropped on the page."""
    script = """([name, type, bytes]) => {
        const dropped = new DataTransfer();
        dropped.items.add(new File([Uint8Array.from(bytes)], name, { type }));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true, cancelable: true}));
    }"""

    def drop_on(page, name: str, data: bytes, kind: str = "") -> None:
        page.evaluate(script, [name, kind, list(data)])

    return drop_on


@pytest.fixture(scope="session")
def announced() -> Callable[..., Callable[[], list[str]]]:
    """announced(page): a function that gives what a screen reader has been told since, sentence by sentence."""
    script = """() => {
        window.heard = [];
        const status = document.querySelector("[role=status]");
        new MutationObserver(() => window.heard.push(status.textContent)).observe(status, {childList: true});
    }"""

    def announced_by(page) -> Callable[[], list[str]]:
        page.evaluate(script)
        return lambda: page.evaluate("() => window.heard")

    return announced_by
