"""What the header of a JPEG XL file says that Pillow's plugin does not, or says only when all has been decoded.

The beginning of a code stream by ISO/IEC 18181-1:2024, annex D. Starts without PyTorch.
"""

from typing import NamedTuple

SIGNATURE = b"\xff\x0a"
BOXES = ((b"jxlc", 4), (b"jxlp", 8))  # that hold code, and how far from the beginning of their names it begins
SIDE = (9, 1), (13, 1), (18, 1), (30, 1)  # U32 of the standard: which of four (bits to read, what to add)
PREVIEW_IN_8, PREVIEW = ((0, 16), (0, 32), (5, 1), (9, 33)), ((6, 1), (8, 65), (10, 321), (12, 1345))
INTEGER_BITS, FLOAT_BITS = ((0, 8), (0, 10), (0, 12), (6, 1)), ((0, 32), (0, 16), (0, 24), (6, 1))


RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width by height; the first: none of them


class Header(NamedTuple):
    """Of pixels, as they are stored, before a rotation. bits: of a sample. moves: is it an animation?"""

    width: int
    height: int
    bits: int
    moves: bool


def read_header(data: bytes) -> Header | None:
    """Of the first bytes of a file; None where they do not reach far enough."""
    start = 0
    if not data.startswith(SIGNATURE):
        places = [data.find(name) + size for name, size in BOXES if name in data]
        if not places or not data.startswith(SIGNATURE, start := min(places)):
            return None
    read = _Bits(data[start + 2 : start + 66])
    size = _size(read)
    if read(1):  # all of what follows is as usual
        return Header(*size, 8, False)
    if read(1):  # extra fields
        read(3)  # the orientation, which the decoder honours
        if read(1):
            _size(read)
        if read(1):  # a preview
            sides = PREVIEW_IN_8 if read(1) else PREVIEW
            read.one_of(sides)
            if not read(3):
                read.one_of(sides)
        if read(1):
            return Header(*size, 8, True)
    is_float = read(1)
    return Header(*size, read.one_of(FLOAT_BITS if is_float else INTEGER_BITS), False)


def _size(read: "_Bits") -> tuple[int, int]:
    """(width, height)."""

    def side() -> int:
        return 8 * (read(5) + 1) if small else read.one_of(SIDE)

    small = read(1)
    height = side()
    by, of = RATIOS[read(3)]
    return (height * by // of if by else side()), height


class _Bits:
    """`read(n)`: the next n bits, the lowest first; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self.left = int.from_bytes(data, "little")

    def __call__(self, count: int) -> int:
        value = self.left & ((1 << count) - 1)
        self.left >>= count
        return value

    def one_of(self, choices: tuple[tuple[int, int], ...]) -> int:
        count, more = choices[self(2)]
        return self(count) + more
