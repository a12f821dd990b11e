"""Notebook 07: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

SIZE = "def size_after(n, k, s, p, o): return "
HEADER = "import struct\ndef read_header(d):\n    "
SIZE_THEN = HEADER + "size = struct.unpack_from('<HH', d, 6)\n    "
VARINT = """import struct
def varint(d, at):
    pieces = [d[at] % 128]
    while d[at] > 127:
        at += 1
        pieces.append(d[at] % 128)
    return pieces, at + 1

def read_header(d):
    lengths, at = [], 21 + d[20]
    for _ in range(d[18]):
        pieces, at = varint(d, at)
        lengths.append(sum(p << 7 * k for k, p in enumerate(pieces)))
        at += 2
    return *struct.unpack_from('<HH', d, 6), lengths
"""

GDN = """import numpy as np
def normalize(x, beta, gamma):
    x, beta, gamma = map(np.asarray, (x, beta, gamma))
    return """
SAVED = """import numpy as np
def saved_bits(point, curve):
    bpp, db = zip(*curve)
    jpeg = np.exp(np.interp(point[1], db, np.log(bpp)))
    return """

WRONG = [
    ("size_after", SIZE + "((n + 2 * p - k) // s + 1 - 1) * s + k - 2 * p", "Where does output_padding go?"),
    (
        "size_after",
        SIZE + "n",
        "n 64, kernel 5, stride 2, padding 0, output_padding 0: torch gives 63, not 64. The convolution makes 30 of n",
    ),
    ("size_after", SIZE + "(n + 2 * p - k) // s + 1", "the transposed convolution is still to come"),
    ("size_after", SIZE + "(n + 2 * p - k) / s * s + k - 2 * p + o + 0.5", "the convolution stops: //"),
    ("size_after", SIZE + "(n - k) // s * s + k + o", "Without padding it would be your 50"),
    ("size_after", "size_after = 64", "A function is asked for"),
    ("rate", "def rate(l, h, w): return l.log2().sum() / (len(l) * h * w)", "change the sign"),
    ("rate", "def rate(l, h, w): return -l.log().sum() / (len(l) * h * w)", "these are nats"),
    ("rate", "def rate(l, h, w): return -l.log2().sum() / (h * w)", "its pixels are all photos' pixels"),
    (
        "rate",
        "def rate(l, h, w): return -l.log2().sum() / (256 * l[:, 0].numel())",
        "the pad's bits are paid all the same",
    ),
    ("rate", "def rate(l, h, w): return -l.log2().sum() / l[:, 0].numel()", "positions of the latent"),
    ("rate", "def rate(l, h, w): return -l.log2().sum()", "these are all the bits"),
    ("rate", "def rate(l, h, w): return -l.log2().mean()", "the mean bits of a symbol"),
    ("rate", "def rate(l, h, w): return 8.0", "8.000 bits per pixel are not right. All −log₂"),
    ("rate", "def rate(l, h, w): return l.log2()", "One number is asked for"),
    ("header", HEADER + "return *struct.unpack_from('>HH', d, 6), [12]", "Little-endian"),
    ("header", HEADER + "return *struct.unpack_from('<HH', d, 6)[::-1], [12]", "the width comes first"),
    ("header", HEADER + "return *struct.unpack_from('<HH', d, 4), [12]", "you begin 2 byte(s) early"),
    ("header", HEADER + "return *struct.unpack_from('<HH', d, 5), [12]", "you begin 1 byte(s) early"),
    ("header", HEADER + "return 1, 1, [12]", "you read 1 and 1"),
    (
        "header",
        SIZE_THEN + "return *size, [12] * 2",
        "you found 2 length(s). How many there are is the byte at offset 18.",
    ),
    (
        "header",
        SIZE_THEN + "return *size, [d[21 + d[20] + 3 * k] % 128 for k in range(d[18])]",
        "goes on in the next one",
    ),
    ("header", SIZE_THEN + "return *size, list(d[19 : 19 + d[18]])", "begins behind the codec's name"),
    ("header", VARINT.replace("21 + d[20]", "21"), "behind it stands the name"),
    ("header", VARINT.replace("21 + d[20]", "32"), "is not always 11 bytes long"),
    ("header", VARINT.replace("enumerate(pieces)", "enumerate(pieces[::-1])"), "are the lowest ones"),
    ("header", VARINT.replace("at += 2", "at += 0"), "two bytes of checksum"),
    ("header", VARINT.replace("d[18]", "d[19]"), "How many there are is the byte at offset 18."),
    ("header", HEADER + "return struct.unpack_from('<HH', d, 6)", "(width, height, [lengths]) is asked for"),
    ("dead_zone", "def quantize(y, o): return (y + o).floor()", "Negative numbers go down instead of towards 0"),
    ("dead_zone", "def quantize(y, o): return y.round()", "this is plain rounding"),
    ("dead_zone", "def quantize(y, o): return y.sign() * (y.abs() - o).clamp(min=0)", "not all of these are whole"),
    ("dead_zone", "def quantize(y, o): return y.sign() * (y.abs() - o).ceil()", "becomes"),
    ("dead_zone", "def quantize(y, o): return y.sum()", "A tensor of the same shape"),
    ("size_after", SIZE + "n - (n - 2 * p - k) % s + o", "n 32, kernel 5, stride 3, padding 1"),
    ("size_after", SIZE + "[n]", "One whole number is asked for"),
    ("size_after", SIZE + "None", "is a return missing?"),
    ("rate", "def rate(l, h, w): -l.log2().sum() / (len(l) * h * w)", "is a return missing?"),
    ("tie", "def tie(a, b): return (b[0] - a[0]) / (b[1] - a[1])", "a price is positive"),
    ("tie", "def tie(a, b): return (a[1] - b[1]) / (b[0] - a[0])", "the other way around"),
    ("tie", "def tie(a, b): return b[0] / b[1]", "the second codec alone"),
    ("tie", "def tie(a, b): return a[0] / a[1]", "the first codec alone"),
    ("tie", "def tie(a, b): return b[0] - a[0]", "For how much less error?"),
    ("tie", "def tie(a, b): return (b[0] + a[0]) / (b[1] + a[1])", "sums are of no use"),
    ("tie", "def tie(a, b): return 0.0067", "at λ = 0.0067 they cost 0.768 and 1.134, which should be equal"),
    ("tie", "def tie(a, b): (b[0] - a[0]) / (a[1] - b[1])", "is a return missing?"),
    ("tie", "def tie(a, b): return a, b", "One number is asked for, not tuple"),
    ("dead_zone", "def quantize(y, o): return 'zero'", "A tensor of the same shape as y is asked for, not str"),
    ("normalize", GDN + "x / np.sqrt(beta + gamma.T @ x**2)", "you took column i"),
    ("normalize", GDN + "x / (beta + gamma @ x**2)", "the root is missing"),
    ("normalize", GDN + "x / np.sqrt(gamma @ x**2)", "beta is missing"),
    ("normalize", GDN + "x * np.sqrt(beta + gamma @ x**2)", "GDN divides"),
    ("normalize", GDN + "x / np.sqrt(beta + gamma @ np.abs(x))", "count by their squares"),
    ("normalize", GDN + "x / np.sqrt(beta + np.diag(gamma) * x**2)", "each channel's own square only"),
    ("normalize", GDN + "x / (beta + np.sqrt(gamma @ x**2))", "beta belongs under the root"),
    ("normalize", GDN + "x", "is not right. It is"),
    ("normalize", GDN + "(x / np.sqrt(beta + gamma @ x**2)).sum()", "3 channels go in"),
    ("normalize", GDN + "'x'", "A list of 3 numbers is asked for, not str"),
    ("saved_bits", SAVED + "1 - point[0] / np.interp(point[1], db, bpp)", "their logarithms are asked for"),
    ("saved_bits", SAVED + "point[0] / jpeg - 1", "what is saved counts as positive"),
    ("saved_bits", SAVED + "100 * (1 - point[0] / jpeg)", "not percent"),
    ("saved_bits", SAVED + "point[0] / jpeg", "what it saves is the rest"),
    ("saved_bits", SAVED + "jpeg / point[0] - 1", "as a share of the codec's bits"),
    ("saved_bits", SAVED + "jpeg - point[0]", "divide by what the curve needs"),
    ("saved_bits", SAVED + "point[1] - np.interp(point[0], bpp, db)", "these are decibels"),
    ("saved_bits", SAVED + "jpeg", "is not right. At this PSNR the curve needs"),
    (
        "saved_bits",
        SAVED + "1 - point[0] / np.exp(np.interp(point[1], db[1:], np.log(bpp[1:])))",
        "At this PSNR the curve",
    ),
    ("saved_bits", SAVED + "list(bpp)", "One number is asked for"),
]
