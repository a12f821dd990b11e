"""Padding against torch, NumPy and a walker who really turns around; and against its own undoing."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib.padding import Padding, crop, pad_to_multiple, reflect_indices, reflect_pad

DTYPES = (torch.uint8, torch.int16, torch.int64, torch.float16, torch.float32, torch.float64, torch.bool)

pads = st.tuples(*[st.integers(0, 30)] * 4)  # up to several times as wide as the images below


def numbered(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor whose neighbouring elements differ, whatever its type."""
    values = torch.arange(torch.Size(shape).numel()).reshape(shape)
    return (values * 7 % 3 == 0) if dtype == torch.bool else (values * 37 % 251).to(dtype)


def numpy_reflect(x: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    """numpy.pad, one side at a time: before 2.0 it dropped pixels when both sides of an axis were padded by
    more than its length (NumPy issue 25926); one side alone was right in every version."""
    array = x.numpy()
    for axis, before, after in ((-2, top, bottom), (-1, left, right)):
        length = array.shape[axis]
        start, end = [(0, 0)] * x.ndim, [(0, 0)] * x.ndim
        start[axis], end[axis] = (before, 0), (0, after)
        array = np.concatenate(
            [
                np.pad(array, start, mode="reflect"),
                np.take(np.pad(array, end, mode="reflect"), range(length, length + after), axis),
            ],
            axis,
        )
    return torch.from_numpy(array)


def walk(length: int, before: int, after: int) -> list[int]:
    """The definition, without arithmetic: walk outwards from each end and turn around at every edge."""

    def outwards(start: int, direction: int, steps: int) -> list[int]:
        visited, here = [], start
        for _ in range(steps):
            if not 0 <= here + direction < length:
                direction = -direction
            here += direction if length > 1 else 0
            visited.append(here)
        return visited

    return [*outwards(0, -1, before)[::-1], *range(length), *outwards(length - 1, 1, after)]


# ---- reflect_indices


@given(st.integers(1, 12), st.integers(0, 50), st.integers(0, 50))
def test_the_indices_are_those_of_a_walker_who_turns_around(length: int, before: int, after: int) -> None:
    indices = reflect_indices(length, before, after)
    assert indices.dtype == torch.int64
    assert indices.tolist() == walk(length, before, after)


@pytest.mark.parametrize(("length", "before", "after"), [(0, 1, 1), (-3, 0, 0), (4, -1, 0), (4, 0, -1)])
def test_an_empty_axis_or_a_negative_pad_is_refused(length: int, before: int, after: int) -> None:
    with pytest.raises(ValueError, match="cannot be padded" if length < 1 else "must not be negative"):
        reflect_indices(length, before, after)


# ---- reflect_pad against torch and NumPy


@given(st.integers(1, 9), st.integers(1, 9), pads, st.sampled_from(DTYPES))
def test_equal_to_numpy_for_every_size_and_pad(height: int, width: int, pad, dtype: torch.dtype) -> None:
    x = numbered(height, width, dtype=dtype)
    padded = reflect_pad(x, *pad)
    assert padded.dtype == dtype
    assert torch.equal(padded, numpy_reflect(x, *pad))


@given(st.data(), st.integers(2, 9), st.integers(2, 9))
def test_equal_to_numpy_on_both_sides_at_once(data, height: int, width: int) -> None:
    across, down = st.integers(0, width - 1), st.integers(0, height - 1)
    left, right, top, bottom = data.draw(st.tuples(across, across, down, down))
    x = numbered(height, width)
    expected = np.pad(x.numpy(), ((top, bottom), (left, right)), mode="reflect")
    assert np.array_equal(reflect_pad(x, left, right, top, bottom), expected)


@given(st.data(), st.integers(2, 9), st.integers(2, 9), st.sampled_from([torch.float32, torch.float64]))
def test_equal_to_torch_wherever_torch_is_defined(data, height: int, width: int, dtype: torch.dtype) -> None:
    across, down = st.integers(0, width - 1), st.integers(0, height - 1)  # torch wants pads below the size
    pad = data.draw(st.tuples(across, across, down, down))
    x = numbered(2, 3, height, width, dtype=dtype)
    assert torch.equal(reflect_pad(x, *pad), F.pad(x, pad, mode="reflect"))


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (2, 3, 4, 5), (2, 1, 3, 4, 5)], ids=len)
def test_all_leading_dimensions_ride_along(shape: tuple[int, ...]) -> None:
    x = numbered(*shape)
    padded = reflect_pad(x, 1, 7, 2, 9)
    assert padded.shape == (*shape[:-2], 2 + 4 + 9, 1 + 5 + 7)
    assert torch.equal(padded, numpy_reflect(x, 1, 7, 2, 9))


@pytest.mark.parametrize("side", range(4), ids=Padding._fields)
def test_each_side_is_padded_alone(side: int) -> None:
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])
    pad = [0, 0, 0, 0]
    pad[side] = 1
    expected = {
        "left": [[2, 1, 2, 3], [5, 4, 5, 6]],
        "right": [[1, 2, 3, 2], [4, 5, 6, 5]],
        "top": [[4, 5, 6], [1, 2, 3], [4, 5, 6]],
        "bottom": [[1, 2, 3], [4, 5, 6], [1, 2, 3]],
    }
    assert reflect_pad(x, *pad).tolist() == expected[Padding._fields[side]]


