"""Draw beforehand what the sliders of the pages show: `python site/record.py notebooks/*.ipynb` (`make frames`).

A reader of a page has no Python. So each notebook is run here as far as its widget, in a kernel in which
`tutorial_lib.workbench.controls` draws the widget's picture at several positions, besides what it always does. The
notebook's file stays as it is. The pictures become small WebP files, the frames, in `site/frames/NOTEBOOK/`, with
`index.json`: the controls, each frame's words, and what the notebook had drawn. They are committed; sliders.py makes
the page's slider of them.

Frames are fresh if their run drew what the executed notebook holds: the last picture up to the widget (mostly the
widget's own first one) is the same to the byte. A test asks that of all notebooks, and a page shows no stale frames. So
after a notebook was executed anew, run this for it too, on the same machine; `make notebooks` does both.
"""

import argparse
import base64
import html
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbclient import NotebookClient
from PIL import Image
from sliders import FOLDER, INDEX, digest_of_last_picture, up_to_the_widget

from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.controls import FRAMES, RECORD

MOST_FRAMES = 20
MOST_BYTES = 150_000  # of a notebook's frames together

# Where a control has more positions than can be shown, or too many with the others: those that are.
POSITIONS: dict[str, dict[str, list[Any]]] = {
    "01_mirror_padding": {"pad": [0, 30, 60, 150]},
    "02_quantization": {"bits": [3], "step": [-1.5, -1.0, -0.5, -0.25, 0.0, 0.2, 0.4]},
    "03_entropy_and_rate": {"log_lambda": [-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.3, 1.6]},
    "04_factorized_prior": {"step": [0, 20, 50, 100, 400], "y": [-7.0, -1.0, 4.0]},
    "05_cdf_tables": {"precision": [5, 6, 8, 10, 16], "spread": [0.3, 1.0]},
    "06_arithmetic_coding": {
        "message": ["abacabaaca", "aaaaaaaaaa", "abbacbcaab"],
        "steps": [0, 2, 4, 6, 8, 10],
    },
    "07_first_codec": {"down": [0, 30, 60, 90], "right": [36]},
    "09_context_and_attention": {"share": [0, 10, 25, 50, 75, 100]},
    "10_slicing": {"percent": [3, 10, 20, 30, 40, 50, 60, 80, 100]},
    "12_full_codec": {"quality": [5, 15, 25, 35, 45, 55, 65, 75, 85]},
}

# The tour's widget is its own: it takes a reader's photos. What is run after such a widget's cell:
OWN_WIDGETS = {"00_tour": "record(lambda quality: HTML(slide(quality)), quality=Slider(50, 30, 80, 10))"}
IMPORTS = "from IPython.display import HTML\nfrom tutorial_lib.workbench.controls import Slider, record\n"

PICTURE = re.compile(r'<img alt="([^"]*)" src="data:image/(png|webp);base64,([^"]+)">')
# The first of them is taken with which all frames fit. Drawings keep their size: made smaller, with smoothed lines and
# letters, they would take more bytes.
PHOTOS = [(1000, 80), (1000, 70), (800, 75), (800, 65), (700, 65), (600, 65), (500, 60)]  # most pixels wide, quality
DRAWINGS = (64, 32, 24)  # colours; as far apart as may be, so that each line keeps its own


class Recorded(NamedTuple):
    """controls: as `controls.record` describes them. frames: as HTML. drawn: by which freshness is told."""

    controls: list[dict[str, Any]]
    frames: list[str]
    drawn: str


def run(path: Path) -> Recorded:
    """Run a notebook as far as its widget. Raises ValueError if it has none, or one that cannot be recorded."""
    notebook = nbformat.read(path, as_version=4)
    cells = up_to_the_widget(notebook)
    if len(cells) == len(notebook.cells):
        raise ValueError(f"{path}: no cell but the last shows a widget; is the notebook executed?")
    if path.stem in OWN_WIDGETS:
        cells.append(nbformat.v4.new_code_cell(IMPORTS + OWN_WIDGETS[path.stem]))
    notebook.cells = cells
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder)
    client.widget_registry = {}  # no stand-in for output widgets, as where notebooks are executed to be stored
    client.execute(env={**os.environ, RECORD: json.dumps(POSITIONS.get(path.stem, {}))})
    data = [output.data[FRAMES] for output in cells[-1].outputs if FRAMES in output.get("data", {})]
    if not data:
        raise ValueError(f"{path}: its widget is not made by `interact`. Tell OWN_WIDGETS how to record it.")
    return Recorded(data[0]["controls"], data[0]["frames"], digest_of_last_picture(cells))


def pictures_of(frames: list[str]) -> tuple[list[Image.Image], list[str], bool]:
    """The frames' pictures, their words, and whether they are drawings, which `figures` keeps as PNG."""
    found = [PICTURE.fullmatch(frame) for frame in frames]
    wrong = next((frame for frame, match in zip(frames, found, strict=True) if match is None), None)
    if wrong is not None:
        raise ValueError(f"A frame has to be one picture with its words, and nothing else. This is: {wrong[:80]} …")
    matches = [match for match in found if match is not None]
    images = [Image.open(io.BytesIO(base64.b64decode(match[3]))).convert("RGB") for match in matches]
    return images, [html.unescape(match[1]) for match in matches], all(match[2] == "png" for match in matches)


def encoded(images: list[Image.Image], drawings: bool) -> list[bytes]:
    """WebP files of at most MOST_BYTES together, as good as that allows."""
    for grade in DRAWINGS if drawings else PHOTOS:
        files = [_drawing(each, grade) if isinstance(grade, int) else _photo(each, *grade) for each in images]
        if sum(map(len, files)) <= MOST_BYTES:
            return files
    raise ValueError(
        f"{len(images)} frames take more than {MOST_BYTES:,} bytes, however coarse: record fewer positions."
    )


def _drawing(image: Image.Image, colours: int) -> bytes:
    file = io.BytesIO()
    few = image.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.convert("RGB").save(file, "webp", lossless=True)
    return file.getvalue()


def _photo(image: Image.Image, most: int, quality: int) -> bytes:
    if image.width > most:
        image = image.resize((most, round(image.height * most / image.width)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "webp", quality=quality)
    return file.getvalue()


def keep(recorded: Recorded, folder: Path) -> int:
    """Write the frames and their index to a folder, in place of what it holds. Returns their bytes."""
    if len(recorded.frames) > MOST_FRAMES:
        raise ValueError(f"{folder.name}: {len(recorded.frames)} frames, more than {MOST_FRAMES}: see POSITIONS.")
    images, words, drawings = pictures_of(recorded.frames)
    files = encoded(images, drawings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, file in enumerate(files):
        (folder / f"{number:02d}.webp").write_bytes(file)
    index = {"drawn": recorded.drawn, "controls": recorded.controls, "words": words}
    atomic_write(folder / INDEX, (json.dumps(index, ensure_ascii=False, indent=1) + "\n").encode())
    return sum(map(len, files))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw beforehand what the sliders of the pages show.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    for notebook_path in parser.parse_args().notebooks:
        recorded = run(notebook_path)
        size = keep(recorded, FOLDER / notebook_path.stem)
        print(f"{notebook_path.stem}: {len(recorded.frames)} frames, {size:,} bytes")
