"""The checks of notebook 01: mirror padding."""

import torch
from torch import Tensor

from tutorial_lib.padding import reflect_pad
from tutorial_lib.workbench.checks import Wrong, call, exercise

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
        left, right, top, bottom = (int(pad) for pad in pads)
    except (TypeError, ValueError):
        raise Wrong("Four whole numbers are asked for: (left, right, top, bottom).") from None
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
            before, after = answer
        except (TypeError, ValueError):
            raise Wrong(f"Two numbers are asked for, (before, after), not {answer!r}.") from None
        total = -size % multiple
        case = f"size {size}, multiple {multiple}"
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
    x = torch.arange(24.0).reshape(4, 6)
    for pads in [(1, 2, 3, 1), (2, 2, 2, 2), (0, 3, 0, 2), (2, 0, 1, 0), (0, 0, 0, 0)]:
        answer = call(function, reflect_pad(x, *pads), *pads)
        case = "left {}, right {}, top {}, bottom {}".format(*pads)
        if not isinstance(answer, Tensor):
            raise Wrong(f"A tensor is asked for, not a value of type {type(answer).__name__}.")
        if answer.numel() == 0:
            raise Wrong(f"{case}: nothing is left. What does the slice [2:-0] give?")
        if answer.shape != x.shape:
            raise Wrong(f"{case}: {tuple(x.shape)} was padded, {tuple(answer.shape)} came back.")
        if not torch.equal(answer, x):
            raise Wrong(f"{case}: the size is right, but these are other pixels. Which side is cut by how much?")
    return "Slicing up to size − pad also works when the pad is 0, which slicing up to −pad does not."
