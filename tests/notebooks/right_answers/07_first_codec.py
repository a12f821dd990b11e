"""Notebook 07: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

SIZE_BY_TORCH = """
def size_after(n, kernel, stride, padding, output_padding):
    row = torch.zeros(1, 1, n)
    row = F.conv1d(row, torch.ones(1, 1, kernel), stride=stride, padding=padding)
    row = F.conv_transpose1d(
        row, torch.ones(1, 1, kernel), stride=stride, padding=padding, output_padding=output_padding
    )
    return row.shape[-1]
"""
SIZE_BY_COUNTING = """
def size_after(n, kernel, stride, padding, output_padding):
    end, size = kernel, kernel
    while end + stride <= n + padding + padding:
        end += stride
        size += stride
    return size - 2 * padding + output_padding
"""
SIZE_IN_NUMPY = """
def size_after(n, kernel, stride, padding, output_padding):
    steps = np.floor((n + 2 * padding - kernel) / stride)
    return steps * stride + kernel - 2 * padding + output_padding
"""
SIZE_BY_THE_REST = """
def size_after(n, kernel, stride, padding, output_padding):
    lost = (n + 2 * padding - kernel) % stride
    return torch.tensor(n - lost + output_padding)
"""

RATE_IN_NUMPY = """
def rate(likelihoods, height, width):
    p = likelihoods.numpy()
    return -np.log2(p).sum() / (len(p) * height * width)
"""
RATE_OF_EACH_PHOTO = """
def rate(likelihoods, height, width):
    each = [(-photo.log() / math.log(2)).sum() / (height * width) for photo in likelihoods]
    return torch.stack(each).mean()
"""
RATE_AS_A_LOOP = """
def rate(likelihoods, height, width):
    bits = 0
    for p in likelihoods.flatten().tolist():
        bits += math.log2(1 / p)
    return bits / height / width / likelihoods.size(0)
"""

TIE_AS_A_SYSTEM = """
def tie(first, second):  # J - lambda D = R, for both
    cost, price = np.linalg.solve([[1, -first[1]], [1, -second[1]]], [first[0], second[0]])
    return price
"""
TIE_BY_HALVING = """
def tie(first, second):
    low, high = 0, 1000
    for _ in range(100):
        middle = (low + high) / 2
        if first[0] + middle * first[1] < second[0] + middle * second[1]:
            low = middle
        else:
            high = middle
    return low
"""
TIE_IN_FLOAT32 = """
def tie(first, second):
    bits, error = torch.tensor(second) - torch.tensor(first)
    return -bits / error
"""

ZONE_IN_NUMPY = """
def quantize(y, offset):
    y = y.numpy()
    return np.copysign(np.floor(np.abs(y) + offset), y)
"""
ZONE_BY_TRUNC = """
def quantize(y, offset):
    return torch.trunc(y + offset * torch.sign(y))
"""
ZONE_BY_WHERE = """
def quantize(y, offset):
    return torch.where(y < 0, torch.ceil(y - offset), torch.floor(y + offset))
"""
ZONE_AS_A_LOOP = """
def quantize(y, offset):
    symbols = []
    for value in y.tolist():
        symbol = int(abs(value) + offset)
        symbols.append(-symbol if value < 0 else symbol)
    return symbols
"""
ZONE_IN_INTEGERS = """
def quantize(y, offset):
    return y.sign().int() * (y.abs() + offset).int()
"""

NORMALIZE_IN_TORCH = """
def normalize(x, beta, gamma):
    x, beta, gamma = torch.tensor(x), torch.tensor(beta), torch.tensor(gamma)
    return x * torch.rsqrt(beta + gamma @ x.square())
"""
NORMALIZE_AS_A_LOOP = """
def normalize(x, beta, gamma):
    out = []
    for i in range(len(x)):
        energy = beta[i]
        for j in range(len(x)):
            energy += gamma[i][j] * x[j] ** 2
        out.append(x[i] / math.sqrt(energy))
    return out
"""
NORMALIZE_AS_A_CONVOLUTION = """
def normalize(x, beta, gamma):
    x = torch.tensor(x).view(1, -1, 1, 1)
    energy = F.conv2d(x**2, torch.tensor(gamma)[:, :, None, None], torch.tensor(beta))
    return (x / energy.sqrt())[0]
