"""Notebook 03: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

H = "def entropy_from_counts(counts):\n    n = sum(counts); p = [c / n for c in counts if c]\n    return "
P = "def entropy_from_counts(counts):\n    p = np.array(counts) / sum(counts)\n    return "

L = """def losses(p, lengths):
    K = sum(2.0**-n for n in lengths)
    q = [2.0**-n / K for n in lengths]
    d = sum(a * math.log2(a / b) for a, b in zip(p, q) if a)
    u = -math.log2(K)
    return """

J = """def conditional(joint):
    H = lambda c: sum(v / c.sum() * math.log2(c.sum() / v) for v in c.ravel() if v)
    j = np.array(joint, dtype=float)
    rows = [r for r in j if r.sum()]
    return """

R = """def price_range(R, D, k, others=None):
    low, high = 0.0, math.inf
    for j in range(len(R)) if others is None else others:
        if D[j] > D[k]: low = max(low, (R[k] - R[j]) / (D[j] - D[k]))
        if D[j] < D[k]: high = min(high, (R[j] - R[k]) / (D[k] - D[j]))
    return low, high
true = price_range
"""

S = """def fit_scale(symbols):
    k = np.abs(np.asarray(symbols)).astype(float)
    def cost(b):
        far = math.log(0.5 * (1 - math.exp(-1 / b))) - (k - 0.5) / b
        return -np.where(k == 0, math.log(1 - math.exp(-0.5 / b)), far).mean() / math.log(2)
    scales = np.geomspace(0.1, 50, 1500)
    b = min(scales, key=cost)
    return """

B = """def block_length(p, n):
    def merged(heap):
        heap = list(heap); heapq.heapify(heap); total = 0
        while len(heap) > 1:
            last = heapq.heappop(heap) + heapq.heappop(heap); total += last; heapq.heappush(heap, last)
        return total
    blocks = [math.prod(b) for b in itertools.product(p, repeat=n)]
    H = sum(-x * math.log2(x) for x in p)
    return """

WRONG = [
    ("entropy_from_counts", H + "sum(x * math.log2(x) for x in p)", "change the sign"),
    ("entropy_from_counts", H + "-sum(x * math.log(x) for x in p)", "these are nats"),
    ("entropy_from_counts", H + "-sum(x * math.log10(x) for x in p)", "to the base 10"),
    ("entropy_from_counts", H + "-sum(c * math.log2(c / n) for c in counts if c)", "bits of the whole message"),
    ("entropy_from_counts", H + "-sum(math.log2(x) for x in p) / len(p)", "weigh each with its probability"),
    ("entropy_from_counts", H + "math.log2(len(p))", "right for equal counts only"),
    ("entropy_from_counts", H + "-sum(x * math.log2(x) for x in p) / len(p)", "average over the kinds of symbols"),
    ("entropy_from_counts", H + "-sum(c * math.log2(c) for c in counts if c)", "divide them by their sum first"),
    ("entropy_from_counts", P + "-(p * np.log2(p)).sum()", "leave these symbols out"),
    ("entropy_from_counts", P + "sum(x * math.log2(1 / x) for x in p.tolist())", "What never happens adds nothing"),
    ("entropy_from_counts", P + "-sum(x * math.log2(x) for x in p.tolist())", "a count of 0 stops it"),
    ("entropy_from_counts", P + "p", "one number is asked for, not ndarray"),
    ("entropy_from_counts", H + "1.5", "1.750 bits a symbol are right, you give 1.500"),
    ("losses", L + "u, d", "in the other order"),
    ("losses", L + "d * math.log(2), u * math.log(2)", "these are nats"),
    ("losses", L + "d, -u", "a loss is positive"),
    ("losses", L + "d, 1 - K", "how many bits do they cost a symbol?"),
    ("losses", L + "d + u, u", "divide by the Kraft sum"),
    ("losses", L + "sum(a * n for a, n in zip(p, lengths)), u", "Which part of it is lost?"),
    ("losses", L + "sum(b * math.log2(b / a) for a, b in zip(p, q) if a), u", "this is D(q‖p)"),
    ("losses", L + "float((np.array(p) * np.log2(np.array(p) / q)).sum()), u", "leave these symbols out"),
    ("losses", L + "d", "two numbers are asked for"),
    ("losses", L + "d, 0.0", "the unused words cost 0.415 bits, you give 0.000"),
    ("losses", L + "0.0, u", "the belief costs"),
    ("conditional", J + "-(H(j) - H(j.sum(axis=1)))", "change the sign"),
    ("conditional", J + "(H(j) - H(j.sum(axis=1))) * math.log(2)", "these are nats"),
    ("conditional", J + "H(j)", "H(X, C)"),
    ("conditional", J + "H(j.sum(axis=0))", "without any context"),
    ("conditional", J + "H(j.sum(axis=1))", "the entropy of the contexts"),
    ("conditional", J + "H(j) - H(j.sum(axis=0))", "the roles are swapped"),
    ("conditional", J + "H(j.sum(axis=0)) + H(j.sum(axis=1)) - H(j)", "this is what the context saves"),
    ("conditional", J + "sum(H(r) for r in rows) / len(rows)", "Weigh each with how often it occurs"),
    ("conditional", J + "sum(H(r) for r in rows)", "you add up the contexts' entropies"),
    (
        "conditional",
        J + "-(j / j.sum() * np.log2(j / j.sum(axis=1, keepdims=True))).sum()",
        "Leave out what never occurs",
    ),
    (
        "conditional",
        "def conditional(joint):\n    n = sum(map(sum, joint))\n    return sum(-c / n * math.log2(c / sum(r)) if c "
        "else 0 * (1 / sum(r)) for r in joint for c in r)",
        "Which context never occurs?",
    ),
    ("conditional", J + "[H(r) for r in rows]", "one number is asked for, not list"),
    ("conditional", J + "0.5", "bits are right, you give 0.500"),
    ("price_range", R + "def price_range(R, D, k): return true(R, D, k)[::-1]", "swapped: the lower one first"),
    ("price_range", R + "def price_range(R, D, k): return true(D, R, k)", "upside down"),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    low, high = true(R, D, k); return -high, -low",
        "λ itself is a price, 0 or more",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    order = sorted(range(len(R)), key=lambda j: D[j]); at = order.index(k)\n"
        "    return true(R, D, k, order[max(at - 1, 0) : at + 2])",
        "its two neighbours only",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    return true(R, D, k, [j for j in (k - 1, k + 1) if 0 <= j < len(R)])",
        "its two neighbours only",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    if D == sorted(D): return true(R, D, k)\n"
        "    return true(R, D, k, [j for j in (k - 1, k + 1) if 0 <= j < len(R)])",
        "next to it in the list, which need not be sorted",
    ),
    (
        "price_range",
        "def price_range(R, D, k):\n    low = (R[k] - R[k + 1]) / (D[k + 1] - D[k])\n"
        "    return low, (R[k - 1] - R[k]) / (D[k] - D[k - 1])",
        "the index k - 1 is −1",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    low, high = true(R, D, k); return min(low, high), max(low, high)",
        "let low exceed high",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    low, high = true(R, D, k)\n"
        "    return low, max((R[j] - R[k]) / (D[k] - D[j]) for j in range(len(R)) if D[j] < D[k])",
        "stopped with ValueError",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    low, high = true(R, D, k); return low, min(high, 1_000)",
        "low is right; but it is chosen up to inf",
    ),
    (
        "price_range",
        R + "def price_range(R, D, k):\n    low, high = true(R, D, k); return 0.0, high",
        "high is right; but it is chosen from 20.000 on",
    ),
    ("price_range", R + "def price_range(R, D, k): return true(R, D, k)[0]", "two numbers are asked for"),
    ("price_range", "def price_range(R, D, k): return 0.3, 0.4", "chosen for λ from 20.000 to inf"),
    ("fit_scale", S + "math.log(b)", "Train the logarithm, but return its exp()"),
    ("fit_scale", S + "math.log2(b)", "this is log2 b"),
    ("fit_scale", S + "cost(b)", "the scale is asked for"),
    ("fit_scale", S + "k.mean()", "this is the mean size"),
    ("fit_scale", S + "np.std(symbols)", "√2 times the scale"),
    ("fit_scale", S + "np.std(symbols) / 2**0.5", "over √2"),
    ("fit_scale", S + "3.0", "again, as for the symbols before"),
    ("fit_scale", S + "b / 2", "is too narrow"),
    ("fit_scale", S + "2 * b", "is too wide"),
    ("fit_scale", S + "-b", "A scale is positive"),
    ("fit_scale", S + "math.nan", "compute in float64"),
    ("fit_scale", S + "[b]", "one number is asked for, not list"),
    ("fit_scale", S + "None", "is a return missing?"),
    ("block_length", B + "merged(blocks)", "It holds n symbols: divide"),
    ("block_length", B + "merged(p)", "Give a word to each block of n"),
    ("block_length", B + "merged(p) / n", "you divided the code for single symbols by n"),
    ("block_length", B + "H", "this is the entropy. Whole code words cost more"),
    (
        "block_length",
        B + "sum(b * math.ceil(-math.log2(b)) for b in blocks) / n",
        "Huffman's are shorter",
    ),
    ("block_length", B + "merged(blocks) / n - 1 / n", "you stop one step early"),
    ("block_length", B + "H / 2", "nobody could decode that"),
    ("block_length", B + "H + 1 / n", "bits a symbol, yours"),
    ("block_length", B + "None", "is a return missing?"),
    ("price_range", R + "def price_range(R, D, k): return None", "is a return missing?"),
]
