"""Every page in a real browser, on a desk and on a phone, light and dark; its sliders are moved.

A page is loaded once, and everything is asked of it then. A screenshot of each is left in build/site/screenshots, for
people to look at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

WIDTHS = {"desktop": (1366, 900), "phone": (360, 740)}
THEMES = ("light", "dark")
HEAVIEST = 1.5e6  # bytes over the wire, all frames of a slider included
PATIENCE = 120_000  # milliseconds: a busy machine is slow, and no page is wrong for it
HTML = Path(__file__).parents[2] / "build/site/html"
NAMES = sorted(
    str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if "_static" not in path.parts
)  # none before the site is built

LOADED = """async () => {
    for (const image of document.images) image.loading = 'eager';
    await Promise.all([...document.images].map(image => image.complete
        || new Promise(done => { image.onload = image.onerror = done; })));
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    return [...document.images].filter(image => !image.naturalWidth).map(image => image.src);
}"""

WIDER = """() => [...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.right + window.scrollX <= innerWidth + 1) return false;
    for (let parent = element; parent; parent = parent.parentElement) {
        const style = getComputedStyle(parent);
        if (parent !== element && ['auto', 'scroll', 'hidden'].includes(style.overflowX)) return false;
        if (style.position === 'fixed' || style.visibility === 'hidden' || style.clip !== 'auto') return false;
    }
    return true;
}).map(element => element.outerHTML.slice(0, 120))"""

# Code and formulas repeat a few colours thousands of times, and axe takes a minute for them. Of each kind it is given
# the first three.
FEW_OF_EACH_KIND = """() => {
    const seen = {}, kind = element => element?.closest('[class]')?.getAttribute('class');
    for (const element of document.querySelectorAll('pre span, mjx-container, td, li, p, a, code, button')) {
        const name = [element.tagName, element.getAttribute('class'), kind(element.parentElement)].join();
        seen[name] = (seen[name] || 0) + 1;
        if (seen[name] > 3 && !element.parentElement.closest('a, button')) element.remove();  // they need their names
    }
}"""

FRAME = """([source, words]) => {
    const picture = document.querySelector('.frames img');
    return picture.getAttribute('src') === source && picture.alt === words && picture.complete && picture.naturalWidth;
}"""
SAYS = "([input, said]) => input.getAttribute('aria-valuetext') === said"
FETCHED = """names => {
    const fetched = performance.getEntriesByType('resource').map(each => each.name.split('/').pop());
    return names.every(name => fetched.includes(name));
}"""


@pytest.fixture
def page(browser) -> Iterator:
    """A page of a reader who has visited nothing before. Nothing fades: a theme's colours are there at once."""
    context = browser.new_context(viewport=_size("desktop"))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page
    context.close()


def _size(width: str) -> dict[str, int]:
    return dict(zip(("width", "height"), WIDTHS[width], strict=True))


def test_the_site_is_built(html: Path) -> None:
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_page(name: str, address: str, page, listen: Callable, axe: str) -> None:
    said, requests = listen(page), []
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(f"{address}/{name}", wait_until="load")
    assert page.evaluate(LOADED) == []
    assert page.locator("mjx-merror").count() == 0
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")

    for width in WIDTHS:
        page.set_viewport_size(_size(width))
        nothing_is_wider_than_the_screen(page, width)
        for theme in THEMES:
            wear(page, theme)
            folder = HTML.parent / "screenshots" / width / theme
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name.replace('/', '_')}.jpeg", type="jpeg", quality=70)
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    nothing_is_wider_than_the_screen(page, "phone")
    if page.locator(".frames").count():
        move_every_control(page)

    sizes = {each.url: each.sizes()["responseBodySize"] for each in requests if not each.url.startswith("data:")}
    assert [url for url in sizes if not url.startswith(address)] == []
    assert sum(sizes.values()) <= HEAVIEST, sorted(sizes.items(), key=lambda item: -item[1])[:5]

    page.evaluate(FEW_OF_EACH_KIND)
    page.evaluate(axe)
    found = []
    for width in WIDTHS:
        page.set_viewport_size(_size(width))
        for theme in THEMES:
            wear(page, theme)
            everything = (width, theme) == ("desktop", "light")  # of a page, the rest needs no second look
            found += found_by_axe(page, ["wcag2a", "wcag2aa"] if everything else ["color-contrast"])
    assert found == []
    assert said == []


def wear(page, theme: str) -> None:
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)


def nothing_is_wider_than_the_screen(page, width: str) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert page.evaluate(WIDER) == []


def found_by_axe(page, rules: list[str]) -> list[str]:
    # Without preload, axe does not fetch the style sheets once more by itself, some from where they are not.
    options = json.dumps({"runOnly": rules, "resultTypes": ["violations"], "preload": False})
    violations = page.evaluate(f"() => axe.run({options})")["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in violations
        for node in violation["nodes"][:3]
    ]


def move_every_control(page) -> None:
    """All to their ends, all back, and the first alone to its end: each time its frame stands there, with its words."""
    frames = json.loads(page.locator(".frames").get_attribute("data-frames"))
    controls = page.locator("[data-positions]").all()
    sizes = [int(each.get_attribute("data-positions")) for each in controls]
    assert len(frames) == np.prod(sizes) > 1
    last = [size - 1 for size in sizes]
    for setting in (last, [0] * len(sizes), [last[0], *[0] * (len(sizes) - 1)]):
        for control, position in zip(controls, setting, strict=True):
            move(page, control, position)
        page.wait_for_function(FRAME, arg=frames[int(np.ravel_multi_index(setting, sizes))])
    page.wait_for_function(FETCHED, arg=[source.rsplit("/", 1)[1] for source, _ in frames])


def move(page, control, position: int) -> None:
    """Move a slider with the keyboard, or choose with a click."""
    if control.evaluate("each => each.tagName") == "FIELDSET":
        control.locator("label").nth(position).click()
        return
    control.locator("input").focus()
    for key in ("Home", *["ArrowRight"] * position):
        page.keyboard.press(key)
    said = json.loads(control.locator("input").get_attribute("data-said"))[position]
    page.wait_for_function(SAYS, arg=[control.locator("input").element_handle(), said])
    assert control.locator("span").text_content() == said


def test_each_notebooks_page_has_a_slider(html: Path) -> None:
    pages = (html / "notebooks").glob("*.html")
    assert [path.name for path in pages if 'class="frames"' not in path.read_text(encoding="utf-8")] == []


def test_without_javascript_the_first_picture_stands_there_alone(address: str, browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/notebooks/00_tour.html")
    assert page.locator(".frames img").is_visible() and not page.locator(".frames-controls").is_visible()
    context.close()


def test_search_finds_a_word(address: str, page) -> None:
    page.goto(f"{address}/search.html?q=checkerboard")
    page.locator("#search-results li a").first.wait_for()
    assert page.locator("#search-results li a", has_text="Context").count() >= 1


def test_code_can_be_copied_and_a_solution_unfolded(address: str, page) -> None:
    page.goto(f"{address}/notebooks/01_mirror_padding.html")
    assert page.locator("button.copybtn").count() > 10
    fold = page.locator("details", has=page.locator("summary", has_text="Solution")).first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible()


def test_the_readers_choice_of_a_theme_is_kept(address: str, browser) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{address}/index.html")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"  # what the system asks for
    context.close()
