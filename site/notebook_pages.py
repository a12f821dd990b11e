"""A notebook as a page to read: a copy of the executed notebook in which pictures are light and nothing needs a kernel.

What is changed, in the copy only:

- PNG, JPEG and GIF outputs, and those that stand in HTML as data, become `<img>` of WebP files, with their alternative
  text and their size, so that nothing jumps while the page loads;
- the set-up cell is folded;
- a widget, which needs a kernel, becomes a sentence that says where it moves.
"""

import base64
import html
import re

from nbformat import NotebookNode
from pictures import Pictures

WIDGET = "application/vnd.jupyter.widget-view+json"
IMAGES = ("image/png", "image/jpeg", "image/gif")
DATA_IMAGE = re.compile(r'<img\b[^>]*\bsrc="data:image/(?:png|jpeg|gif|webp);base64,([^"]+)"[^>]*>')
SOURCE = re.compile(r'src="data:[^"]*"')


def page_of_notebook(notebook: NotebookNode, pictures: Pictures, pictures_at: str, colab: str | None) -> NotebookNode:
    """Turn a notebook into its page, in place, and return it.

    pictures_at: where the page finds the folder of pictures. colab: the notebook's address on Colab, if it has one.
    """
    notebook.metadata.setdefault("language_info", {"name": "python"})
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if code:
        code[0].metadata["tags"] = [*code[0].metadata.get("tags", []), "hide-input"]
    for cell in code:
        cell.outputs = [_light(output, pictures, pictures_at, colab) for output in cell.outputs]
    return notebook


def _light(output: NotebookNode, pictures: Pictures, pictures_at: str, colab: str | None) -> NotebookNode:
    data = output.get("data", {})
    if WIDGET in data:
        return _html(output, _stand_in(colab))
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


def _stand_in(colab: str | None) -> str:
    where = f'<a href="{html.escape(colab)}">on Colab</a> or in JupyterLab' if colab else "in JupyterLab or on Colab"
    says = f"Here is a widget. It computes as you move it, so it needs Python: run the notebook {where}."
    return f'<p class="widget">{says}</p>'
