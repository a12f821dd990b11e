"""What the tour shows: uploads, the latent as one picture, where the bits go, and the widget's figures."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
import torch
from PIL import Image

from tutorial_lib.bitstream import unpack
from tutorial_lib.files.images import to_float
from tutorial_lib.workbench import tour
from tutorial_lib.workbench.photos import photo


@pytest.fixture(scope="module")
def crop() -> torch.Tensor:
    return photo("chelsea")[:, 96:160, 96:192].contiguous()


def png(image: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


class TestUploads:
    def test_a_small_picture_is_taken_as_it_is(self, crop: torch.Tensor) -> None:
        assert torch.equal(tour.uploaded(png(crop)), crop)

    @pytest.mark.parametrize(("shape", "after"), [((3, 60, 1024), (3, 30, 512)), ((3, 2048, 1), (3, 512, 1))])
    def test_a_large_one_is_made_smaller(self, shape: tuple, after: tuple) -> None:
        image = torch.full(shape, 77, dtype=torch.uint8)
        assert tuple(tour.uploaded(png(image)).shape) == after

    @pytest.mark.parametrize("data", [b"", b"no picture"])
    def test_what_is_no_picture_is_refused(self, data: bytes) -> None:
        with pytest.raises(ValueError, match=r"^This file is no picture that can be read here; take a JPEG"):
            tour.uploaded(data)


class TestInside:
    def test_bits_are_those_of_the_forward_pass_and_lie_where_they_were_spent(self, crop: torch.Tensor) -> None:
        inside = tour.look_inside(crop, 60)
        with torch.no_grad():
            likelihoods = tour.codec()(to_float(crop), 60)["likelihoods"]
        bits = [-likelihoods[f"part{n}"].log2().sum().item() for n in range(len(inside.parts))]
        assert list(inside.parts) == pytest.approx(bits, rel=1e-3)
        assert inside.bits.sum() == pytest.approx(sum(bits), rel=1e-3) and inside.bits.min() >= 0

    def test_the_file_takes_as_many(self, crop: torch.Tensor) -> None:
        strings = unpack(tour.codec().encode(crop, quality=60, effort=0)).strings
        assert sum(map(len, strings)) == pytest.approx(sum(tour.look_inside(crop, 60).parts) / 8, abs=16)

    def test_flat_places_cost_next_to_nothing(self, crop: torch.Tensor) -> None:
        half = crop.clone()
        half[:, :, :48] = 120
        bits = tour.look_inside(half, 60).bits
        assert bits[:, :40].sum() < 0.1 * bits[:, 56:].sum()

    def test_the_mosaic_holds_each_coefficient_once(self, crop: torch.Tensor) -> None:
        with torch.no_grad():
            y = tour.codec().analysis(to_float(crop), torch.tensor([60.0]))
        laid = tour.mosaic([part[0] for part in y.parts])
        assert laid.shape == crop.shape[1:]
        grey = torch.cat([part[0, :3].flatten() if n else part[0, 0].flatten() for n, part in enumerate(y.parts)])
        assert torch.equal(laid.flatten().sort()[0], grey.sort()[0])

    def test_the_corner_shows_a_small_copy_of_the_photo(self) -> None:
        image = photo("chelsea")[:, :288, :384].contiguous()
        seen = tour.brightness(tour.look_inside(image, 60))
        red, green, blue = to_float(image)[0, :, 16:-16, 16:-16]  # a wavelet's samples lie on multiples of 32
        small = (0.299 * red + 0.587 * green + 0.114 * blue).reshape(8, 32, 11, 32).mean((1, 3))
        assert np.corrcoef(seen[1:9, 1:12].flatten(), small.flatten())[0, 1] > 0.95
        assert seen[:9, :12].min() == 0 and seen[:9, :12].max() == 1  # nothing of it is cut off
        assert seen.min() == 0 and seen.max() == 1

    def test_a_flat_low_pass_is_black(self) -> None:
        coefficients = np.full((4, 8), 90.0)
        assert tour.brightness(tour.Inside(coefficients, coefficients, [1.0, 2.0])).tolist() == [
            [0, 0, 0, 0, 1, 1, 1, 1],
            [0, 0, 0, 0, 1, 1, 1, 1],
            [1] * 8,
            [1] * 8,
        ]

    def test_sides_that_do_not_fit_are_refused(self, crop: torch.Tensor) -> None:
        with pytest.raises(ValueError, match=r"multiples of 32: \(64, 90\)"):
            tour.look_inside(crop[:, :, :90], 60)


def test_jpeg_gets_as_many_bytes_or_its_fewest(crop: torch.Tensor) -> None:
    each = tour.stop(crop, 80)
    assert len(each.jpeg_file) <= len(each.file) or len(each.jpeg_file) == len(tour.jpeg_at_most(crop, 1))
    assert each.picture.shape == each.jpeg.shape == crop.shape


def test_the_widget_has_a_figure_for_each_quality(crop: torch.Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    slide = tour.explore(crop)
    assert slide is not None
    pages = [slide(quality) for quality in tour.QUALITIES]
    assert len(set(pages)) == len(pages) and all(page.startswith('<img alt="Side by side') for page in pages)
    assert all(slide(quality) is page for quality, page in zip(tour.QUALITIES, pages, strict=True))  # made once


def test_without_widgets_a_sentence(monkeypatch, capsys: pytest.CaptureFixture[str], crop: torch.Tensor) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert tour.explore(crop) is None
    assert (
        capsys.readouterr().out
        == "There are no widgets here (pip install ipywidgets): the figure above shows one quality.\n"
    )


def test_bytes_are_shown_sixteen_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    tour.show_bytes(b"\x89LIC\x03" + bytes(range(32, 50)), rows=2)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "   0  89 4c 49 43 03 20 21 22 23 24 25 26 27 28 29 2a  ·LIC· !\"#$%&'()*"
    assert second.split() == ["16", "2b", "2c", "2d", "2e", "2f", "30", "31", "+,-./01"]
