"""Sliders that need no Python: the frames that record.py has drawn, one for each position, and a page's HTML of them.

Without JavaScript the page shows the first frame and no control. With it, frames.js brings the controls out and swaps
the frames, each with its words.
"""

import hashlib
import html
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode
from pictures import Pictures

FOLDER = Path(__file__).parent / "frames"
INDEX = "index.json"
WIDGET = "application/vnd.jupyter.widget-view+json"
DATA = re.compile(r'src="(data:image/[^"]+)"')


class Frames(NamedTuple):
    """What was recorded of a notebook's widget.

    drawn: digest of the last picture that the run had drawn. controls: dictionaries with label, kind ("slider" or
    "choice"), positions, and first, the index of the position at which the control stands at first. words: what each
    frame shows, the last control moving fastest. files: the frames, in the same order.
    """

    drawn: str
    controls: list[dict[str, Any]]
    words: list[str]
    files: list[bytes]


def read(folder: Path) -> Frames | None:
    """The frames in a folder, or None if it has none."""
    if not (folder / INDEX).exists():
        return None
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    files = [(folder / f"{number:02d}.webp").read_bytes() for number in range(len(index["words"]))]
    return Frames(index["drawn"], index["controls"], index["words"], files)


def digest_of_last_picture(cells: Sequence[NotebookNode]) -> str:
    """A digest of the last picture among the outputs, which lessons display as HTML; of nothing if there is none."""
    last = ""
    for cell in cells:
        for output in cell.get("outputs", ()):
            last = next(iter(DATA.findall("".join(output.get("data", {}).get("text/html", "")))[-1:]), last)
    return hashlib.sha256(last.encode()).hexdigest()[:20]


def up_to_the_widget(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells up to the first that shows a widget, that one included; all cells if none does."""
    for index, cell in enumerate(notebook.cells):
        if any(WIDGET in output.get("data", {}) for output in cell.get("outputs", ())):
            return notebook.cells[: index + 1]
    return list(notebook.cells)


def are_fresh(frames: Frames, notebook: NotebookNode) -> bool:
    """Were the frames recorded in a run that drew what the executed notebook holds?"""
    return frames.drawn == digest_of_last_picture(up_to_the_widget(notebook))


def first(frames: Frames) -> int:
    """The number of the frame that is shown at first."""
    number = 0
    for control in frames.controls:
        number = number * len(control["positions"]) + control["first"]
    return number


def as_html(frames: Frames, pictures: Pictures, pictures_at: str, where: str) -> str:
    """A figure with controls.

    pictures_at: where the page finds the folder of pictures. where: HTML that says where the notebook runs.
    """
    kept = [pictures.add(file) for file in frames.files]
    shown = first(frames)
    name, width, height = kept[shown]
    swaps = [[f"{pictures_at}/{name}", words] for (name, _, _), words in zip(kept, frames.words, strict=True)]
    moving = [control for control in frames.controls if len(control["positions"]) > 1]
    fixed = [control for control in frames.controls if len(control["positions"]) == 1]
    numbers = itertools.count()
    controls = "".join((_slider if each["kind"] == "slider" else _choice)(each, next(numbers)) for each in moving)
    note = f"{len(kept)} pictures, drawn beforehand. The notebook, {where}, computes as you move"
    if fixed:
        note += ", and moves " + " and ".join(f"<b>{html.escape(c['label'])}</b>, here {_said(c, 0)}," for c in fixed)
        note = note.removesuffix(",") + ", too"
    return (
        f'<div class="frames" data-frames="{html.escape(json.dumps(swaps, ensure_ascii=False))}">'
        f'<div class="frames-controls" hidden>{controls}</div>'
        f'<img src="{pictures_at}/{name}" alt="{html.escape(frames.words[shown])}" width="{width}" height="{height}" '
        f'loading="lazy"><p class="frames-note">{note}.</p></div>'
    )


def _slider(control: dict[str, Any], number: int) -> str:
    said = [_said(control, index) for index in range(len(control["positions"]))]
    at = control["first"]
    return (
        f'<div class="frames-control" data-positions="{len(said)}"><label for="frames-{number}">'
        f"{html.escape(control['label'])}</label>"
        f'<input type="range" id="frames-{number}" min="0" max="{len(said) - 1}" step="1" value="{at}" '
        f'autocomplete="off" aria-valuetext="{html.escape(said[at])}" '
        f'data-said="{html.escape(json.dumps(said, ensure_ascii=False))}">'
        f'<span class="frames-value" aria-hidden="true">{html.escape(said[at])}</span></div>'
    )


def _choice(control: dict[str, Any], number: int) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="frames-{number}" autocomplete="off" value="{index}"'
        f"{' checked' if index == control['first'] else ''}> {html.escape(_said(control, index))}</label>"
        for index in range(len(control["positions"]))
    )
    return (
        f'<fieldset class="frames-control" data-positions="{len(control["positions"])}">'
        f"<legend>{html.escape(control['label'])}</legend>{buttons}</fieldset>"
    )


def _said(control: dict[str, Any], index: int) -> str:
    """A position as it is written and said: numbers with a minus sign instead of a hyphen."""
    position = control["positions"][index]
    return f"{position:g}".replace("-", "−") if isinstance(position, int | float) else str(position)
