"""Notebook 01: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

MORE = "def more_pixels(h, w, m):\n    p = (h + -h % m) * (w + -w % m)"

WRONG = [
    ("which_pads", "pads = (3, 0, 1, 4)", "wrong sides: the order is left, right, top, bottom"),
    ("which_pads", "pads = (4, 1, 0, 3)", "Mirrored"),
    ("which_pads", "pads = (1, 3, 3, 0)", "6 × 8; the one shown is 6 × 9"),
    ("which_pads", "pads = (2, 3, 3, 0)", "the original sits elsewhere"),
    ("which_pads", "pads = (1, 4, -3, 6)", "cannot be negative"),
    ("which_pads", "pads = 5", "Four whole numbers"),
    ("which_pads", "pads = (1.5, 4, 3, 0)", "Four whole numbers"),
    (
        "symmetric_index",
        "def symmetric_index(p, n):\n    s = p % (2 * (n - 1)); return min(s, 2 * (n - 1) - s)",
        "This is reflection",
    ),
    ("symmetric_index", "def symmetric_index(p, n): return min(max(p, 0), n - 1)", "repeats the edge pixel for ever"),
    ("symmetric_index", "def symmetric_index(p, n): return p % n", "circular"),
    (
        "symmetric_index",
        "def symmetric_index(p, n): return -p - 1 if p < 0 else 2 * n - 1 - p if p >= n else p",
        "Right near the image, wrong further out. In a row of 4 pixels, position -5 shows pixel 3, not 4.",
    ),
    (
        "symmetric_index",
        "def symmetric_index(p, n):\n    s = p % (2 * n); return min(s, 2 * n - s)",
        "In a row of 4 pixels, position -1 shows pixel 0, not 1.",
    ),
    ("symmetric_index", "symmetric_index = 3", "A function is asked for"),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = m - size % m; return t // 2, t - t // 2",
        "size 64, multiple 64: that is 64 too many",
    ),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = -size % m; return t - t // 2, t // 2",
        "the odd pixel goes after",
    ),
    ("centred_pads", "def centred_pads(size, m): return 0, -size % m", "is not centred"),
    ("centred_pads", "def centred_pads(size, m): return 0, 0", "100 + 0 + 0 is no multiple of 64"),
    ("centred_pads", "def centred_pads(size, m): return -size % m", "Two numbers are asked for"),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = -size % m + 2 * m; return t // 2, t - t // 2",
        "28 pixels are enough, you add 156",
    ),
    ("undo", "def cut_off(x, l, r, t, b): return x[..., t:-b, l:-r]", "What does the slice [2:-0] give?"),
    (
        "undo",
        "def cut_off(x, l, r, t, b):\n    h, w = x.shape; return x[b : h - t, r : w - l]",
        "these are other pixels",
    ),
    ("undo", "def cut_off(x, l, r, t, b): return x[t:, l:]", "(4, 6) was padded, (5, 8) came back"),
    ("undo", "def cut_off(x, l, r, t, b): return x[t : t + 4, l : l + 6]", "(5, 6) was padded, (4, 6) came back"),
    ("undo", "def cut_off(x, l, r, t, b): return 'cut'", "A picture is asked for"),
    ("undo", "def cut_off(x, l, r, t, b): return x.tolist()", "(4, 6) was padded, (8, 9) came back"),
    ("centred_pads", "def centred_pads(size, m): return -size % m / 2, -size % m / 2", "pixels come whole"),
    ("more_pixels", f"{MORE}; return p / (h * w)", "only what was added"),
    ("more_pixels", f"{MORE}; return 100 * (p / (h * w) - 1)", "in percent"),
    ("more_pixels", f"{MORE}; return p - h * w", "a number of pixels"),
    ("more_pixels", f"{MORE}; return 1 - h * w / p", "not by the padded ones"),
    ("more_pixels", "def more_pixels(h, w, m): return -h % m / h + -w % m / w", "the corner is missing"),
    (
        "more_pixels",
        "def more_pixels(h, w, m): return (h + m - h % m) * (w + m - w % m) / (h * w) - 1",
        "64 × 128 to multiples of 64: a side that fits already",
    ),
    ("more_pixels", "def more_pixels(h, w, m): return 0.5", "0.1469, not 0.5000"),
    ("more_pixels", "def more_pixels(h, w, m): return 'many'", "One number is asked for, not str"),
    ("more_pixels", "def more_pixels(h, w, m): pass", "is a return missing?"),
    (
        "quiet_row",
        "def quiet_row(known, cosines): return np.pad(known, (0, 8 - len(known)), mode='edge')",
        "this repeats the last pixel",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines): return np.pad(known, (0, 8 - len(known)))",
        "and should be 0",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines):\n    k = len(known); y = cosines @ np.pad(known, (0, 8 - k)); y[k:] = 0\n"
        "    return cosines.T @ y",
        "are not the known ones any more",
    ),
    (
        "quiet_row",
        "def quiet_row(known, cosines): return np.linalg.solve(cosines[:len(known), :len(known)].T, known)",
        "a row of 8 pixels is asked for",
    ),
    ("quiet_row", "def quiet_row(known, cosines): return None", "is a return missing?"),
]
