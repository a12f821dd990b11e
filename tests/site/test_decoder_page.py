"""The page that opens .lic files, in a browser. Screenshots of it are left in build/site/screenshots."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib import bitstream
from tutorial_lib.codec import Codec

PATIENCE = 120_000  # milliseconds
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1366, "height": 900}
PLACE = "web/page/index.html"
HTML = Path(__file__).parents[2] / "build/site/html"
SAMPLES = HTML / "web/samples"
DECODED = "() => !document.getElementById('told').hidden && document.getElementById('working').hidden"
WRONG = "() => document.querySelector('#status.wrong') && document.getElementById('working').hidden"
WIDER = """() => [...document.querySelectorAll('body *')].filter(element =>
    element.getBoundingClientRect().right > innerWidth + 1).map(element => element.outerHTML.slice(0, 100))"""


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load().eval()


@pytest.fixture(scope="module")
def samples(html: Path, codec: Codec) -> list[dict]:
    if not (html / PLACE).exists():
        pytest.skip("the site has no page that opens .lic files: make web, then make test-site.")
    index = json.loads((SAMPLES / "index.json").read_text(encoding="utf-8"))
    if index["fingerprint"] != codec.fingerprint():
        pytest.fail("the samples are another checkpoint's: make web, then make test-site.")
    return index["samples"]


@pytest.fixture
def opened(address: str, browser, samples: list[dict], listen: Callable):
    """The page, as a function of the window's size; whatever the console says or another host is asked is an error."""
    contexts, heard, asked = [], [], []

    def open_page(viewport: dict, script: str = ""):
        context = browser.new_context(viewport=viewport, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        heard.append(listen(page))
        page.on("request", lambda request: asked.append(request.url))
        if script:
            page.add_init_script(script)
        page.goto(f"{address}/{PLACE}")
        page.locator("#sample-list button").first.wait_for(state="attached" if script else "visible")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [said for said in heard if said] == []
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def pick(page, number: int) -> None:
    page.locator("#sample-list button").nth(number).click()


def status(page) -> str:
    return page.locator("[role=status]").inner_text()


def saved(page) -> np.ndarray:
    """The picture that the page saves, (H, W, 3)."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    return np.asarray(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("RGB"))


def as_python_says(data: bytes) -> str:
    """What is wrong with a file."""
    with pytest.raises(bitstream.BitstreamError) as caught:
        bitstream.unpack(data)
    return str(caught.value)


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_sample_is_decoded_shown_and_saved(
    viewport: dict, opened, samples: list[dict], codec: Codec, axe: str, announced: Callable
) -> None:
    page, sample = opened(viewport), samples[1]
    said = announced(page)
    pick(page, 1)
    page.wait_for_function(DECODED)
    data = (SAMPLES / sample["lic"]["file"]).read_bytes()
    heard = said()
    assert heard[0].startswith("Fetching coffee.lic")
    assert heard[-1].startswith("coffee.lic is decoded")
    assert any(each.startswith("Fetching the decoder") for each in heard)
    assert len(heard) < 8  # more would be a nuisance

    sides = page.evaluate("() => [...document.querySelectorAll('#previews canvas')].map(c => [c.width, c.height])")
    assert len(sides) == len(bitstream.read_header(data).sections)
    assert sides == sorted(sides) and sides[-1] == [sample["width"], sample["height"]]
    assert page.locator("#previews li").last.inner_text().endswith(f"{len(data):,} bytes")

    cells = page.locator("#bytes tbody td:nth-of-type(1)").all_inner_texts()
    counts = [int(each.replace(",", "")) for each in cells]
    assert sum(counts) == len(data) == sample["lic"]["bytes"]
    assert page.locator("#bytes tfoot td").first.inner_text() == f"{len(data):,}"

    colours = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    assert page.locator("#bits").evaluate(colours) > 20

    ours = codec.decode(data).permute(1, 2, 0).numpy()
    assert np.abs(saved(page).astype(int) - ours).max() <= 1

    assert page.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate(WIDER) == []
    page.evaluate(axe)
    folder = HTML.parent / "screenshots" / ("phone" if viewport is PHONE else "desktop")
    for theme in ("light", "dark"):
        page.evaluate(f"() => {{ document.documentElement.dataset.theme = '{theme}'; }}")
        found = page.evaluate("() => axe.run()")["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
        (folder / theme).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / theme / "web_decoded.jpeg", type="jpeg", quality=80, full_page=True)


def test_the_slider_moves_by_keyboard_and_by_pointer(opened, samples: list[dict]) -> None:
    page = opened(DESKTOP)
    pick(page, 0)
    page.wait_for_function(DECODED)
    slider, beside = page.get_by_role("slider", name="Where the .lic file ends"), page.locator("#beside")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "60 percent .lic, 40 percent JPEG"
    assert beside.evaluate("e => e.style.clipPath").endswith("60%)")
    assert page.locator("#divider").evaluate("e => e.style.left") == "60%"
    page.keyboard.press("Home")
    assert slider.input_value() == "0"

    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 60)
    page.mouse.up()
    assert abs(int(slider.input_value()) - 25) <= 1

    page.get_by_label("the original").check()
    assert beside.locator("img:visible").get_attribute("src").endswith(samples[0]["original"])
    assert "original" in slider.get_attribute("aria-valuetext")


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


DAMAGE = {
    "empty": lambda data, header: b"",
    "another kind": lambda data, header: b"GIF89a" + data,
    "header": lambda data, header: flipped(data, 12),
    "later version": lambda data, header: data[:4] + b"\x63" + data[5:],
    "first string": lambda data, header: flipped(data, header.sections[0].begin + 3),
    "header cut": lambda data, header: data[:20],
    "added to": lambda data, header: data + b"!",
}


def test_of_a_damaged_file_the_page_says_what_the_command_says(opened, samples: list[dict], drop: Callable) -> None:
    page = opened(PHONE)
    data = (SAMPLES / samples[0]["lic"]["file"]).read_bytes()
    for name, damage in DAMAGE.items():
        file = damage(data, bitstream.read_header(data))
        drop(page, f"{name}.lic", file)
        page.wait_for_function(f"() => document.getElementById('status').textContent.startsWith('{name}.lic: ')")
        page.wait_for_function(WRONG)
        assert status(page) == f"{name}.lic: {as_python_says(file)}"
        assert not page.locator("#result").is_visible()
    pick(page, 0)  # and after all that, the page still works
    page.wait_for_function(DECODED)


def test_a_file_that_was_cut_short_gives_less_detail(opened, samples: list[dict], codec: Codec) -> None:
    page = opened(DESKTOP)
    data = (SAMPLES / samples[0]["lic"]["file"]).read_bytes()
    sections = bitstream.read_header(data).sections
    cut = data[: sections[3].end + 2]
    page.locator("#file").set_input_files({"name": "cut.lic", "mimeType": "", "buffer": cut})
    page.wait_for_function(DECODED)
    assert status(page).startswith(f"cut.lic: {as_python_says(cut)}")
    assert page.locator("#bytes tfoot td").first.inner_text() == f"{sections[3].end:,}"
    ours = codec.decode(data, slices=3).permute(1, 2, 0).numpy()
    assert np.abs(saved(page).astype(int) - ours).max() <= 1


def test_a_new_file_ends_the_work_on_the_one_before(opened, samples: list[dict]) -> None:
    page = opened(DESKTOP)
    pick(page, 2)
    page.locator("#previews li").first.wait_for()
    pick(page, 3)
    page.wait_for_function(DECODED)
    assert page.locator("#result-title").inner_text() == samples[3]["lic"]["file"]
    assert status(page).startswith(samples[3]["lic"]["file"])
    assert page.locator("#previews li").count() == 6
    assert page.locator("#previews li").last.inner_text().startswith(f"{samples[3]['width']} × {samples[3]['height']}")


def test_stop_stops(opened) -> None:
    page = opened(DESKTOP)
    pick(page, 2)
    page.get_by_role("button", name="Stop").click()
    assert status(page) == "Stopped."
    assert not page.locator("#working").is_visible()
    pick(page, 2)
    page.wait_for_function(DECODED)


@pytest.mark.parametrize(
    ("script", "lacking"),
    [
        ("delete window.WebAssembly;", "WebAssembly"),
        ("WebAssembly.validate = () => false;", "SIMD"),
        ("window.Worker = class { terminate() {} };", "workers"),
    ],
)
def test_a_browser_that_is_too_old_is_told_so(script: str, lacking: str, address: str, browser, samples) -> None:
    page = browser.new_page()
    page.add_init_script(script)
    page.goto(f"{address}/{PLACE}")
    page.wait_for_function(WRONG)
    assert "too old" in status(page) and lacking in status(page)
    assert page.get_by_role("button", name="Choose a .lic file").is_disabled()
    page.close()


def test_where_the_decoder_cannot_be_fetched_the_page_says_so_and_tries_again(opened) -> None:
    page = opened(DESKTOP)
    page.route("**/model/weights.bin", lambda route: route.fulfill(status=200, body=b""))
    pick(page, 0)
    page.wait_for_function(WRONG)
    assert status(page).startswith("The decoder does not work here: ")
    page.unroute("**/model/weights.bin")
    pick(page, 0)
    page.wait_for_function(DECODED)


def test_what_the_first_file_fetches_is_what_the_page_says(samples: list[dict]) -> None:
    """Compressed, as servers send it: the limit is 6 MB."""
    folders = [HTML / "web" / name for name in ("ort", "model", "decoder")]
    sizes = [len(gzip.compress(path.read_bytes(), 6)) for folder in folders for path in folder.iterdir()]
    said = re.search(r"about (\d) MB", (HTML / "web/page/page.js").read_text(encoding="utf-8"))
    assert said is not None
    assert round(sum(sizes) / 1e6) == int(said[1]) <= 6


def test_without_it_no_page_leads_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gather = pytest.importorskip("gather", reason="its folder is put on the path by conftest")
    monkeypatch.setattr(gather, "WEB", tmp_path)
    assert gather.opener() == ""
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").touch()
    assert 'href="web/page/index.html"' in gather.opener()


def test_the_pages_lead_to_it(html: Path, samples) -> None:
    assert 'href="web/page/index.html"' in (html / "index.html").read_text(encoding="utf-8")
    assert 'href="../web/page/index.html"' in (html / "look_up/decoder.html").read_text(encoding="utf-8")