def test_the_picture_of_the_source_notes() -> None:
    x = torch.arange(1, 10).reshape(3, 3)
    printed = [[9, 8, 7, 8, 9], [6, 5, 4, 5, 6], [3, 2, 1, 2, 3], [6, 5, 4, 5, 6], [9, 8, 7, 8, 9]]
    assert reflect_pad(x, 2, 0, 2, 0).tolist() == printed
    one_all_around = [[5, 4, 5, 6, 5], [2, 1, 2, 3, 2], [5, 4, 5, 6, 5], [8, 7, 8, 9, 8], [5, 4, 5, 6, 5]]
    assert reflect_pad(x, 1, 1, 1, 1).tolist() == one_all_around


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_a_single_pixel_is_repeated(shape: tuple[int, int]) -> None:
    x = numbered(*shape) + 1
    padded = reflect_pad(x, 5, 4, 3, 2)
    assert torch.equal(padded, numpy_reflect(x, 5, 4, 3, 2))
    for axis in (0, 1):
        if shape[axis] == 1:
            assert (padded.diff(dim=axis) == 0).all()


@pytest.mark.parametrize(
    "x",
    [
        numbered(6, 8).T,
        numbered(2, 12, 10)[:, ::2, 1::3],
        numbered(2, 3, 6, 5).contiguous(memory_format=torch.channels_last),
        numbered(1, 1, 5).expand(2, 4, 5),
    ],
    ids=["transposed", "strided", "channels_last", "expanded"],
)
def test_any_memory_layout(x: Tensor) -> None:
    assert torch.equal(reflect_pad(x, 9, 1, 2, 12), numpy_reflect(x.contiguous(), 9, 1, 2, 12))


def test_the_result_is_a_copy_even_when_nothing_is_added() -> None:
    x = numbered(3, 4)
    reflect_pad(x, 0, 0, 0, 0).zero_()
    assert x.any()


def test_an_empty_batch_stays_empty() -> None:
    assert reflect_pad(torch.zeros(0, 3, 4, 5), 1, 2, 3, 4).shape == (0, 3, 11, 8)


def test_gradients_add_up_at_the_pixels_shown_more_than_once() -> None:
    x = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: reflect_pad(x, 5, 2, 1, 7).square(), x)
    reflect_pad(x, 5, 2, 1, 7).sum().backward()
    times_shown = torch.outer(reflect_indices(3, 1, 7).bincount(), reflect_indices(4, 5, 2).bincount())
    assert torch.equal(x.grad, times_shown.expand(2, 3, 4).double())


@pytest.mark.parametrize("pad", [(-1, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, -1)])
def test_negative_pads_are_refused(pad: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="must not be negative; use crop"):
        reflect_pad(numbered(4, 4), *pad)


# ---- pad_to_multiple and crop


def test_round_trip_for_every_size_and_multiple() -> None:
    for size, multiple in product(range(1, 201), range(1, 65)):
        x = numbered(size, 201 - size, dtype=torch.uint8)  # both axes see every size
        padded, padding = pad_to_multiple(x, multiple)
        for before, after in zip(x.shape, padded.shape, strict=True):
            assert after % multiple == 0 and before <= after < before + multiple
        assert padding.left == padding.top == 0
        assert torch.equal(crop(padded, padding), x)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 64))
def test_the_added_pixels_are_the_reflection(height: int, width: int, multiple: int) -> None:
    x = numbered(2, height, width)
    padded, padding = pad_to_multiple(x, multiple)
    assert torch.equal(padded, numpy_reflect(x, *padding))


@given(pads, st.integers(1, 9), st.integers(1, 9))
def test_crop_undoes_any_padding(pad, height: int, width: int) -> None:
    x = numbered(3, height, width)
    assert torch.equal(crop(reflect_pad(x, *pad), Padding(*pad)), x)


def test_crop_is_a_view() -> None:
    x = numbered(4, 5)
    crop(x, Padding(1, 2, 1, 0)).fill_(-1)
    assert (x[1:, 1:3] == -1).all() and (x[0] >= 0).all() and (x[:, 3:] >= 0).all()


@pytest.mark.parametrize("multiple", [0, -8])
def test_only_positive_multiples(multiple: int) -> None:
    with pytest.raises(ValueError, match="multiples of 1, 2, 3"):
        pad_to_multiple(numbered(4, 4), multiple)


@pytest.mark.parametrize(
    "padding", [(-1, 0, 0, 0), (0, 0, 0, -1), (2, 3, 0, 0), (0, 5, 0, 0), (0, 0, 4, 0), (0, 0, 2, 2)]
)
def test_crop_refuses_what_would_leave_nothing(padding: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit in an image of 4 × 5 pixels"):
        crop(numbered(4, 5), Padding(*padding))


def test_crop_may_leave_a_single_pixel() -> None:
    x = numbered(4, 5)
    assert torch.equal(crop(x, Padding(2, 2, 3, 0)), x[3:, 2:3])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: reflect_pad(x, 0, 0, 0, 0),
        lambda x: pad_to_multiple(x, 4),
        lambda x: crop(x, Padding(0, 0, 0, 0)),
    ],
    ids=["reflect_pad", "pad_to_multiple", "crop"],
)
def test_a_row_of_pixels_is_no_image(function) -> None:
    with pytest.raises(ValueError, match=r"\(\.\.\., H, W\), but this one has 1 dimension"):
        function(numbered(5))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3, 0, 4)])
def test_an_image_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="0 pixels cannot be padded"):
        pad_to_multiple(torch.zeros(shape), 4)
