"""Notebook 12: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    (
        "halvings",
        "def halvings(shape, side):\n"
        "    fine = [k for k in range(6) if all(-(-n // 2**k) >= side for n in shape)]\n"
        "    return max(fine, default=0)",
    ),
    (
        "halvings",
        "import numpy as np\n"
        "def halvings(shape, side):\n"
        "    picture = np.zeros(shape, dtype=np.uint8)\n"
        "    for k in range(6):\n"
        "        if min(picture.shape) < side:\n"
        "            return max(k - 1, 0)\n"
        "        picture = picture[::2, ::2]\n"
        "    return 5",
    ),
    (
        "halvings",
        "def halvings(shape, side):\n"
        "    if side <= 1:\n"
        "        return 5\n"
        "    return min(5, max(0, ((min(shape) - 1) // (side - 1)).bit_length() - 1))",
    ),
    (
        "halvings",
        "import torch\n"
        "def halvings(shape, side):\n"
        "    sides = torch.ceil(torch.tensor(shape) / 2.0 ** torch.arange(1, 6)[:, None])\n"
        "    return (sides >= side).all(dim=1).sum()",
    ),
    (
        "halvings",
        "def halvings(shape, side):\n"
        "    def halve(h, w, left):\n"
        "        h, w = (h + 1) // 2, (w + 1) // 2\n"
        "        return 0 if not left or h < side or w < side else 1 + halve(h, w, left - 1)\n"
        "    return halve(*shape, 5)",
    ),
    (
        "choose_symbol",
        "import numpy as np\n"
        "def choose_symbol(y, bits, price):\n"
        "    both = np.array([np.floor(y), np.ceil(y)])\n"
        "    costs = np.array([bits(int(k)) for k in both]) + price * (y - both) ** 2\n"
        "    return both[np.argmin(costs)]",
    ),
    (
        "choose_symbol",
        "import torch\n"
        "def choose_symbol(y, bits, price):\n"
        "    both = torch.tensor(y, dtype=torch.float32).floor() + torch.arange(2)\n"
        "    cost = torch.tensor([bits(int(k)) for k in both]) + price * (y - both).square()\n"
        "    return both[cost.argmin()]",
    ),
    (
        "choose_symbol",
        "def choose_symbol(y, bits, price):\n"
        "    near = round(y)\n"
        "    other = near + 1 if y > near else near - 1\n"
        "    cost_near = bits(near) + price * (y - near) ** 2\n"
        "    cost_other = bits(other) + price * (y - other) ** 2\n"
        "    if cost_other < cost_near:\n"
        "        return other\n"
        "    return near",
    ),
    (
        "choose_symbol",
        "def choose_symbol(y, bits, price):\n"
        "    below = int(y // 1)\n"
        "    return below + (bits(below + 1) - bits(below) < price * (2 * (y - below) - 1))",
    ),
    (
        "choose_symbol",
        "import numpy as np\n"
        "def choose_symbol(y, bits, price):\n"
        "    both = np.floor(y).astype(int) + np.arange(2)\n"
        "    return min((bits(k) + price * (y - k) ** 2, k) for k in both)[1]",
    ),
    (
        "best_quality",
        "from bisect import bisect_right\n"
        "def best_quality(size, budget): return bisect_right(range(1, 101), budget, key=size)",
    ),
    (
        "best_quality",
        "def best_quality(size, budget):\n"
        "    quality = 0\n"
        "    for step in (64, 32, 16, 8, 4, 2, 1):\n"
        "        if quality + step <= 100 and size(quality + step) <= budget:\n"
        "            quality += step\n"
        "    return quality",
    ),
    (
        "best_quality",
        "def best_quality(size, budget, low=1, high=100):\n"
        "    if low > high:\n"
        "        return high\n"
        "    middle = low + (high - low) // 2\n"
        "    if size(middle) > budget:\n"
        "        return best_quality(size, budget, low, middle - 1)\n"
        "    return best_quality(size, budget, middle + 1, high)",
    ),
    (
        "best_quality",
        "import numpy as np\n"
        "def best_quality(size, budget):\n"
        "    left = np.arange(1, 101)\n"
        "    best = 0\n"
        "    while len(left):\n"
        "        middle = len(left) // 2\n"
        "        if size(left[middle]) <= budget:\n"
        "            best, left = left[middle], left[middle + 1 :]\n"
        "        else:\n"
        "            left = left[:middle]\n"
        "    return best",
    ),
    (
        "best_quality",
        "def best_quality(size, budget):\n"
        "    known = {}\n"
        "    def fits(q):\n"
        "        if q not in known:\n"
        "            known[q] = size(q) <= budget\n"
        "        return known[q]\n"
        "    low, high = 1, 100\n"
        "    while low < high:\n"
        "        middle = (low + high + 1) // 2\n"
        "        low, high = (middle, high) if fits(middle) else (low, middle - 1)\n"
        "    return low if fits(low) else 0",
    ),
    (
        "band_step",
        "import numpy as np\n"
        "def band_step(logs, quality, lmbda):\n"
        "    return np.exp(np.interp(quality, np.arange(1, 101, 11), logs)) * 4.5 / np.sqrt(lmbda)",
    ),
    (
        "band_step",
        "import torch\n"
        "import torch.nn.functional as F\n"
        "def band_step(logs, quality, lmbda):\n"
        "    table = F.interpolate(torch.tensor(logs)[None, None], size=100, mode='linear', align_corners=True)\n"
        "    return table[0, 0, quality - 1].exp() * 4.5 * lmbda**-0.5",
    ),
    (
        "band_step",
        "import torch\n"
        "def band_step(logs, quality, lmbda):\n"
        "    logs = torch.tensor(logs)\n"
        "    row, rest = divmod(quality - 1, 11)\n"
        "    log = torch.lerp(logs[row], logs[min(row + 1, 9)], rest / 11)\n"
        "    return 4.5 * torch.exp(log) / torch.tensor(lmbda).sqrt()",
    ),
    (
        "band_step",
        "import math\n"
        "def band_step(logs, quality, lmbda):\n"
        "    known = list(range(1, 101, 11))\n"
        "    for n in range(9):\n"
        "        if known[n] <= quality <= known[n + 1]:\n"
        "            slope = (logs[n + 1] - logs[n]) / 11\n"
        "            return 4.5 / math.sqrt(lmbda) * math.e ** (logs[n] + slope * (quality - known[n]))",
    ),
    (
        "band_step",
        "import numpy as np\n"
        "def band_step(logs, quality, lmbda):\n"
        "    factors = np.exp(np.array(logs, dtype=np.float32))\n"
        "    share, row = np.modf((quality - 1) / 11)\n"
        "    row = int(row)\n"
        "    return factors[row] ** (1 - share) * factors[min(row + 1, 9)] ** share * 4.5 / lmbda**0.5",
    ),
    (
        "split_whole",
        "import numpy as np\n"
        "def split_whole(row):\n"
        "    x = np.array(row)\n"
        "    even, odd = x[0::2], x[1::2]\n"
        "    right = np.append(even[1:], even[-1])[: len(odd)]\n"
        "    high = odd - (even[: len(odd)] + right) // 2\n"
        "    seen = np.concatenate([high[:1], high, high[-1:]])\n"
        "    return even + (seen[: len(even)] + seen[1 : len(even) + 1] + 2) // 4, high",
    ),
    (
        "split_whole",
        "import torch\n"
        "def split_whole(row):\n"
        "    x = torch.tensor(row, dtype=torch.float32)\n"
        "    even, odd = x[0::2], x[1::2]\n"
        "    n, m = len(even), len(odd)\n"
        "    right = torch.cat([even[1:], even[-1:]])\n"
        "    high = odd - torch.floor((even + right) / 2)[:m]\n"
        "    left, right = torch.cat([high[:1], high])[:n], torch.cat([high, high[-1:]])[:n]\n"
        "    low = even + torch.floor((left + right + 2) / 4)\n"
        "    return low, high",
    ),
    (
        "split_whole",
        "def split_whole(row):\n"
        "    x, n = list(row), len(row)\n"
        "    for i in range(1, n, 2):\n"
        "        x[i] += -((x[i - 1] + x[i + 1 if i + 1 < n else i - 1]) // 2)\n"
        "    for i in range(0, n, 2):\n"
        "        left = x[i - 1] if i > 0 else x[i + 1]\n"
        "        right = x[i + 1] if i + 1 < n else x[i - 1]\n"
        "        x[i] += (left + right + 2) // 4\n"
        "    return x[::2], x[1::2]",
    ),
    (
        "split_whole",
        "import numpy as np\n"
        "def split_whole(row):\n"
        "    x, end = np.pad(row, 2, mode='reflect'), len(row) + 2\n"
        "    x[1:-1:2] -= (x[0:-2:2] + x[2::2][: len(x[1:-1:2])]) >> 1\n"
        "    low = [x[i] + (x[i - 1] + x[i + 1] + 2 >> 2) for i in range(2, end, 2)]\n"
        "    return low, x[3:end:2]",
    ),
    (
        "levels_left",
        "from itertools import takewhile\n"
        "from tutorial_lib.bitstream import read_header\n"
        "def levels_left(data):\n"
        "    return len(list(takewhile(lambda s: s.fault(data) is None, read_header(data).sections))) - 1",
    ),
    (
        "levels_left",
        "import binascii\n"
        "import numpy as np\n"
        "from tutorial_lib import bitstream\n"
        "def levels_left(data):\n"
        "    sections = bitstream.read_header(data).sections\n"
        "    there = np.array([s.end <= len(data) for s in sections])\n"
        "    right = np.array([binascii.crc_hqx(data[s.begin : s.end], 0) == s.checksum for s in sections])\n"
        "    return np.cumprod(there & right).sum() - 1",
    ),
    (
        "levels_left",
        "from tutorial_lib import bitstream\n"
        "def crc(data):\n"
        "    register = 0\n"
        "    for byte in data:\n"
        "        register ^= byte << 8\n"
        "        for _ in range(8):\n"
        "            register = register << 1 ^ (0x11021 if register & 0x8000 else 0)\n"
        "    return register\n"
        "def levels_left(data):\n"
        "    for k, s in enumerate(bitstream.read_header(data).sections):\n"
        "        part = data[s.begin : s.end]\n"
        "        if len(part) < s.end - s.begin or crc(part) != s.checksum:\n"
        "            return k - 1\n"
        "    return 5",
    ),
    (
        "levels_left",
        "import binascii\n"
        "import torch\n"
        "from tutorial_lib import bitstream\n"
        "def levels_left(data):\n"
        "    whole = torch.tensor([\n"
        "        s.end <= len(data) and binascii.crc_hqx(data[s.begin : s.end], 0) == s.checksum\n"
        "        for s in bitstream.read_header(data).sections\n"
        "    ])\n"
        "    return whole.int().cumprod(dim=0).sum() - 1",
    ),
    (
        "more_bits",
        "import torch\n"
        "def at(curve, places):\n"
        "    bits, db = torch.tensor(curve).T.contiguous()\n"
        "    n = torch.searchsorted(db, places).clamp(1, len(db) - 1)\n"
        "    share = (places - db[n - 1]) / (db[n] - db[n - 1])\n"
        "    return torch.lerp(bits.log()[n - 1], bits.log()[n], share)\n"
        "def more_bits(reference, other):\n"
        "    first, last = max(reference[0][1], other[0][1]), min(reference[-1][1], other[-1][1])\n"
        "    places = torch.linspace(first, last, 50)\n"
        "    return (at(other, places) - at(reference, places)).mean().expm1()",
    ),
    (
        "more_bits",
        "import math\n"
        "def log_bits(curve, db):\n"
        "    for (bits_0, db_0), (bits_1, db_1) in zip(curve[:-1], curve[1:]):\n"
        "        if db <= db_1:\n"
        "            break\n"
        "    t = (db - db_0) / (db_1 - db_0)\n"
        "    return (1 - t) * math.log2(bits_0) + t * math.log2(bits_1)\n"
        "def more_bits(reference, other):\n"
        "    low = max(c[0][1] for c in (reference, other))\n"
        "    high = min(c[-1][1] for c in (reference, other))\n"
        "    total = 0.0\n"
        "    for k in range(50):\n"
        "        db = low + (high - low) * k / 49\n"
        "        total += log_bits(other, db) - log_bits(reference, db)\n"
        "    return 2 ** (total / 50) - 1",
    ),
    (
        "more_bits",
        "import numpy as np\n"
        "def more_bits(reference, other):\n"
        "    a, b = np.array(reference), np.array(other)\n"
        "    places = np.linspace(max(a[0, 1], b[0, 1]), min(a[-1, 1], b[-1, 1]), 50)\n"
        "    ratios = [10 ** np.interp(places, c[:, 1], np.log10(c[:, 0])) for c in (a, b)]\n"
        "    return np.prod(ratios[1] / ratios[0]) ** (1 / 50) - 1",
    ),
    (
        "more_bits",
        "import numpy as np\n"
        "from statistics import geometric_mean\n"
        "def more_bits(reference, other):\n"
        "    (r, x), (o, y) = np.float32(reference).T, np.float32(other).T\n"
        "    places = np.linspace(max(x.min(), y.min()), min(x.max(), y.max()), 50, dtype=np.float32)\n"
        "    share = np.exp(np.interp(places, y, np.log(o)) - np.interp(places, x, np.log(r)))\n"
        "    return geometric_mean(share.tolist()) - 1",
    ),
]
