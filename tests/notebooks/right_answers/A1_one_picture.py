"""The appendix A1: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

PLANES = "def plane_latents(height, width, planes):\n    return {}\n"
BEST = "def best_precision(sizes, errors, lmbda):\n    return {}\n"
MAC = "def mac_per_pixel(layers, pixels):\n    return {}\n"
LARGEST = "def largest_precision(weights, largest, fraction):\n    return {}\n"
PAYS = "def pays_from(numbers, bits_each, bpp, share):\n    return {}\n"

RIGHT = [
    (
        "plane_latents",
        "import math\n"
        + PLANES.format("sum(math.ceil(height / 2**n) * math.ceil(width / 2**n) for n in range(planes))"),
    ),
    (
        "plane_latents",
        """def plane_latents(height, width, planes):
    if planes == 0:
        return 0
    return height * width + plane_latents(height // 2 + height % 2, width // 2 + width % 2, planes - 1)
""",
    ),
    (
        "plane_latents",  # every other row and column of a real plane
        """import numpy as np
def plane_latents(height, width, planes):
    pyramid = [np.zeros((height, width))]
    while len(pyramid) < planes:
        pyramid.append(pyramid[-1][::2, ::2])
    return sum(plane.size for plane in pyramid)
""",
    ),
    (
        "plane_latents",
        "import torch\n"
        + PLANES.format(
            "torch.ceil(torch.tensor([[height, width]]) / 2 ** torch.arange(planes)[:, None]).prod(1).sum()"
        ),
    ),
    ("best_precision", "import numpy as np\n" + BEST.format("np.argmin(np.array(sizes) + lmbda * np.array(errors))")),
    (
        "best_precision",
        "import torch\n" + BEST.format("(torch.tensor(sizes) + lmbda * torch.tensor(errors)).argmin().item()"),
    ),
    ("best_precision", BEST.format("sorted((r + lmbda * d, p) for p, (r, d) in enumerate(zip(sizes, errors)))[0][1]")),
    (
        "best_precision",
        """def best_precision(sizes, errors, lmbda):
    best, least = 0, float("inf")
    for p in range(len(sizes)):
        cost = sizes[p] / lmbda + errors[p]
        if cost < least:
            best, least = p, cost
    return best
""",
    ),
    (
        "weight_bits",
        """import numpy as np
def weight_bits(weights, precision, b):
    k = np.abs(np.rint(np.array(weights) * 2**precision))
    t = 1 / (2 * b)
    masses = np.where(k == 0, 1 - np.exp(-t), 0.5 * (1 - np.exp(-2 * t)) * np.exp(-(2 * k - 1) * t))
    return -np.log2(masses).sum()
""",
    ),
    (
        "weight_bits",  # float32, and the masses as differences of the cumulative probability
        """import torch
def weight_bits(weights, precision, b):
    density = torch.distributions.Laplace(0.0, b)
    k = torch.round(torch.tensor(weights) * 2**precision)
    return (density.cdf(k + 0.5) - density.cdf(k - 0.5)).log2().neg().sum()
""",
    ),
    (
        "weight_bits",  # the bits in a closed form
        """import math
def weight_bits(weights, precision, b):
    bits = 0.0
    for w in weights:
        k = abs(round(w * 2**precision))
        if k > 0:
            bits += 1 + (k - 0.5) / b / math.log(2) - math.log2(1 - math.exp(-1 / b))
        else:
            bits -= math.log(1 - math.exp(-0.5 / b), 2)
    return bits
""",
    ),
    (
        "weight_bits",
        """import math
def weight_bits(weights, precision, b):
    def below(x):
        return 0.5 * math.exp(x / b) if x < 0 else 1 - 0.5 * math.exp(-x / b)
    probability = 1.0
    for w in weights:
        k = round(w / 2**-precision)
        probability *= below(k + 0.5) - below(k - 0.5)
    return -math.log2(probability)
""",
    ),
    ("mac_per_pixel", "import math\n" + MAC.format("sum(math.prod(layer) * layer[2] for layer in layers) / pixels")),
    (
        "mac_per_pixel",
        """import numpy as np
def mac_per_pixel(layers, pixels):
    inputs, outputs, side, positions = np.array(layers, dtype=np.float32).T
    return (inputs * outputs * side**2) @ (positions / pixels)
""",
    ),
    (
        "mac_per_pixel",  # the weights of real convolutions
        """from torch import nn
def mac_per_pixel(layers, pixels):
    work = 0
    for inputs, outputs, side, positions in layers:
        work += nn.Conv2d(inputs, outputs, side, bias=False).weight.numel() * positions
    return work / pixels
""",
    ),
    (
        "largest_precision",
        LARGEST.format(
            "max([p for p in range(17)"
            " if sum(abs(round(w * 2**p)) for w in weights) * largest * 2**fraction < 2**24], default=-1)"
        ),
    ),
    (
        "largest_precision",
        """def largest_precision(weights, largest, fraction):
    room, p = 2**24 / (largest * 2**fraction), -1
    while p < 16 and sum(abs(round(w * 2 ** (p + 1))) for w in weights) < room:
        p += 1
    return p
""",
    ),
    (
        "largest_precision",
        """import numpy as np
def largest_precision(weights, largest, fraction):
    k = np.rint(np.outer(2.0 ** np.arange(17), weights))
    exact = np.abs(k).sum(axis=1) * largest * 2**fraction < 2**24
    return np.flatnonzero(exact).max() if exact.any() else -1
""",
    ),
    (
        "largest_precision",  # exact for p digits, exact for fewer: they are counted
        """import torch
def largest_precision(weights, largest, fraction):
    k = torch.round(torch.tensor(weights) * 2.0 ** torch.arange(17)[:, None])
    return int((k.abs().sum(dim=1) * largest * 2**fraction < 2**24).sum()) - 1
""",
    ),
    ("pays_from", PAYS.format("int(-(-numbers * bits_each // (bpp * share)))")),
    ("pays_from", "import numpy as np\n" + PAYS.format("np.ceil(numbers * bits_each / bpp / share).astype(int)")),
    ("pays_from", "import torch\n" + PAYS.format("torch.ceil(torch.tensor(numbers * bits_each) / (bpp * share))")),
    (
        "pays_from",
        """def pays_from(numbers, bits_each, bpp, share):
    pixels = 0
    while pixels * bpp * share < numbers * bits_each:
        pixels += 1
    return pixels
""",
    ),
]
