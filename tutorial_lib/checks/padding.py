"""The checks of notebook 01: mirror padding."""

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.checks import Wrong, as_number, call, exercise, short
from tutorial_lib.padding import reflect_pad

# The picture of the first exercise: numbers 1 to 12 in three rows, and how they were padded.
ORIGINAL = torch.arange(1, 13).reshape(3, 4)
PADS = (1, 4, 3, 0)  # left, right, top, bottom


def puzzle() -> Tensor:
    """`ORIGINAL`, reflected: (6, 9). Which pads made it?"""
    return reflect_pad(ORIGINAL, *PADS)


@exercise
def which_pads(pads) -> str:
    """The four pads that made `puzzle()`."""
    try:
        left, right, top, bottom = (float(pad) for pad in pads)
    except (TypeError, ValueError):
        raise Wrong("Four whole numbers are asked for: (left, right, top, bottom).") from None
    if not all(pad.is_integer() for pad in (left, right, top, bottom)):
        raise Wrong("Four whole numbers are asked for; pixels are not cut in parts.")
    left, right, top, bottom = int(left), int(right), int(top), int(bottom)
    if min(left, right, top, bottom) < 0:
        raise Wrong("A pad counts pixels that were added; it cannot be negative.")
    if (left, right, top, bottom) == PADS:
        return "The original is where the rows run 1 2 3 4, 5 6 7 8 and 9 10 11 12."
    if (top, bottom, left, right) == PADS:
        raise Wrong("The right numbers at the wrong sides: the order is left, right, top, bottom.")
    if (right, left, bottom, top) == PADS:
        raise Wrong("Mirrored: left is what was added before a row's first pixel, top what was added above.")
    height, width = ORIGINAL.shape[0] + top + bottom, ORIGINAL.shape[1] + left + right
    if (height, width) != puzzle().shape:
        wanted = " × ".join(str(size) for size in puzzle().shape)
        raise Wrong(f"These pads make a picture of {height} × {width}; the one shown is {wanted}.")
    raise Wrong("The size is right, but the original sits elsewhere: find the rows that run 1 2 3 4, 5 6 7 8, …")


@exercise
def symmetric_index(function) -> str:
    """symmetric_index(position, length): reflection that repeats the edge pixel."""
    for length in (4, 7, 3, 2, 1):
        there_and_back = [*range(length), *reversed(range(length))]
        positions = sorted(range(-5 * length, 6 * length), key=abs)
        answers = {position: call(function, position, length) for position in positions}
        wrong = [p for p in positions if answers[p] != there_and_back[p % (2 * length)]]
        if not wrong:
            continue
        for message, rival in OTHER_RULES.items():
            if all(answers[position] == rival(position, length) for position in positions):
                raise Wrong(message)
        first = wrong[0]
        far = "Right near the image, wrong further out. " if not -length <= first < 2 * length else ""
        raise Wrong(
            f"{far}In a row of {length} pixels, position {first} shows pixel "
            f"{there_and_back[first % (2 * length)]}, not {answers[first]}."
        )
    return "It repeats after 2·n steps, not 2·(n − 1): both edges are shown twice in a period."


# What a learner may have built instead, and what to say then.
OTHER_RULES = {
    "This is reflection: it skips the edge pixel. The symmetric rule shows it twice: −1 shows pixel 0.": (
        lambda position, n: n - 1 - abs(n - 1 - position % (2 * n - 2)) if n > 1 else 0
    ),
    "This repeats the edge pixel for ever. The symmetric rule shows it twice and then walks back.": (
        lambda position, n: min(max(position, 0), n - 1)
    ),
    "This jumps to the other edge (circular). The symmetric rule turns around at the edge.": (
        lambda position, n: position % n
    ),
}


@exercise
def centred_pads(function) -> str:
    """centred_pads(size, multiple) -> (before, after): the smallest pads, split evenly, the odd pixel after."""
    for size, multiple in [(100, 64), (64, 64), (1, 16), (451, 64), (300, 16), (15, 16), (17, 1)]:
        answer = call(function, size, multiple)
        try:
            before, after = (as_number(side) for side in answer)
        except (TypeError, ValueError):
            raise Wrong(f"Two numbers are asked for, (before, after), not {answer!r}.") from None
        total = -size % multiple
        case = f"size {size}, multiple {multiple}"
        if before % 1 or after % 1:
            raise Wrong(f"{case}: pixels come whole, but you add {before} and {after}. Which division rounds down?")
        before, after = int(before), int(after)
        if before + after == total + multiple:
            raise Wrong(f"{case}: that is {multiple} too many. How much is missing when nothing is missing?")
        if (size + before + after) % multiple:
            raise Wrong(f"{case}: {size} + {before} + {after} is no multiple of {multiple}.")
        if before + after != total:
            raise Wrong(f"{case}: {total} pixels are enough, you add {before + after}.")
        if before == after + 1:
            raise Wrong(f"{case}: the odd pixel goes after the image, not before it.")
        if before != total // 2:
            raise Wrong(f"{case}: {before} before and {after} after is not centred.")
    return "This is what CompressAI's compute_padding does on each axis."


