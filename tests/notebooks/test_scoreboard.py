"""The scoreboard: what it measures, against a codec whose rate is known; the file, against codecs measured here."""

from __future__ import annotations

import math
from pathlib import Path

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tutorial_lib.codec import Codec
from tutorial_lib.course import NOTEBOOKS
from tutorial_lib.evaluation.classical import decode, jpeg_encode
from tutorial_lib.workbench import scoreboard
from tutorial_lib.workbench.scoreboard import Board, Row

GREY = torch.full((3, 8, 8), 100, dtype=torch.uint8)


def shifted(image: torch.Tensor, quality: float) -> bytes:
    """A codec of a known curve: at quality q all pixels are 100 − q off, and a file has 2^(q/10) bytes."""
    return bytes([100 - int(quality)]) * round(2 ** (quality / 10))


def unshift(data: bytes) -> torch.Tensor:
    return GREY + data[0]


def psnr_of(quality: int) -> float:
    return 20 * math.log10(255 / (100 - quality))


class TestMeasuring:
    @pytest.mark.parametrize("quality", [75, 80, 93])
    def test_where_a_whole_quality_hits_the_psnr_it_is_that_files_size(self, quality: int) -> None:
        size = scoreboard.size_at(shifted, unshift, 10, 99, decibels=psnr_of(quality), image=GREY)
        assert size == pytest.approx(round(2 ** (quality / 10)), rel=1e-9)

    def test_between_two_it_is_interpolated_from_the_two_neighbours(self) -> None:
        middle = (psnr_of(80) + psnr_of(81)) / 2
        size = scoreboard.size_at(shifted, unshift, 1, 99, decibels=middle, image=GREY)
        assert size == pytest.approx(math.sqrt(256 * round(2**8.1)))

    def test_real_parameters_are_halved(self) -> None:
        step = lambda image, q: bytes(1000 + int(1000 * q))  # noqa: E731
        back = lambda data: GREY + (20 - (len(data) - 1000) // 100)  # noqa: E731
        size = scoreboard.size_at(step, back, 0.0, 1.5, decibels=20 * math.log10(255 / 12.5), image=GREY)
        assert 1790 <= size <= 1810

    @pytest.mark.parametrize("decibels", [5, 60])
    def test_a_range_without_the_psnr_is_refused(self, decibels: float) -> None:
        with pytest.raises(ValueError, match=f"asks for {decibels} dB; these points reach from .* take a wider range"):
            scoreboard.size_at(shifted, unshift, 10, 99, decibels=decibels, image=GREY)

    def test_points_in_any_order(self) -> None:
        assert scoreboard.size_on_curve([(400, 36), (100, 32)], 34) == pytest.approx(200)


class TestTheFile:
    def test_rows_stand_in_the_order_of_the_course(self) -> None:
        numbers = [row.notebook for row in scoreboard.read_board().rows]
        assert numbers == sorted(numbers) and set(numbers) <= {each.number for each in NOTEBOOKS}

    def test_it_holds_what_the_notebooks_measured(self) -> None:
        folder = Path(__file__).parents[2] / "notebooks"
        shown = [row for path in sorted(folder.glob("*.ipynb")) for row in scoreboard.rows_in(path)]
        assert shown == list(scoreboard.read_board().rows)

    def test_jpegs_line_is_measured_again(self) -> None:
        measured = scoreboard.size_at(jpeg_encode, decode, 5, 95)
        assert measured == pytest.approx(scoreboard.read_board().lines["JPEG"], rel=0.01)

    def test_the_shipped_codecs_line_is_measured_again(self) -> None:
        codec = Codec.load()
        measured = scoreboard.size_at(lambda x, q: codec.encode(x, quality=int(q)), codec.decode, 50, 70)
        assert measured == pytest.approx(scoreboard.read_board().lines["shipped codec"], rel=0.02)

    def test_written_and_read_it_is_the_same(self, tmp_path: Path) -> None:
        board = Board({"JPEG": 10.4, "shipped codec": 5.0}, (Row("00", "thirty lines", 20.2), Row("01", "more", 19.9)))
        scoreboard.write_board(board, tmp_path / "board.json")
        again = scoreboard.read_board(tmp_path / "board.json")
        assert again.lines == {"JPEG": 10, "shipped codec": 5} and [row.size for row in again.rows] == [20, 20]


class TestTheChart:
    @pytest.fixture
    def board(self, monkeypatch: pytest.MonkeyPatch) -> Board:
        InteractiveShell.instance()
        rows = tuple(Row(f"{n:02}", f"codec {n}", 20_000 - 1000 * n) for n in range(5))
        board = Board({"JPEG": 13_535, "shipped codec": 5475}, rows)
        monkeypatch.setattr(scoreboard, "read_board", lambda: board)
        return board

    def test_it_shows_earlier_rows_from_the_file_and_its_own_as_measured(self, board: Board, tmp_path: Path) -> None:
        with capture_output() as captured:
            scoreboard.show_rows("02", {"better": 17_123.4, "worse": 21_000})
        (output,) = captured.outputs
        html = output.data["text/html"]
        assert "00 codec 0 20 kB; 01 codec 1 19 kB; 02 better 17.1 kB; 02 worse 21 kB. Lines: JPEG 13.5 kB" in html
        assert "codec 2" not in html and "codec 3" not in html
        stored = new_output("display_data", data=output.data, metadata=output.metadata)
        nbformat.write(new_notebook(cells=[new_code_cell(outputs=[stored])]), tmp_path / "02.ipynb")
        assert scoreboard.rows_in(tmp_path / "02.ipynb") == [Row("02", "better", 17_123), Row("02", "worse", 21_000)]

    def test_labels_lie_in_the_picture(self, board: Board) -> None:
        figure = scoreboard.draw(board)
        figure.canvas.draw()
        for text in figure.axes[0].texts:
            box = text.get_window_extent()
            assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text.get_text()
        scoreboard.plt.close(figure)


@pytest.mark.parametrize(
    ("size", "said"), [(13_535, "13.5 kB"), (5475.2, "5.48 kB"), (20_000, "20 kB"), (999, "0.999 kB")]
)
def test_kilobytes_have_three_digits(size: float, said: str) -> None:
    assert scoreboard.kilobytes(size) == said
