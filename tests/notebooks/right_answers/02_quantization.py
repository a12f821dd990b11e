"""Notebook 02: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    (
        "zone_end",
        "def zone_end(extra, price):\n    return (price + extra) / price / 2",
    ),
    (
        "zone_end",
        "def zone_end(extra, price):\n"
        "    low, high = -100.0, 100.0\n"
        "    for _ in range(60):\n"
        "        y = (low + high) / 2\n"
        "        if price * y**2 < extra + price * (1 - y) ** 2:\n"
        "            low = y\n"
        "        else:\n"
        "            high = y\n"
        "    return y",
    ),
    (
        "zone_end",
        "def zone_end(extra, price):\n"
        "    y = torch.zeros((), requires_grad=True)\n"
        "    difference = price * y**2 - extra - price * (1 - y) ** 2\n"
        "    (slope,) = torch.autograd.grad(difference, y)\n"
        "    return (-difference / slope).detach()",
    ),
    (
        "zone_end",
        "def zone_end(extra, price):\n"
        "    as_zero, as_one = np.poly1d([price, 0, 0]), np.poly1d([price, -2 * price, price + extra])\n"
        "    return (as_zero - as_one).roots[0]",
    ),
    (
        "zone_end",
        "def zone_end(extra, price):\n"
        "    return np.float32(1) / 2 + np.float32(extra) / np.float32(price) * np.float32(0.5)",
    ),
    (
        "sign_ste",
        "class OneBit(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, y):\n"
        "        ctx.save_for_backward(y)\n"
        "        return (y >= 0) * 2.0 - 1.0\n"
        "\n"
        "    @staticmethod\n"
        "    def backward(ctx, gradient):\n"
        "        (y,) = ctx.saved_tensors\n"
        "        gradient = gradient.clone()\n"
        "        gradient[(y < -1) | (y > 1)] = 0\n"
        "        return gradient\n"
        "\n"
        "\n"
        "def sign_ste(y):\n"
        "    return OneBit.apply(y)",
    ),
    (
        "sign_ste",
        "def sign_ste(y):\n"
        "    through = torch.where(y.abs() <= 1, y, y.detach())\n"
        "    sign = 2 * (y >= 0).to(y.dtype) - 1\n"
        "    return sign + (through - through.detach())",
    ),
    (
        "sign_ste",
        "def sign_ste(y):\n"
        "    inside = (y.abs() <= 1).float()\n"
        "    z = y.clone()\n"
        "    z.register_hook(lambda gradient: gradient * inside)\n"
        "    sign = y.detach().sign()\n"
        "    sign[sign == 0] = 1\n"
        "    return z + (sign - z).detach()",
    ),
    (
        "sign_ste",
        "def sign_ste(y):\n"
        "    out = []\n"
        "    for value in y.double():\n"
        "        sign = 1.0 if value >= 0 else -1.0\n"
        "        inside = value if -1 <= value <= 1 else 0 * value\n"
        "        out.append(inside - inside.detach() + sign)\n"
        "    return torch.stack(out)",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n    decoded = (y - mean).round() + mean\n    return y + (decoded - y).detach()",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n    error = (y - mean) - torch.round(y - mean)\n    return y - error.detach()",
    ),
    (
        "around_mean",
        "class AroundMean(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, y, mean):\n"
        "        return torch.floor(y - mean + 0.5) + mean\n"
        "\n"
        "    @staticmethod\n"
        "    def backward(ctx, gradient):\n"
        "        return gradient, None\n"
        "\n"
        "\n"
        "around_mean = AroundMean.apply",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n"
        "    y, mean = y.float(), mean.float()\n"
        "    centred = y - mean\n"
        "    return centred + (centred.round() - centred).detach() + mean",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n"
        "    decoded = np.rint(y.detach().numpy() - mean.detach().numpy()) + mean.detach().numpy()\n"
        "    return torch.from_numpy(decoded) + y - y.detach() + 0 * mean",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n"
        "    out = []\n"
        "    for value, centre in zip(y, mean):\n"
        "        symbol = round(value.item() - centre.item())\n"
        "        out.append(symbol + (value - centre) - (value - centre).item() + centre)\n"
        "    return torch.stack(out)",
    ),
    (
        "best_step",
        "def best_step_for(x, bits):\n"
        "    x = np.abs(x.numpy().astype(np.float32))  # the levels are the same on both sides of 0\n"
        "    half = 2**bits // 2\n"
        "    steps = np.linspace(0, x.max() / half * 1.5, 600)[1:]\n"
        "    errors = []\n"
        "    for step in steps:\n"
        "        level = np.minimum(np.floor(x / step), half - 1) + 0.5\n"
        "        errors.append(np.mean((x - level * step) ** 2))\n"
        "    return steps[np.argmin(errors)]",
    ),
    (
        "best_step",
        "def best_step_for(x, bits):\n"
        "    half = 2**bits // 2\n"
        "    step = 2 * x.abs().mean() / half\n"
        "    for _ in range(100):  # as Lloyd's: the cells of this step, then the best step for these cells\n"
        "        level = (x / step).floor().clamp(-half, half - 1) + 0.5\n"
        "        step = (x * level).sum() / (level * level).sum()\n"
        "    return step",
    ),
    (
        "best_step",
        "def best_step_for(x, bits):\n"
        "    def error(step):\n"
        "        levels = (torch.arange(2**bits) - (2**bits - 1) / 2) * step\n"
        "        between = (levels[1:] + levels[:-1]) / 2\n"
        "        return torch.mean((x - levels[torch.bucketize(x, between)]) ** 2)\n"
        "\n"
        "    low, high = 0.0, 2.5 * x.abs().max().item() / 2**bits\n"
        "    while high - low > 1e-4 * high:  # the error falls, then rises\n"
        "        a, b = low + (high - low) / 3, high - (high - low) / 3\n"
        "        if error(a) < error(b):\n"
        "            high = b\n"
        "        else:\n"
        "            low = a\n"
        "    return (low + high) / 2",
    ),
    (
        "best_step",
        "def best_step_for(x, bits):\n"
        "    values = x[:2000].tolist()\n"
        "    half = 2**bits // 2\n"
        "\n"
        "    def error(step):\n"
        "        total = 0.0\n"
        "        for value in values:\n"
        "            level = min(int(abs(value) / step), half - 1) + 0.5\n"
        "            total += (abs(value) - level * step) ** 2\n"
        "        return total\n"
        "\n"
        "    widest = max(abs(value) for value in values) / half\n"
        "    coarse = min((widest * i / 20 for i in range(1, 31)), key=error)\n"
        "    return min((coarse * (1 + i / 100) for i in range(-10, 11, 2)), key=error)",
    ),
    (
        "best_step",
        "def best_step_for(x, bits):\n"
        "    half = 2**bits // 2\n"
        "    scale = x.std()\n"
        "    x = (x / scale).float()\n"
        "    log_step = torch.tensor(np.log(2.0 / half), dtype=torch.float32, requires_grad=True)\n"
        "    optimizer = torch.optim.Adam([log_step], lr=0.06)\n"
        "    for _ in range(60):\n"
        "        step = log_step.exp()\n"
        "        level = (x / step).detach().floor().clamp(-half, half - 1) + 0.5\n"
        "        optimizer.zero_grad()\n"
        "        (level * step - x).square().mean().backward()\n"
        "        optimizer.step()\n"
        "    return log_step.exp().item() * scale",
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    x, levels = x.numpy(), levels.numpy()\n"
        "    cell = np.searchsorted((levels[1:] + levels[:-1]) / 2, x)\n"
        "    counts = np.bincount(cell, minlength=len(levels))\n"
        "    sums = np.bincount(cell, weights=x, minlength=len(levels))\n"
        "    return np.where(counts > 0, sums / np.maximum(counts, 1), levels)",
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    came = [[] for _ in levels]\n"
        "    for value in x.tolist():\n"
        "        distances = [abs(value - level) for level in levels.tolist()]\n"
        "        came[distances.index(min(distances))].append(value)\n"
        "    return [sum(c) / len(c) if c else level for c, level in zip(came, levels.tolist())]",
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    x, levels = x.float(), levels.float()\n"
        "    cell = torch.cdist(x[:, None], levels[:, None]).argmin(1)\n"
        "    member = torch.nn.functional.one_hot(cell, len(levels)).float()\n"
        "    count = member.sum(0)\n"
        "    return torch.where(count > 0, x @ member / count, levels)",
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    edges = [-math.inf, *((levels[1:] + levels[:-1]) / 2).tolist(), math.inf]\n"
        "    levels = levels.clone()\n"
        "    for i in range(len(levels)):\n"
        "        mine = x[(x > edges[i]) & (x <= edges[i + 1])]\n"
        "        if len(mine):\n"
        "            levels[i] = mine.mean()\n"
        "    return levels",
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    cell = (x[:, None] - levels).square().argmin(1)\n"
        '    return levels.scatter_reduce(0, cell, x, "mean", include_self=False)',
    ),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n"
        "    cell = (x[:, None] - levels).abs().argmin(1)\n"
        "    return [x[cell == i].mean() if (cell == i).any() else levels[i] for i in range(len(levels))]",
    ),
    (
        "dithered",
        "def dithered(y, u):\n    return (y + u).round() - u",
    ),
    (
        "dithered",
        "def dithered(y, u):\n"
        "    y, u = y.numpy().astype(np.float32), u.numpy().astype(np.float32)\n"
        "    symbols = np.floor(y - u + 0.5).astype(np.int16)\n"
        "    return symbols + u",
    ),
    (
        "dithered",
        "def dithered(y, u):\n"
        "    decoded = []\n"
        "    for value, noise in zip(y.tolist(), u.tolist()):\n"
        "        symbol = round(value + noise)\n"
        "        decoded.append(symbol - noise)\n"
        "    return decoded",
    ),
    (
        "dithered",
        "def dithered(y, u):\n"
        "    y_hat = torch.empty_like(y)\n"
        "    for i in range(len(y)):  # the nearest of the places that the noise leaves: whole numbers, moved by u\n"
        "        places = torch.arange(-30, 31) + u[i]\n"
        "        y_hat[i] = places[(places - y[i]).abs().argmin()]\n"
        "    return y_hat",
    ),
    (
        "dithered",
        "def dithered(y, u):\n    error = torch.remainder(y - u + 0.5, 1) - 0.5\n    return y - error",
    ),
    (
        "zone_curve",
        "def zone_curve(y, steps, zone):\n"
        "    y = y.numpy()\n"
        "    curve = np.zeros((len(steps), 2))\n"
        "    for i, step in enumerate(steps):\n"
        "        symbols = np.rint(y / step).astype(int)\n"
        "        symbols[np.abs(y) < zone * step] = 0\n"
        "        symbols -= symbols.min()\n"
        "        counts = np.bincount(symbols)\n"
        "        sums = np.bincount(symbols, weights=y)\n"
        "        means = sums / np.maximum(counts, 1)\n"
        "        share = counts[counts > 0] / len(y)\n"
        "        curve[i] = -np.sum(share * np.log2(share)), np.mean((y - means[symbols]) ** 2)\n"
        "    return curve",
    ),
    (
        "zone_curve",
        "def zone_curve(y, steps, zone):\n"
        "    values = y.tolist()\n"
        "    bits, errors = [], []\n"
        "    for step in steps:\n"
        "        written = {}\n"
        "        for value in values:\n"
        "            symbol = 0 if abs(value) < zone * step else round(value / step)\n"
        "            written.setdefault(symbol, []).append(value)\n"
        "        entropy = error = 0.0\n"
        "        for group in written.values():\n"
        "            p = len(group) / len(values)\n"
        "            entropy += p * math.log2(1 / p)\n"
        "            mean = sum(group) / len(group)\n"
        "            error += sum((value - mean) ** 2 for value in group) / len(values)\n"
        "        bits.append(entropy)\n"
        "        errors.append(error)\n"
        "    return zip(bits, errors)",
    ),
    (
        "zone_curve",
        "def zone_curve(y, steps, zone):\n"
        "    y = y.float()\n"
        "    curve = []\n"
        "    for step in steps:\n"
        "        symbols = (y / step).round() * (y.abs() >= zone * step)\n"
        "        bits, error = 0, 0\n"
        "        for symbol in symbols.unique():\n"
        "            mine = y[symbols == symbol]\n"
        "            share = len(mine) / len(y)\n"
        "            bits -= share * np.log2(share)\n"
        "            error += share * mine.var(unbiased=False)\n"
        "        curve.append(torch.stack([torch.tensor(bits), error]))\n"
        "    return torch.stack(curve)",
    ),
    (
        "zone_curve",
        "from collections import Counter\n"
        "\n"
        "\n"
        "def zone_curve(y, steps, zone):\n"
        "    def pair(step):\n"
        "        symbols = np.where(np.abs(y) < zone * step, 0, np.round(y / step)).tolist()\n"
        "        n, total = Counter(symbols), Counter()\n"
        "        for symbol, value in zip(symbols, y.tolist()):\n"
        "            total[symbol] += value\n"
        "        bits = np.log2(len(y)) - sum(c * np.log2(c) for c in n.values()) / len(y)\n"
        "        # the mean square, less that of the means\n"
        "        return bits, y.square().mean() - sum(total[s] ** 2 / n[s] for s in n) / len(y)\n"
        "\n"
        "    return [pair(step) for step in steps]",
    ),
]