@exercise
def undo(function) -> str:
    """cut_off(x, left, right, top, bottom): undo a padding, zero pads included."""
    for height, pads in [(4, (1, 2, 3, 1)), (5, (2, 2, 2, 2)), (4, (0, 3, 0, 2)), (3, (2, 0, 1, 0)), (5, (0, 0, 0, 0))]:
        x = torch.arange(6.0 * height).reshape(height, 6)
        answer = as_picture(call(function, reflect_pad(x, *pads), *pads))
        case = "left {}, right {}, top {}, bottom {}".format(*pads)
        if answer.numel() == 0:
            raise Wrong(f"{case}: nothing is left. What does the slice [2:-0] give?")
        if answer.shape != x.shape:
            raise Wrong(f"{case}: {tuple(x.shape)} was padded, {tuple(answer.shape)} came back.")
        if not torch.equal(answer, x):
            raise Wrong(f"{case}: the size is right, but these are other pixels. Which side is cut by how much?")
    return "Slicing up to size − pad also works when the pad is 0, which slicing up to −pad does not."


def as_picture(answer) -> Tensor:
    """A tensor, an array or a list of rows, as a tensor."""
    try:
        return answer if isinstance(answer, Tensor) else torch.from_numpy(np.asarray(answer, dtype=np.float32))
    except (TypeError, ValueError):
        raise Wrong(f"A picture is asked for, a tensor or rows of numbers, not {short(answer)}.") from None


@exercise
def more_pixels(function) -> str:
    """more_pixels(height, width, multiple): the padded pixels beyond the photo's, as a fraction of it."""
    for height, width, multiple in [(400, 500, 64), (64, 128, 64), (257, 257, 64), (1, 777, 64), (300, 451, 8)]:
        answer = as_number(call(function, height, width, multiple))
        case = f"{height} × {width} to multiples of {multiple}"
        tall, broad = -height % multiple, -width % multiple
        ratio = (height + tall) * (width + broad) / (height * width)
        if abs(answer - (ratio - 1)) < 1e-5 * ratio:  # float32 is fine
            continue
        one_too_many = (height + multiple - height % multiple) * (width + multiple - width % multiple)
        rivals = {
            ratio: "that is the new area over the old one; only what was added is asked for.",
            100 * (ratio - 1): "that is in percent; a fraction is asked for, 0.1 for 10 %.",
            (ratio - 1) * height * width: "that is a number of pixels; divide it by the photo's.",
            1 - 1 / ratio: "divide by the photo's pixels, not by the padded ones.",
            tall / height
            + broad / width: "the corner is missing: rows and columns are both added. Multiply the sides.",
            one_too_many / (height * width)
            - 1: "a side that fits already needs no pixel more. Try `-size % multiple`.",
        }
        for rival, message in rivals.items():
            if abs(answer - rival) < 1e-5 * max(1, rival):
                raise Wrong(f"{case}: {message}")
        raise Wrong(f"{case}: {ratio - 1:.4f}, not {answer:.4f}. Pad each side, multiply, compare with the photo.")
    return (
        "The worst side is one pixel over a multiple. From 306 pixels on, 16 costs less than 10 %; 64 only from 1,282."
    )


@exercise
def quiet_row(function) -> str:
    """quiet_row(known, cosines): 8 pixels, the first k are known, the 8 − k highest frequencies are 0."""
    n = np.arange(8)
    cosines = np.cos(np.pi * n[:, None] * (2 * n + 1) / 16) / 2
    cosines[0] /= np.sqrt(2)
    for known in ([10.0, 20, 40, 10, 0, 30, 20], [5.0, 9, 8, 12], [30.0], [7.0, 3]):
        k = len(known)
        given = np.array(known)
        answer = as_picture(call(function, given.copy(), cosines.copy())).detach().cpu().double().numpy()
        case = f"{k} known pixel{'s' if k > 1 else ''}"
        if answer.shape != (8,):
            raise Wrong(f"{case}: a row of 8 pixels is asked for, not the shape {answer.shape}.")
        if not np.isfinite(answer).all():
            raise Wrong(f"{case}: your row holds numbers that are not finite.")
        large = max(1.0, float(np.abs(answer).max()))
        if np.abs(answer[:k] - given).max() > 1e-4 * large:
            raise Wrong(f"{case}: the first {k} of your row are not the known ones any more.")
        high = np.abs(cosines @ answer)[k:]
        if high.max() > 1e-4 * large:
            if np.allclose(answer[k:], given[-1]):
                raise Wrong(f"{case}: this repeats the last pixel; its frequency {k + int(high.argmax())} is not 0.")
            raise Wrong(f"{case}: frequency {k + int(high.argmax())} is {high.max():.2f}, and should be 0.")
    return "Few coefficients, but large ones: the known pixels 7 and 3 make a row that falls to −46."
