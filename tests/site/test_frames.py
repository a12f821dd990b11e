"""Sliders that need no Python: what is recorded of a notebook's widget, and what a page makes of it.

The frames of all notebooks are held to what their pages promise: fresh, few, small, and with words.
"""

from __future__ import annotations

import base64
import html as html_module
import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

record = pytest.importorskip("record", reason="its folder is put on the path by conftest")
import sliders  # noqa: E402
from notebook_pages import page_of_notebook  # noqa: E402
from pictures import Pictures  # noqa: E402

from tutorial_lib.workbench import controls, notebooks  # noqa: E402
from tutorial_lib.workbench.controls import FRAMES, RECORD, Slider  # noqa: E402

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET = {sliders.WIDGET: {"model_id": "1"}, "text/plain": "VBox(…)"}


def image(shade: int = 0, words: str = "a bar", kind: str = "png", noise: int = 0, width: int = 400) -> str:
    """A picture as lessons display it: a drawing, or noise."""
    pixels = np.full((width // 2, width, 3), 255, np.uint8)
    pixels[20:60, 10 : 50 + 5 * shade] = (200, 30, shade)
    if noise:
        pixels = np.random.default_rng(shade).integers(0, 256, pixels.shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{html_module.escape(words)}" src="data:image/{kind};base64,{data}">'


def slider(label: str = "n", positions: tuple = (1, 2, 3), first: int = 1, kind: str = "slider") -> dict:
    return {"label": label, "kind": kind, "positions": list(positions), "first": first}


# ---- what `interact` displays for the program


def recorded(monkeypatch: pytest.MonkeyPatch, named: dict, **each) -> dict:
    shown: list = []
    monkeypatch.setenv(RECORD, json.dumps(named))
    monkeypatch.setattr(controls, "display", lambda data, raw=False: shown.append(data))
    controls.record(lambda **values: print(values), **each)
    return shown[-1][FRAMES]


def test_each_position_is_drawn_with_each_the_last_control_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recorded(monkeypatch, {"part": [0.5, -1.0]}, kind=["b", "a"], part=Slider(0.5, -1, 1, 0.25, "λ"))
    assert data["controls"] == [slider("kind", ("b", "a"), 0, "choice"), slider("λ", (0.5, -1.0), 0)]
    values = [eval(html_module.unescape(frame[5:-6])) for frame in data["frames"]]
    assert [(each["kind"], each["part"]) for each in values] == [("b", 0.5), ("b", -1.0), ("a", 0.5), ("a", -1.0)]


@pytest.mark.parametrize(
    ("named", "control", "says"),
    [
        ({"n": [1, 7]}, Slider(1, 1, 6), "take positions of its own, 1 among them"),
        ({"n": [2, 3]}, Slider(1, 1, 6), "take positions of its own, 1 among them"),
        ({"n": []}, ["b", "a"], "take positions of its own, b among them"),
        ({}, Slider(1, 1, 10), "n has 10 positions: name at most 9"),
    ],
)
def test_positions_that_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch, named: dict, control, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        recorded(monkeypatch, named, n=control)


# ---- the frames as files


def keep(folder: Path, frames: list[str], **control) -> sliders.Frames:
    record.keep(record.Recorded([slider(**control)], frames, "digest"), folder)
    kept = sliders.read(folder)
    assert kept is not None
    return kept


def test_a_drawing_stays_as_it_is(tmp_path: Path) -> None:
    words = ['"1" < 2', "two", "three"]
    kept = keep(tmp_path / "lesson", [image(n, words[n]) for n in range(3)])
    assert (kept.words, kept.drawn, kept.controls) == (words, "digest", [slider()])
    for n, file in enumerate(kept.files):
        drawn = Image.open(io.BytesIO(base64.b64decode(image(n).split("base64,")[1][:-2])))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(file)).convert("RGB")), np.asarray(drawn))


def test_photos_become_as_small_as_they_must(tmp_path: Path) -> None:
    kept = keep(tmp_path / "lesson", [image(n, kind="webp", noise=1, width=640) for n in range(2)], positions=(1, 2))
    sizes = {Image.open(io.BytesIO(file)).size for file in kept.files}
    assert sum(map(len, kept.files)) <= record.MOST_BYTES and sizes == {(500, 250)}


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    keep(tmp_path / "lesson", [image(n) for n in range(3)])
    keep(tmp_path / "lesson", [image(n) for n in range(2)], positions=(1, 2))
    assert sorted(path.name for path in (tmp_path / "lesson").iterdir()) == ["00.webp", "01.webp", "index.json"]


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([image()] * 21, "21 frames, more than 20"),
        ([image(), "<pre>7</pre>"], "one picture with its words, and nothing else. This is: <pre>7"),
        ([image(n, kind="webp", noise=1, width=1000) for n in range(10)], "take more than 150,000 bytes"),
    ],
)
def test_what_cannot_be_kept_leaves_the_folder_as_it_was(tmp_path: Path, frames: list[str], says: str) -> None:
    keep(tmp_path / "lesson", [image()])
    with pytest.raises(ValueError, match=says):
        keep(tmp_path / "lesson", frames)
    assert (tmp_path / "lesson/00.webp").exists()