"""
NORMALIZE_BY_BROADCASTING = """
def normalize(x, beta, gamma):
    squares = np.square(x)
    return np.array(x) * (np.array(beta) + (np.array(gamma) * squares).sum(axis=1)) ** -0.5
"""

HEADER_BY_STRUCT = """
import struct

def read_header(data):
    magic, version, quality, width, height, fingerprint, n, needed, name = struct.unpack_from("<4sBBHH8sBBB", data)
    rest = iter(data[21 + name :])
    lengths = []
    while len(lengths) < n:
        length, factor = 0, 1
        for byte in rest:
            length += (byte & 127) * factor
            factor *= 128
            if byte < 128:
                break
        lengths.append(length)
        next(rest), next(rest)
    return width, height, lengths
"""
HEADER_BY_READING = """
import io

def read_header(data):
    file = io.BytesIO(data)
    file.read(6)
    width = int.from_bytes(file.read(2), "little")
    height = int.from_bytes(file.read(2), "little")
    file.read(8)
    n, _, name = file.read(3)
    file.read(name)

    def read_length():
        byte = file.read(1)[0]
        return byte if byte < 128 else byte - 128 + 128 * read_length()

    lengths = []
    for _ in range(n):
        lengths.append(read_length())
        file.seek(2, 1)
    return width, height, lengths
"""
HEADER_IN_NUMPY = """
def read_header(data):
    width, height = np.frombuffer(data, "<u2", 2, 6)
    numbers = np.frombuffer(data, np.uint8).astype(int)
    at, lengths = 21 + numbers[20], []
    for _ in range(numbers[18]):
        end = at + np.argmax(numbers[at:] < 128) + 1
        sevens = numbers[at:end] % 128
        lengths.append(sevens @ 128 ** np.arange(len(sevens)))
        at = end + 2
    return [width, height, np.array(lengths)]
"""

SAVED_AS_A_LOOP = """
def saved_bits(point, curve):
    bpp, db = point
    for (r0, q0), (r1, q1) in zip(curve, curve[1:]):
        if q0 <= db <= q1:
            share = (db - q0) / (q1 - q0)
            jpeg = r0 ** (1 - share) * r1**share
            return (jpeg - bpp) / jpeg
"""
SAVED_IN_TORCH = """
def saved_bits(point, curve):
    rates, qualities = torch.tensor(curve).T.contiguous()
    k = torch.searchsorted(qualities, torch.tensor(point[1])).clamp(1, len(curve) - 1)
    share = (point[1] - qualities[k - 1]) / (qualities[k] - qualities[k - 1])
    return 1 - point[0] / torch.lerp(rates[k - 1].log2(), rates[k].log2(), share).exp2()
"""
SAVED_BY_SCIPY = """
from scipy.interpolate import interp1d

def saved_bits(point, curve):
    curve = np.array(curve)
    return -np.expm1(np.log(point[0]) - interp1d(curve[:, 1], np.log(curve[:, 0]))(point[1]))
"""

RIGHT = [
    ("size_after", SIZE_BY_TORCH),
    ("size_after", SIZE_BY_COUNTING),
    ("size_after", SIZE_IN_NUMPY),
    ("size_after", SIZE_BY_THE_REST),
    ("rate", RATE_IN_NUMPY),
    ("rate", RATE_OF_EACH_PHOTO),
    ("rate", RATE_AS_A_LOOP),
    ("tie", TIE_AS_A_SYSTEM),
    ("tie", TIE_BY_HALVING),
    ("tie", TIE_IN_FLOAT32),
    ("dead_zone", ZONE_IN_NUMPY),
    ("dead_zone", ZONE_BY_TRUNC),
    ("dead_zone", ZONE_BY_WHERE),
    ("dead_zone", ZONE_AS_A_LOOP),
    ("dead_zone", ZONE_IN_INTEGERS),
    ("normalize", NORMALIZE_IN_TORCH),
    ("normalize", NORMALIZE_AS_A_LOOP),
    ("normalize", NORMALIZE_AS_A_CONVOLUTION),
    ("normalize", NORMALIZE_BY_BROADCASTING),
    ("header", HEADER_BY_STRUCT),
    ("header", HEADER_BY_READING),
    ("header", HEADER_IN_NUMPY),
    ("saved_bits", SAVED_AS_A_LOOP),
    ("saved_bits", SAVED_IN_TORCH),
    ("saved_bits", SAVED_BY_SCIPY),
]
