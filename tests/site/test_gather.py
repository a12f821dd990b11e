"""What the site's sources are made of: links, docstrings, notebooks and pictures, on examples."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from docutils.core import publish_doctree
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

gather = pytest.importorskip("gather", reason="its folder is put on the path by conftest")
from docstrings import as_rest  # noqa: E402
from links import rewrite, with_units_at_their_numbers, without_remote_pictures  # noqa: E402
from notebook_pages import page_of_notebook  # noqa: E402
from pictures import HEAVY, Pictures  # noqa: E402


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def drawing() -> np.ndarray:
    pixels = np.full((60, 80, 3), 255, np.uint8)
    pixels[20:40, 10:70] = (200, 30, 30)
    return pixels


def photo() -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (120, 160, 3), np.uint8)


class TestLinks:
    def turned(self, text: str, file: str = "README.md", files_at: str | None = "https://github.com/a/b/blob/main"):
        return rewrite(text, file, lambda path: f"/pictures/{path}", files_at, {"#appendix": "look_up/claims.md"})

    @pytest.mark.parametrize(
        ("text", "file", "expected"),
        [
            ("[n](notebooks/01_x.ipynb)", "README.md", "[n](/notebooks/01_x.ipynb)"),
            ("[n](01_x.ipynb#s)", "notebooks/02_y.ipynb", "[n](/notebooks/01_x.ipynb#s)"),
            ("[c](../data/checkpoints/codec.md)", "notebooks/02_y.ipynb", "[c](/measured/codec.md)"),
            ("[r](../README.md)", "data/README.md", "[r](/index.md)"),
            ("[r](../README.md#appendix)", "data/README.md", "[r](/look_up/claims.md)"),
            ("[a](#appendix) [b](#other)", "README.md", "[a](/look_up/claims.md) [b](#other)"),
            ("![two words](data/codec.png)", "README.md", "![two words](/pictures/data/codec.png)"),
            ("[t](tests/own.py)", "README.md", "[t](https://github.com/a/b/blob/main/tests/own.py)"),
            ("[w](https://w3.org/a.md) <mailto:a@b>", "README.md", "[w](https://w3.org/a.md) <mailto:a@b>"),
            ("```\n[n](LICENSE)\n```\n[n](LICENSE)", "README.md", "```\n[n](LICENSE)\n```\n[n](/project/licence.md)"),
        ],
    )
    def test_they_lead_to_pages(self, text: str, file: str, expected: str) -> None:
        assert self.turned(text, file) == expected

    def test_without_an_address_a_link_to_a_file_is_text(self) -> None:
        assert self.turned("see [its tests](tests/own.py).", files_at=None) == "see its tests."

    def test_badges_are_left_out(self) -> None:
        text = "[![Colab](https://c.com/badge.svg)](https://c.com/x) ![t](https://t.com/pixel.gif) ![own](data/a.png)"
        assert without_remote_pictures(text) == "![own](data/a.png)"

    def test_in_tables_a_number_keeps_its_percent_sign(self) -> None:
        text = "7 % of\n| a | −58.4 % | a % b |\n    x = 7 % 3\n"
        assert with_units_at_their_numbers(text) == text.replace("4 %", "4\N{NO-BREAK SPACE}%")


class TestDocstrings:
    def document(self, text: str):
        return publish_doctree(
            "\n".join(as_rest(text.split("\n"))), settings_overrides={"report_level": 1, "halt_level": 1}
        )

    @pytest.mark.parametrize(
        "text",
        [
            "Prose with `code`s, *emphasis*, h * w, a_ trailing underscore, |z|, and **strong** words.",
            "encode(*inputs, **settings) gives 2 ** 8 and `a*b`, not *a*b.",
            "x: (B, M, h, w), `float32`.\n   Further down.\n*rest: all others\n\nRaises ValueError.",
            "1. *Scale.* Then\n   more.\n2. Next",
            "- one `y`\n- two\n  lines",
            "A formula:\n\n    y = *x* + `z`\n\nand on.",
            ">>> f(1)\n2",
            "`codec`, `a`/`b`, (`c`) and `d`-`e`: x`f`.",
            "A path C:\\dir and a backtick ` alone.",
        ],
    )
    def test_every_sign_is_meant_as_it_stands(self, text: str) -> None:
        """No warning of the parser's; and what is read is what was written, but for the signs of Markdown."""
        read = self.document(text).astext()
        bare = [word for word in text.replace("`", "").replace("**strong**", "strong").split() if word.isalpha()]
        assert all(word in read for word in bare)

    def test_columns_become_a_list_and_hand_made_layout_stays(self) -> None:
        text = "Do it.\n\nx: the input,\n   padded\ny: the output\n\n    a   b\n      c"
        document = self.document(text)
        [items] = document.findall(lambda node: node.tagname == "bullet_list")
        assert [item.astext().replace("\n", " ") for item in items] == ["x: the input, padded", "y: the output"]
        [literal] = document.findall(lambda node: node.tagname == "literal_block")
        assert literal.astext() == "a   b\n  c"


