"""Every widget of every notebook: it is run, each control is moved there and back, and the picture follows.

Sliders are moved with the mouse, and then once more with the keyboard alone.

How long that takes is printed in the end; no test depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"

# Shown is all of a cell's output that is no control; while it is being replaced, it may be empty for a moment.
WATCH = """cell => {
    const area = cell.querySelector('.jp-Cell-outputArea');
    const shown = () => [...area.querySelectorAll('.jp-RenderedHTMLCommon, .widget-html-content')]
        .map(element => element.innerHTML).join('');
    const pictures = () => [...area.querySelectorAll('img')];
    const ready = () => shown() !== ''
        && pictures().every(image => image.complete && image.naturalWidth > 0);
    const start = () => {
        const before = shown(), number = pictures().length, height = area.offsetHeight;
        let begun = null, lowest = height;
        window.redraw = null;
        for (const kind of ['pointerdown', 'change'])
            area.addEventListener(kind, () => { begun ??= performance.now(); }, {capture: true, once: true});
        const look = () => {
            lowest = Math.min(lowest, area.offsetHeight);
            if (begun !== null && shown() !== before && pictures().length === number && ready())
                window.redraw = {milliseconds: performance.now() - begun, shrunk: height - lowest};
            else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    };
    const first = shown();
    const shows = same => ready() && (shown() === first) === same;
    window.watch = {ready, start, shows};
}"""


# Least, most, step and now; what its ARIA attributes say is rounded.
POSITIONS = """target => {
    const {range, step} = target.noUiSlider.options;
    return [range.min, range.max, step, target.noUiSlider.get(true)].map(Number);
}"""


def widgets() -> list[tuple[str, int]]:
    """The notebook and the cell of each, by the outputs that the notebooks are stored with."""
    return [
        (path.stem, index)
        for path in NOTEBOOKS
        for index, cell in enumerate(nbformat.read(path, 4).cells)
        if any(WIDGET in output.get("data", {}) for output in cell.get("outputs", []))
    ]


@pytest.fixture(scope="module")
def note(measured: list[str]) -> Callable[..., None]:
    """note(notebook, control, redraws): a row of the table that is printed in the end."""
    measured += ["| notebook | control | redrawn after, ms | shrunk meanwhile, pixels |", "|---|---|---|---|"]

    def add(notebook: str, control: str, redraws: list[dict]) -> None:
        times = ", ".join(f"{each['milliseconds']:.0f}" for each in redraws)
        measured.append(f"| {notebook} | {control} | {times} | {max(each['shrunk'] for each in redraws)} |")

    return add


def test_each_notebook_has_a_widget() -> None:
    assert {name for name, _ in widgets()} == {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize(("name", "index"), widgets())
def test_widget(name: str, index: int, lab, note, screenshots: Path) -> None:
    lab.open(f"{name}.ipynb")
    lab.run_up_to(index)
    cell, page = lab.cell(index), lab.page
    cell.locator(".jupyter-widgets").first.wait_for()
    cell.locator(".jp-Cell-outputArea img").first.wait_for()
    cell.evaluate(WATCH)
    page.wait_for_function("() => watch.ready()")

    def redraws(move: Callable, positions: list) -> Iterator[dict]:
        for position in positions:
            page.evaluate("() => watch.start()")
            move(position)
            page.wait_for_function("() => window.redraw")
            yield page.evaluate("() => window.redraw")

    def label(control) -> str:
        return control.locator(".widget-label").first.inner_text()

    for slider in cell.locator(".widget-hslider").all():
        low, high, _, now = slider.locator(".noUi-target").evaluate(POSITIONS)
        track = slider.locator(".noUi-base")
        there = low + (high - low) / 4 if now > (low + high) / 2 else high - (high - low) / 4

        def click_at(value: float, slider=slider, track=track, low=low, high=high) -> None:
            slider.locator(".noUi-target:not(.noUi-state-tap)").wait_for()  # for 300 ms it takes no second click
            box = track.bounding_box()
            x = (value - low) / (high - low) * box["width"]
            track.click(position={"x": min(max(x, 1), box["width"] - 1), "y": box["height"] / 2})

        note(name, label(slider), list(redraws(click_at, [there, now])))
        page.wait_for_function("() => watch.shows(true)")  # back where it stood, it shows what it showed
        with_the_keyboard(page, slider)
    for choice in cell.locator("select").all():
        now = choice.input_value()
        others = [each for each in choice.locator("option").all_inner_texts() if each != now]
        note(name, label(choice.locator("xpath=..")), list(redraws(choice.select_option, [*others, now])))
    cell.screenshot(path=screenshots / f"{name}_{index}.png")
    page.wait_for_function("() => watch.shows(true)")
    assert lab.failures() == []
    assert lab.said == []


def with_the_keyboard(page, slider) -> None:
    """Come to a slider's handle with Tab, see that one sees it, go three steps with an arrow key, and back."""
    slider.locator(".widget-readout").focus()
    page.keyboard.press("Shift+Tab")
    handle = slider.locator(".noUi-handle:focus-visible")
    handle.wait_for()
    assert handle.evaluate("handle => getComputedStyle(handle).outlineStyle") != "none"
    target = slider.locator(".noUi-target")
    _, high, step, now = target.evaluate(POSITIONS)
    sign, *keys = (1, "ArrowRight", "ArrowLeft") if now + 3 * step <= high else (-1, "ArrowLeft", "ArrowRight")
    for key, to, as_at_first in zip(keys, (now + sign * 3 * step, now), (False, True), strict=True):
        for _ in range(3):
            page.keyboard.press(key)
        assert target.evaluate(POSITIONS)[3] == pytest.approx(to, abs=step / 100)
        page.wait_for_function("same => watch.shows(same)", arg=as_at_first)
