"""Notebook 01: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    ("which_pads", "pads = [1, 4, 3, 0]"),
    ("which_pads", "pads = torch.tensor([1.0, 4.0, 3.0, 0.0])"),
    (
        "which_pads",
        "picture = check.puzzle().numpy()\n"
        "original = np.arange(1, 13).reshape(3, 4)\n"
        "for top in range(4):\n"
        "    for left in range(6):\n"
        '        padded = np.pad(original, ((top, 3 - top), (left, 5 - left)), mode="reflect")\n'
        "        if np.array_equal(padded, picture):\n"
        "            pads = np.array([left, 5 - left, top, 3 - top])",
    ),
    (
        "which_pads",
        "rows = check.puzzle().tolist()\n"
        "for top, row in enumerate(rows):\n"
        "    for left in range(len(row) - 3):\n"
        "        if row[left : left + 4] == [1, 2, 3, 4] and rows[top + 1 : top + 2]:\n"
        "            if rows[top + 1][left : left + 4] == [5, 6, 7, 8] and top + 3 <= len(rows):\n"
        "                if rows[top + 2][left : left + 4] == [9, 10, 11, 12]:\n"
        "                    pads = left, len(row) - left - 4, top, len(rows) - top - 3",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n    return F.pad(x, (-left, -right, -top, -bottom))",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n"
        "    x = x.numpy()\n"
        "    return x[..., top : -bottom or None, left : -right or None]",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n"
        "    rows = x.tolist()\n"
        "    picture = []\n"
        "    for i in range(top, len(rows) - bottom):\n"
        "        row = []\n"
        "        for j in range(left, len(rows[i]) - right):\n"
        "            row.append(rows[i][j])\n"
        "        picture.append(row)\n"
        "    return picture",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n"
        "    h, w = x.shape\n"
        "    return x.double().narrow(0, top, h - top - bottom).narrow(1, left, w - left - right)",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n"
        "    h, w = x.shape\n"
        "    return [row[left : w - right] for row in x[top : h - bottom]]",
    ),
    (
        "undo",
        "def cut_off(x, left, right, top, bottom):\n"
        "    x = x.numpy().astype(np.uint8)\n"
        "    x = np.delete(x, [*range(top), *range(len(x) - bottom, len(x))], axis=0)\n"
        "    x = np.delete(x, [*range(left), *range(x.shape[1] - right, x.shape[1])], axis=1)\n"
        "    return torch.from_numpy(x)",
    ),
    (
        "centred_pads",
        "def centred_pads(size, multiple):\n"
        "    before = after = 0\n"
        "    while (before + size + after) % multiple != 0:\n"
        "        if before < after:\n"
        "            before += 1\n"
        "        else:\n"
        "            after += 1\n"
        "    return before, after",
    ),
    (
        "centred_pads",
        "import math\n"
        "\n"
        "\n"
        "def centred_pads(size, multiple):\n"
        "    missing = math.ceil(size / multiple) * multiple - size\n"
        "    return [math.floor(missing / 2), math.ceil(missing / 2)]",
    ),
    (
        "centred_pads",
        "def centred_pads(size, multiple):\n"
        "    half, odd = divmod((multiple - size % multiple) % multiple, 2)\n"
        "    return torch.tensor([half, half + odd])",
    ),
    (
        "centred_pads",
        "def centred_pads(size, multiple):\n"
        "    missing = np.ceil(np.float32(size) / multiple) * multiple - size\n"
        "    return np.array([np.floor(missing / 2), np.ceil(missing / 2)], dtype=np.float32)",
    ),
    (
        "symmetric_index",
        "def symmetric_index(position, length):\n"
        "    here = list(range(length)) + list(range(length))[::-1]\n"
        "    return here[position % len(here)]",
    ),
    (
        "symmetric_index",
        "def symmetric_index(position, length):\n"
        "    while position < 0 or position >= length:\n"
        "        if position < 0:\n"
        "            position = -1 - position\n"
        "        else:\n"
        "            position = 2 * length - 1 - position\n"
        "    return position",
    ),
    (
        "symmetric_index",
        "def symmetric_index(position, length):\n"
        "    if position < 0:\n"
        "        return symmetric_index(-position - 1, length)\n"
        "    turns, step = divmod(position, length)\n"
        "    return step if turns % 2 == 0 else length - 1 - step",
    ),
    (
        "symmetric_index",
        "def symmetric_index(position, length):\n"
        "    far = abs(position) + 1\n"
        '    return np.pad(np.arange(length), far, mode="symmetric")[position + far]',
    ),
    (
        "symmetric_index",
        "def symmetric_index(position, length):\n"
        "    step = torch.remainder(torch.tensor(float(position)), 2 * length)\n"
        "    return length - 0.5 - (step - (length - 0.5)).abs()",
    ),
    (
        "more_pixels",
        "def more_pixels(height, width, multiple):\n"
        "    tall, broad = height, width\n"
        "    while tall % multiple:\n"
        "        tall += 1\n"
        "    while broad % multiple:\n"
        "        broad += 1\n"
        "    return (tall * broad - height * width) / (height * width)",
    ),
    (
        "more_pixels",
        "def more_pixels(height, width, multiple):\n"
        "    sides = np.array([height, width], dtype=np.float32)\n"
        "    padded = np.ceil(sides / multiple) * multiple\n"
        "    return padded.prod() / sides.prod() - 1",
    ),
    (
        "more_pixels",
        "def more_pixels(height, width, multiple):\n"
        "    x = torch.zeros(1, 1, height, width)\n"
        "    padded = F.pad(x, (0, -width % multiple, 0, -height % multiple), value=1.0)\n"
        "    return padded.sum() / x.numel()",
    ),
    (
        "more_pixels",
        "def more_pixels(height, width, multiple):\n"
        "    a = (-height % multiple) / height\n"
        "    b = (-width % multiple) / width\n"
        "    return a + b + a * b",
    ),
    (
        "more_pixels",
        "from fractions import Fraction\n"
        "\n"
        "\n"
        "def more_pixels(height, width, multiple):\n"
        "    rows, columns = -(-height // multiple), -(-width // multiple)\n"
        "    return Fraction(rows * columns * multiple**2, height * width) - 1",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n"
        "    k = len(known)\n"
        "    pad = np.linalg.solve(cosines[k:, k:], -cosines[k:, :k] @ known)\n"
        "    return np.concatenate([known, pad])",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n"
        "    known, cosines = torch.from_numpy(known), torch.from_numpy(cosines)\n"
        "    k = len(known)\n"
        "    row = cosines[:k].T @ torch.linalg.inv(cosines[:k, :k].T) @ known\n"
        "    return torch.cat([known, row[k:]])",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n"
        "    k = len(known)\n"
        "    slow = cosines[:k].astype(np.float32)\n"
        "    c, *_ = np.linalg.lstsq(slow[:, :k].T, known.astype(np.float32), rcond=None)\n"
        "    row = slow.T @ c\n"
        "    row[:k] = known\n"
        "    return row",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n"
        "    # the n-th cosine is a polynomial of degree n in cos(angle): Lagrange's, through the known pixels\n"
        "    place = [np.cos(np.pi * (2 * i + 1) / 16) for i in range(8)]\n"
        "    k, row = len(known), []\n"
        "    for x in place:\n"
        "        pixel = 0.0\n"
        "        for i in range(k):\n"
        "            weight = 1.0\n"
        "            for j in range(k):\n"
        "                if j != i:\n"
        "                    weight *= (x - place[j]) / (place[i] - place[j])\n"
        "            pixel += weight * float(known[i])\n"
        "        row.append(pixel)\n"
        "    return row",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n"
        "    k = len(known)\n"
        "    a = [[*(float(cosines[f][i]) for f in range(k)), float(known[i])] for i in range(k)]\n"
        "    for i in range(k):\n"
        "        best = max(range(i, k), key=lambda r: abs(a[r][i]))\n"
        "        a[i], a[best] = a[best], a[i]\n"
        "        a[i] = [v / a[i][i] for v in a[i]]\n"
        "        for r in range(k):\n"
        "            if r != i:\n"
        "                a[r] = [v - a[r][i] * w for v, w in zip(a[r], a[i])]\n"
        "    return [sum(a[f][k] * float(cosines[f][i]) for f in range(k)) for i in range(8)]",
    ),
]
