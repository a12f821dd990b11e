"""A notebook as a page to read: a copy of the executed notebook in which pictures are light and nothing needs a kernel.

What is changed, in the copy only:

- PNG, JPEG and GIF outputs, and those that stand in HTML as data, become `<img>` of WebP files, with their alternative
  text and their size, so that nothing jumps while the page loads;
- the set-up cell is folded;
- a widget, which needs a kernel, becomes a slider over frames that were drawn beforehand (sliders.py); where there are
  none, a sentence that says where it moves.
"""

import base64
import html
import re

from nbformat import NotebookNode
from pictures import Pictures
from sliders import WIDGET, Frames, as_html, up_to_the_widget

IMAGES = ("image/png", "image/jpeg", "image/gif")
DATA_IMAGE = re.compile(r'<img\b[^>]*\bsrc="data:image/(?:png|jpeg|gif|webp);base64,([^"]+)"[^>]*>')
SOURCE = re.compile(r'src="data:[^"]*"')


def page_of_notebook(
    notebook: NotebookNode, pictures: Pictures, pictures_at: str, colab: str | None, frames: Frames | None = None
) -> NotebookNode:
    """Turn a notebook into its page, in place, and return it.

    pictures_at: where the page finds the folder of pictures. colab: the notebook's address on Colab, if it has one.
    frames: of the notebook's widget, if there are any.
    """
    where = f'<a href="{html.escape(colab)}">on Colab</a> or in JupyterLab' if colab else "in JupyterLab or on Colab"
    notebook.metadata.setdefault("language_info", {"name": "python"})
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if code:
        code[0].metadata["tags"] = [*code[0].metadata.get("tags", []), "hide-input"]
    framed = up_to_the_widget(notebook)[-1] if frames else None
    for cell in code:
        widget = _stand_in(where)
        if frames and cell is framed:
            widget = as_html(frames, pictures, pictures_at, where)
            # What the widget drew first is one of the frames.
            cell.outputs = [output for output in cell.outputs if "text/html" not in output.get("data", {})]
        cell.outputs = [_light(output, pictures, pictures_at, widget) for output in cell.outputs]
    return notebook


def _light(output: NotebookNode, pictures: Pictures, pictures_at: str, widget: str) -> NotebookNode:
    data = output.get("data", {})
    if WIDGET in data:
        return _html(output, widget)
    for kind in IMAGES:
        if kind in data:
            about = output.get("metadata", {}).get(kind, {})
            name, width, height = pictures.add(base64.b64decode(data[kind]))
            alt = html.escape(about.get("alt", ""))
            size = f'width="{about.get("width", width)}" height="{about.get("height", height)}"'
            return _html(output, f'<img src="{pictures_at}/{name}" alt="{alt}" {size} loading="lazy">')
    if "text/html" in data:

        def moved(match: re.Match[str]) -> str:
            name, width, height = pictures.add(base64.b64decode(match[1]))
            size = "" if re.search(r"\bwidth=", match[0]) else f' width="{width}" height="{height}"'
            return SOURCE.sub(f'src="{pictures_at}/{name}"{size} loading="lazy"', match[0])

        return _html(output, DATA_IMAGE.sub(moved, "".join(data["text/html"])))
    return output


def _html(output: NotebookNode, source: str) -> NotebookNode:
    output["data"] = NotebookNode({"text/html": source})
    output["metadata"] = NotebookNode()
    return output


def _stand_in(where: str) -> str:
    says = f"Here is a widget. It computes as you move it, so it needs Python: run the notebook {where}."
    return f'<p class="widget">{says}</p>'
