"""Whether a strip of fax codes holds all of its rows, of which libtiff says little. Starts without PyTorch.

Runs of white and black pixels in turn have Huffman codes (ITU-T T.4: group 3, which TIFF knows with and without its end
of line codes). Or a row is told by how its changes differ from those of the row above (T.6: group 4; some of T.4's
rows). No checksum guards them, but nearly any damage makes a code that does not exist, or a row of another length.
"""

from functools import lru_cache

import numpy as np

from tutorial_lib.files.compile_cache import compiled

RLE, GROUP_3, GROUP_4, RLE_OF_WORDS = 2, 3, 4, 32771  # TIFF's numbers of compressions
LONGEST = 13  # bits of a code
END_OF_LINE = 12  # bits: eleven 0, then a 1
PASS, HORIZONTAL, VERTICAL = 1, 2, 3  # of T.6, the last with 0 … 3 to the left, or to the right, added

# T.4, tables 2 and 3: of 0 … 63 pixels, then of 64, 128, … 1728
WHITE = """
00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010 101011 0100111
0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 00011010 00011011
00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100
00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001 01011010 01011011
01001010 01001011 00110010 00110011 00110100
11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 011010011
011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 010011010 011000
010011011""".split()
BLACK = """
0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000 0000010111
0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 00000011000 000011001010
000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011
000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 000011011011 000001010100
000001010101 000001010110 000001010111 000001100100 000001100101 000001010010 000001010011 000000100100 000000110111
000000111000 000000100111 000000101000 000001011000 000001011001 000000101011 000000101100 000001011010 000001100110
000001100111
0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 0000001101101
0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 0000001110101
0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011
0000001100100 0000001100101""".split()
LONG = """00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110
000000010111 000000011100 000000011101 000000011110 000000011111""".split()  # 1792, 1856, … 2560, of both
MODES = {"0001": PASS, "001": HORIZONTAL} | {  # T.6, table 1
    code: VERTICAL + places
    for places, code in enumerate(("0000010", "000010", "010", "1", "011", "000011", "0000011"), start=0)
}


def rows_are_whole(codes: bytes, width: int, rows: int, compression: int, two_dimensional: bool) -> bool:
    """codes: with the highest bit of each byte first. two_dimensional: by the first bit of T4Options."""
    data = np.frombuffer(codes, np.uint8)
    return bool(_rows_are_whole(data, width, rows, compression, two_dimensional, *_tables()))


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """(2, 2^13): which code of a white, of a black run 13 bits begin with: length * 65536 + pixels; so of modes."""
    runs = np.zeros((2, 1 << LONGEST), np.int64)
    for table, codes in zip(runs, (WHITE, BLACK), strict=True):
        for n, code in enumerate(codes + LONG):
            _enter(table, code, n if n < 64 else 64 * (n - 63))
    modes = np.zeros(1 << LONGEST, np.int64)
    for code, mode in MODES.items():
        _enter(modes, code, mode)
    return runs, modes


def _enter(table: np.ndarray, code: str, value: int) -> None:
    begin = int(code.ljust(LONGEST, "0"), 2)
    table[begin : begin + (1 << (LONGEST - len(code)))] = len(code) << 16 | value


@compiled
def _peek(codes, at, count):
    """The next bits, up to 24, with zeros behind the end."""
    byte, value = at >> 3, 0
    for n in range(4):
        value = value << 8 | (codes[byte + n] if byte + n < len(codes) else 0)
    return (value >> (32 - count - (at & 7))) & ((1 << count) - 1)


@compiled
def _run(codes, at, table):
    """(place behind it, pixels) of a run of one colour; (-1, 0) where a code is none."""
    pixels = 0
    while True:
        entry = table[_peek(codes, at, LONGEST)]
        if entry == 0:
            return -1, 0
        at += entry >> 16
        pixels += entry & 0xFFFF
        if entry & 0xFFFF < 64:
            return at, pixels


@compiled
def _rows_are_whole(codes, width, rows, compression, two_dimensional, runs, modes):
    size, at = 8 * len(codes), 0
    above, row = np.zeros(2 * width + 8, np.int64), np.zeros(2 * width + 8, np.int64)  # where colours change
    count_above = 0
    for _ in range(rows):
        by_row_above = compression == GROUP_4
        if compression == RLE:
            at = (at + 7) & ~7
        elif compression == RLE_OF_WORDS:
            at = (at + 15) & ~15
        elif compression == GROUP_3:
            has_end = _peek(codes, at, END_OF_LINE - 1) == 0
            if has_end:
                while _peek(codes, at, 1) == 0:
                    at += 1
                    if at >= size:
                        return False
                at += 1
            if two_dimensional:
                by_row_above = _peek(codes, at, 1) == 0
                at += 1
                if not has_end:
                    return False
        count, done, colour, first, begun = 0, 0, 0, 0, False
        while done < width:
            if count + 4 > len(row) or at > size:
                return False
            mode = HORIZONTAL
            if by_row_above:
                entry = modes[_peek(codes, at, LONGEST)]
                at += entry >> 16
                mode = entry & 0xFFFF
                if mode == 0:
                    return False
            if mode == HORIZONTAL:
                for _ in range(2 if by_row_above else 1):
                    at, pixels = _run(codes, at, runs[colour])
                    if at < 0 or done + pixels > width:
                        return False
                    done += pixels
                    row[count] = done
                    count, colour = count + 1, 1 - colour
            else:
                # the first change above, to the right of this place, towards the other colour
                while first > 0 and above[first - 1] > done:
                    first -= 1
                while first < count_above and (
                    first % 2 != colour or above[first] < done or (begun and above[first] == done)
                ):
                    first += 1
                change = above[first] if first < count_above else width
                if mode == PASS:
                    done = above[first + 1] if first + 1 < count_above else width
                else:
                    place = change + mode - VERTICAL - 3
                    if place < done or place > width:
                        return False
                    row[count], done = place, place
                    count, colour = count + 1, 1 - colour
            begun = True
        if at > size:
            return False
        above, row, count_above = row, above, count
    if compression != GROUP_4:
        return True
    while at < size:  # an end of block, or nothing: else some row was not what was meant
        if _peek(codes, at, 24) == 0x001001:
            return True
        if _peek(codes, at, 8) != 0 and size - at >= 8:
            return False
        at += 8
    return True
