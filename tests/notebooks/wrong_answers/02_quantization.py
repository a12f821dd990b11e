"""Notebook 02: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

SIGN = "def sign_ste(y):\n    s = torch.where(y >= 0, 1.0, -1.0)\n    return "
STEP = "def best_step_for(x, bits): return "
DITHER = "def dithered(y, u): return "
MEAN = "def around_mean(y, mean): return "
ZONE = "def zone_end(extra, price): return "
LLOYD = "def lloyd_round(x, levels):\n    c = (x[:, None] - levels).abs().argmin(1)\n    return "
CURVE = (
    "def zone_curve(y, steps, zone):\n    curve = []\n    for step in steps:\n"
    "        s = torch.where(y.abs() < zone * step, 0, (y / step).round())\n"
    "        v, w, n = torch.unique(s, return_inverse=True, return_counts=True)\n"
    "        m = torch.zeros(len(v), dtype=y.dtype).index_add(0, w, y) / n\n"
    "        p = n / len(y)\n        bits = -(p * p.log2()).sum()\n        error = (m[w] - y).square().mean()\n        "
)
APPEND = "\n        curve.append((bits, error))\n    return curve"

WRONG = [
    ("zone_end", ZONE + "0.5", "the bits do not matter"),
    ("zone_end", ZONE + "0.5 + extra / price", "missing the 2"),
    ("zone_end", ZONE + "0.5 - extra / (2 * price)", "The zone got narrower"),
    ("zone_end", ZONE + "0.5 + extra * price / 2", "changed their places"),
    ("zone_end", ZONE + "min(1.0, 0.5 + extra / (2 * price))", "There, 0 costs 2 and 1 costs 3"),
    ("zone_end", ZONE + "(0, 1)", "One number, a place between 0 and 1 or beyond, is asked for"),
    (
        "sign_ste",
        "import numpy as np\ndef sign_ste(y): return np.ones(11)",
        "A tensor, which carries gradients",
    ),
    (
        "sign_ste",
        "class S(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, y):\n"
        "        ctx.save_for_backward(y)\n        return torch.where(y >= 0, 1.0, -1.0)\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return g * (ctx.saved_tensors[0].abs() < 1)\n"
        "sign_ste = S.apply",
        "the two ends included",
    ),
    ("lloyd_round", LLOYD + "torch.stack([x[c == i].mean() for i in range(len(levels))])", "a level is NaN"),
    ("lloyd_round", LLOYD + "levels", "the levels are the old ones"),
    ("lloyd_round", LLOYD + "torch.stack([x[c == i].median() for i in range(len(levels))])", "these are the medians"),
    (
        "lloyd_round",
        LLOYD + "torch.stack([(x[c == i].min() + x[c == i].max()) / 2 for i in range(len(levels))])",
        "these are the middles",
    ),
    (
        "lloyd_round",
        LLOYD + "[x[c == i].sum() / max(1, (c == i).sum()) for i in range(len(levels))]",
        "no sample came to the level 50, so it stays; yours becomes 0",
    ),
    ("lloyd_round", LLOYD + "levels, c", "Only the new levels are asked for"),
    ("lloyd_round", LLOYD + "levels[:2]", "Every number becomes one number"),
    (
        "lloyd_round",
        "def lloyd_round(x, levels):\n    c = (x[:, None] - levels).abs().argmin(1)\n"
        "    for i in c.unique():\n        levels[i] = x[c == i].mean()\n    return levels",
        "The result is right, but your function has changed `levels`",
    ),
    ("zone_curve", CURVE + "bits *= np.log(2)" + APPEND, "these are nats"),
    ("zone_curve", CURVE + "bits = -(p * p.log2())[:-1].sum()" + APPEND, "the symbols have an entropy of"),
    ("zone_curve", CURVE + "bits = -bits" + APPEND, "the bits are negative"),
    ("zone_curve", CURVE + "bits *= len(y)" + APPEND, "the bits of all numbers"),
    ("zone_curve", CURVE + "bits = np.log2(len(v))" + APPEND, "if all symbols were equally frequent"),
    ("zone_curve", CURVE.replace("zone * step", "0") + APPEND, "Below zone · step in magnitude"),
    ("zone_curve", CURVE + "error = (s * step - y).square().mean()" + APPEND, "still gives symbol · step"),
    ("zone_curve", CURVE + "error = error.sqrt()" + APPEND, "the root of the mean square"),
    ("zone_curve", CURVE + "error *= len(y)" + APPEND, "summed; their mean"),
    ("zone_curve", CURVE + "error = (m[w] - y).abs().mean()" + APPEND, "the bits are right"),
    ("zone_curve", CURVE + "return bits", "A list of pairs"),
    ("zone_curve", CURVE + "return [(bits, error)]", "so 3 pairs are asked for, not 1"),
    ("sign_ste", SIGN + "s", "the gradient is 0 everywhere"),
    ("sign_ste", "def sign_ste(y): return torch.where(y >= 0, 1, -1)", "the gradient is 0 everywhere"),
    ("sign_ste", SIGN + "y + (s - y).detach()", "the gradient passes everywhere"),
    ("sign_ste", "def sign_ste(y): return y + (y.sign() - y).detach()", "torch.sign has three"),
    ("sign_ste", "def sign_ste(y): return y.clamp(-1, 1)", "this is the ramp itself"),
    ("sign_ste", SIGN + "torch.tanh(y) + (s - torch.tanh(y)).detach()", "at y = 0.3 it is 0.92"),
    ("sign_ste", SIGN + "(o := y.clamp(-0.5, 0.5)) + (s - o).detach()", "at y = -0.75 it is 0.00"),
    ("sign_ste", SIGN + "(o := y - y.clamp(-1, 1)) + (s - o).detach()", "the other way round"),
    ("sign_ste", "def sign_ste(y): return y + (y.round() - y).detach()", "Forward: y = -3 becomes -1, not -3"),
    ("sign_ste", "def sign_ste(y): return y.sum()", "Every number becomes one number"),
    ("sign_ste", "sign_ste = 1", "A function is asked for"),
    (
        "sign_ste",
        "class S(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, y):\n"
        "        ctx.save_for_backward(y)\n        return torch.where(y >= 0, 1.0, -1.0)\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return (ctx.saved_tensors[0].abs() <= 1).float()\n"
        "sign_ste = S.apply",
        "must be passed on as it is",
    ),
    ("best_step", STEP + "(x.max() - x.min()) / 2**bits", "Gaussian, 2 bits: your step has"),
    ("best_step", STEP + "(x.max() - x.min()) / 2**bits", "nothing is clipped; clipping a few would pay"),
    ("best_step", STEP + "(x.max() - x.min()) / (2**bits - 1)", "not one less"),
    ("best_step", STEP + "0.9957", "seven times as wide, 4 bits"),
    ("best_step", STEP + "x.std() * {2: 0.9957, 3: 0.586, 4: 0.3352}[bits]", "Laplacian, 3 bits"),
    ("best_step", STEP + "x.std() / 10", "it is too fine. Most of it is clipping"),
    ("best_step", STEP + "3 * x.std()", "it is too coarse. Most of it is rounding"),
    (
        "best_step",
        "def best_step_for(x, bits):\n    half = 2**bits // 2\n    def error(step):\n"
        "        x_hat = ((x / step).floor().clamp(-half, half - 1) + 0.5) * step\n"
        "        return (x_hat - x).square().mean().item()\n"
        "    return min((x.max() * k / 200 for k in range(1, 201)), key=error)",
        "A step is a positive number",
    ),
    ("best_step", STEP + "-1.0", "A step is a positive number"),
    ("best_step", STEP + "x", "One number is asked for"),
    ("dithered", DITHER + "(y + u).round()", "take it off"),
    ("dithered", DITHER + "(y - u).round().int()", "take it off"),
    ("dithered", DITHER + "y.round()", "the noise is not used at all"),
    ("dithered", DITHER + "y.round() + u", "Put the noise in before rounding"),
    ("dithered", DITHER + "(y + u).round() + u", "If it is added at the end, subtract it before rounding"),
    ("dithered", DITHER + "(y - u).round() - u", "If it is subtracted at the end, add it before rounding"),
    ("dithered", DITHER + "torch.cat([((y - u).round() + u)[:-1], y[-1:]])", "It is neither"),
    ("dithered", DITHER + "y + u", "Nothing is rounded"),
    ("dithered", DITHER + "(y + u).round() + 0.5 * u", "It is neither"),
    ("dithered", DITHER + "3.0", "A tensor is asked for"),
    ("around_mean", MEAN + "y + (y.round() - y).detach()", "the mean is not used"),
    ("around_mean", MEAN + "(d := y - mean) + (d.round() - d).detach()", "These are the symbols"),
    ("around_mean", MEAN + "(y - mean).round() + mean", "y gets no gradient"),
    (
        "around_mean",
        "def around_mean(y, mean):\n    d = y - mean.detach()\n    return d + (d.round() - d).detach() + mean",
        "that of the mean is 1",
    ),
    (
        "around_mean",
        "def around_mean(y, mean):\n    d = y - mean\n    return d + (d.round() - d).detach() + mean.detach()",
        "that of the mean is -1",
    ),
    ("around_mean", MEAN + "(y - mean).round() + mean.round()", "the mean's fraction is lost"),
    ("around_mean", MEAN + "(y + mean).round() - mean", "The signs are swapped"),
    ("around_mean", MEAN + "y - mean + mean", "Nothing is rounded here"),
    ("around_mean", MEAN + "2 * ((y - mean).round() + mean)", "make the symbol -3, so ŷ = -2.7, not -5.4"),
]
