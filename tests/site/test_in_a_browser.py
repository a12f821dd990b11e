"""Every page in a real browser: on a phone and on a desk, light and dark.

A screenshot of each is left in build/site/screenshots, for people to look at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

WIDTHS = {"phone": (360, 740), "desktop": (1366, 900)}
THEMES = ("light", "dark")
HEAVIEST = 1.5e6  # bytes over the wire
PATIENCE = 120_000  # milliseconds: a busy machine is slow, and no page is wrong for it
HTML = Path(__file__).parents[2] / "build/site/html"
NAMES = sorted(
    str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if "_static" not in path.parts
)  # none before the site is built

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


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which a package brings along."""
    package = pytest.importorskip("axe_playwright_python", reason="the extra `site` has it")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# Code and formulas repeat a few colours thousands of times. Of each kind axe looks at the first three.
MARK_TWINS = """() => {
    const seen = {};
    for (const element of document.querySelectorAll('pre span, mjx-container, td, li, p, a, code, svg')) {
        const kind = element.tagName + element.className + element.closest('[class]').className;
        seen[kind] = (seen[kind] || 0) + 1;
        if (seen[kind] > 3) element.dataset.twin = '';
    }
}"""


def found_by_axe(page, axe: str, rules: str) -> list[str]:
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(axe)
        page.evaluate(MARK_TWINS)
    where = "{include: [['body']], exclude: [['[data-twin]']]}"
    result = page.evaluate(f"() => axe.run({where}, {{runOnly: {rules}, resultTypes: ['violations']}})")
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in result["violations"]
        for node in violation["nodes"][:3]
    ]


def test_the_site_is_built() -> None:
    if not HTML.exists():
        pytest.skip("the site is not built: make test-site builds it and runs these tests.")
    assert len(NAMES) > 20


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_page(name: str, width: str, address: str, browser, axe: str) -> None:
    context = browser.new_context(viewport=dict(zip(("width", "height"), WIDTHS[width], strict=True)))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said: list[str] = []
    requests: list = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"not loaded: {request.url}"))
    page.on("requestfinished", lambda request: requests.append(request))
    try:
        page.goto(f"{address}/{name}", wait_until="load")
        page.evaluate("() => document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; })")
        page.wait_for_function("() => [...document.images].every(image => image.complete)")
        page.evaluate("() => window.MathJax?.startup?.promise.then(() => document.fonts.ready).then(() => true)")

        assert said == []
        sizes = {r.url: r.sizes()["responseBodySize"] for r in requests if not r.url.startswith("data:")}
        assert [url for url in sizes if not url.startswith(address)] == []
        assert sum(sizes.values()) <= HEAVIEST, sorted(sizes.items(), key=lambda item: -item[1])[:5]
        assert page.evaluate("() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= WIDTHS[width][0]
        assert page.evaluate(WIDER) == []
        assert page.locator("mjx-merror").count() == 0

        for theme in THEMES:
            page.evaluate(f"() => {{ document.documentElement.dataset.theme = '{theme}'; }}")
            page.wait_for_timeout(300)  # colours fade
            folder = Path(HTML).parent / "screenshots" / width / theme
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name.replace('/', '_')}.jpeg", type="jpeg", quality=70)
            everything = (width, theme) == ("desktop", "light")  # of a page, the rest needs no second look
            rules = "['wcag2a', 'wcag2aa']" if everything else "['color-contrast']"
            assert found_by_axe(page, axe, rules) == []
    finally:
        context.close()


def test_search_finds_a_word(address: str, browser) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search.html?q=checkerboard")
    page.locator("#search-results li a").first.wait_for(timeout=PATIENCE)
    assert page.locator("#search-results li a", has_text="Context").count() >= 1
    page.close()


def test_code_can_be_copied_and_a_solution_unfolded(address: str, browser) -> None:
    page = browser.new_page()
    page.goto(f"{address}/notebooks/01_mirror_padding.html")
    assert page.locator("button.copybtn").count() > 10
    fold = page.locator("details", has=page.locator("summary", has_text="Solution")).first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible()
    page.close()


def test_the_readers_choice_of_a_theme_is_kept(address: str, browser) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{address}/index.html")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"  # what the system asks for
    context.close()