class TestPictures:
    def test_a_drawing_stays_as_it_is_and_a_photo_gets_light(self, tmp_path) -> None:
        pictures = Pictures(tmp_path / "pictures")
        name, width, height = pictures.add(png(drawing()))
        assert (width, height) == (80, 60)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "pictures" / name).convert("RGB")), drawing())
        noisy = png(photo())
        name, *_ = pictures.add(noisy)
        assert (tmp_path / "pictures" / name).stat().st_size < len(noisy) / 2

    def test_a_photo_in_grey_is_no_drawing_though_it_has_few_colours(self, tmp_path) -> None:
        grey = np.random.default_rng(0).normal(128, 12, (400, 500)).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "webp", lossless=True)
        assert file.tell() > HEAVY
        name, *_ = Pictures(tmp_path).add(file.getvalue())
        assert (tmp_path / name).stat().st_size < file.tell() / 2
        kept = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert np.abs(kept - grey.astype(float)).mean() < 12  # a picture of it still

    def test_an_animation_keeps_its_frames(self, tmp_path) -> None:
        file = io.BytesIO()
        frames = [Image.fromarray(drawing()), Image.fromarray(255 - drawing())]
        frames[0].save(file, "gif", save_all=True, append_images=frames[1:], duration=200)
        name, *_ = Pictures(tmp_path).add(file.getvalue())
        assert Image.open(tmp_path / name).n_frames == 2

    def test_what_no_page_uses_is_deleted(self, tmp_path) -> None:
        Pictures(tmp_path).add(png(photo()))
        second = Pictures(tmp_path)
        name, *_ = second.add(png(drawing()))
        second.sweep()
        assert [path.name for path in tmp_path.iterdir()] == [name]


class TestNotebooks:
    def page(self, tmp_path, colab: str | None = None, **outputs: dict):
        made = [new_output("display_data", **output) for output in outputs.values()]
        cells = [new_code_cell("set = up"), new_code_cell("show()", outputs=made, execution_count=1)]
        return page_of_notebook(new_notebook(cells=cells), Pictures(tmp_path), "../pictures", colab)

    def test_pictures_keep_their_words_and_their_size(self, tmp_path) -> None:
        encoded = base64.b64encode(png(drawing())).decode()
        page = self.page(
            tmp_path,
            figure={"data": {"image/png": encoded}, "metadata": {"image/png": {"alt": 'A "red" bar'}}},
            html={"data": {"text/html": f'<img alt="again" src="data:image/png;base64,{encoded}">'}},
        )
        figure, html = (output.data["text/html"] for output in page.cells[1].outputs)
        assert 'alt="A &quot;red&quot; bar" width="80" height="60"' in figure
        assert 'alt="again" src="../pictures/' in html and html.count("width=") == 1 and "base64" not in html

    def test_a_size_of_its_own_and_webp_are_kept(self, tmp_path) -> None:
        file = io.BytesIO()
        Image.fromarray(photo()).save(file, "webp")
        source = f'<img src="data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}" width="40" alt="Cat">'
        [output] = self.page(tmp_path, html={"data": {"text/html": source}}).cells[1].outputs
        [picture] = tmp_path.iterdir()
        assert picture.read_bytes() == file.getvalue()
        assert output.data["text/html"] == f'<img src="../pictures/{picture.name}" loading="lazy" width="40" alt="Cat">'

    def test_the_set_up_cell_is_folded_and_no_other(self, tmp_path) -> None:
        page = self.page(tmp_path)
        assert page.cells[0].metadata["tags"] == ["hide-input"] and not page.cells[1].metadata.get("tags")

    @pytest.mark.parametrize("colab", [None, "https://colab.research.google.com/github/a/b/blob/main/x.ipynb"])
    def test_a_widget_says_where_it_moves(self, tmp_path, colab: str | None) -> None:
        view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "interactive(…)"}
        [output] = self.page(tmp_path, colab, widget={"data": view}).cells[1].outputs
        assert set(output.data) == {"text/html"} and (colab or "JupyterLab") in output.data["text/html"]


def test_the_claims_become_a_page() -> None:
    readme = "# A\n\ntext\n\n## Appendix: the notes' claims, tested\n\n| a |\n\n## After\n\nmore\n"
    front, claims, title = gather.split_claims(readme)
    assert front == "# A\n\ntext\n\n## After\n\nmore\n" and claims == "# The notes' claims, tested\n\n| a |\n\n"
    assert gather.slug(title) == "appendix-the-notes-claims-tested"
    assert gather.split_claims("# A\n") == ("# A\n", "", "")


def test_the_scoreboard_is_a_table() -> None:
    board = {
        "photo": "cat",
        "decibels": 34.0,
        "lines": {"JPEG": 1000, "shipped codec": 400},
        "rows": [{"notebook": "01", "codec": "thirty lines", "size": 2000}],
    }
    rows = [line for line in gather.scoreboard_page(board).split("\n") if line.startswith("|")][2:]
    assert "| thirty lines | 2,000 | 2.00 |" in rows[0] and "(/notebooks/01_mirror_padding.ipynb)" in rows[0]
    assert "width: 9.00em" in rows[0] and "| **shipped codec** | 400 | 0.40 |" in rows[2]