LESSON = """
from tutorial_lib.workbench.controls import Slider, interact
from tutorial_lib.workbench.figures import plt, show


def look(n, shape):
    figure, axes = plt.subplots(figsize=(4, 2))
    _ = axes.plot([0, n], shape)
    show(figure, f"a line up to {n} with {shape}")


interact(look, n=Slider(3, 1, 100), shape=["o", "x"])
"""


def test_a_notebook_from_execution_to_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("'set-up'"), new_code_cell(LESSON), new_code_cell("1 / 1")]), path)
    notebooks.execute(path)
    before = path.read_bytes()
    monkeypatch.setitem(record.POSITIONS, "lesson", {"n": [1, 3, 100]})
    record.keep(record.run(path), tmp_path / "frames")
    assert path.read_bytes() == before
    notebook = nbformat.read(path, as_version=4)
    frames = sliders.read(tmp_path / "frames")
    assert frames is not None and sliders.are_fresh(frames, notebook)
    assert frames.words[sliders.first(frames)] == "a line up to 3 with o" and len(frames.words) == 6

    page = page_of_notebook(notebook, Pictures(tmp_path / "pictures"), "../pictures", None, frames)
    [output] = page.cells[1].outputs
    assert 'class="frames"' in output.data["text/html"]
    drawn_anew = nbformat.reads(before.decode().replace("base64,iVBOR", "base64,iVBOS", 1), as_version=4)
    assert not sliders.are_fresh(frames, drawn_anew)


def test_a_notebook_that_is_not_executed_or_has_a_widget_of_its_own_is_refused(tmp_path: Path) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell("1"), new_code_cell("2")]), tmp_path / "lesson.ipynb")
    with pytest.raises(ValueError, match="is the notebook executed"):
        record.run(tmp_path / "lesson.ipynb")


# ---- a page's HTML


def figure(tmp_path: Path, *each: dict, words: list[str]) -> BeautifulSoup:
    files = [base64.b64decode(image(n).split("base64,")[1][:-2]) for n in range(len(words))]
    frames = sliders.Frames("digest", list(each), words, files)
    return BeautifulSoup(sliders.as_html(frames, Pictures(tmp_path), "../pictures", "on <b>X</b>"), "html.parser")


def test_controls_say_their_name_and_where_they_stand(tmp_path: Path) -> None:
    words = [f'"{n}" & <b>' for n in range(6)]
    choice, fixed = slider("rule", ("a<b", "c"), 1, "choice"), slider("bits", (3,), 0)
    page = figure(tmp_path, choice, slider("log₁₀ λ", (-0.5, 0.0, 2), 0), fixed, words=words)
    swaps = json.loads(page.div["data-frames"])
    assert [alt for _, alt in swaps] == words and all((tmp_path / Path(src).name).exists() for src, _ in swaps)
    assert page.img["alt"] == words[3] and page.img["src"] == swaps[3][0]  # the second rule, the first λ
    assert page.find(class_="frames-controls").has_attr("hidden")  # until there is JavaScript
    [ranged] = page.find_all("input", type="range")
    assert page.find("label", attrs={"for": ranged["id"]}).text == "log₁₀ λ"
    assert (ranged["max"], ranged["value"], ranged["aria-valuetext"]) == ("2", "0", "−0.5")
    assert json.loads(ranged["data-said"]) == ["−0.5", "0", "2"]
    assert page.fieldset.legend.text == "rule"
    assert [(label.text.strip(), label.input.has_attr("checked")) for label in page.fieldset.find_all("label")] == [
        ("a<b", False),
        ("c", True),
    ]
    assert [each["data-positions"] for each in page.select("[data-positions]")] == ["2", "3"]
    assert page.find("p").text.endswith("computes as you move, and moves bits, here 3, too.")


def test_the_frames_stand_in_for_the_first_widget_alone(tmp_path: Path) -> None:
    outputs = [[WIDGET, {"text/html": image()}], [WIDGET]]
    cells = [new_code_cell("", outputs=[new_output("display_data", data) for data in each]) for each in outputs]
    frames = sliders.Frames(
        "", [slider(positions=(1,), first=0)], ["a"], [base64.b64decode(image().split(",")[1][:-2])]
    )
    page = page_of_notebook(new_notebook(cells=cells), Pictures(tmp_path), "../pictures", None, frames)
    [[one], [other]] = (cell.outputs for cell in page.cells)
    assert 'class="frames"' in one.data["text/html"] and 'class="widget"' in other.data["text/html"]


# ---- the frames that are committed


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_notebooks_frames_are_fresh_few_small_and_described(path: Path) -> None:
    frames = sliders.read(sliders.FOLDER / path.stem)
    again = f"make frames NOTEBOOKS=notebooks/{path.name}"
    assert frames is not None, f"no frames yet: {again}"
    assert sliders.are_fresh(frames, nbformat.read(path, as_version=4)), f"the notebook draws something else: {again}"
    counts = [len(control["positions"]) for control in frames.controls]
    assert len(frames.words) == np.prod(counts) <= record.MOST_FRAMES and all(map(str.strip, frames.words))
    assert len(list((sliders.FOLDER / path.stem).iterdir())) == len(frames.words) + 1
    assert sum(map(len, frames.files)) <= record.MOST_BYTES
    pictures = np.array([hash(file) for file in frames.files]).reshape(counts)
    for axis, count in enumerate(counts):  # each control moves the picture
        assert count == 1 or (np.diff(pictures, axis=axis) != 0).any(), frames.controls[axis]["label"]
