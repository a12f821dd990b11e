"""Notebook 09: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

TURN = "def turn_of(i, j, radius): return "
CAUSAL = """
def is_causal(context, height, width):
    for p in PLACES:
        x = torch.randn(1, 1, height, width, requires_grad=True)
        (g,) = torch.autograd.grad(context(x)[0, :, p // width, p % width].sum(), x, allow_unused=True)
        if g is not None and TEST:
            return False
    return True
"""
EACH = CAUSAL.replace("PLACES", "range(height * width)")
ATTEND = "def masked_attention(q, k, v, known): return "
TIME = "def decode_time(turn, latency, work, p):\n    counts = turn.unique(return_counts=True)[1].tolist()\n    return "

WRONG = [
    ("turn_of", TURN + "3 * i + j", "right for our radius 2 only"),
    ("turn_of", TURN + "radius * i + j", "has the same turn"),
    ("turn_of", TURN + "i + (radius + 1) * j", "Rows and columns are swapped"),
    ("turn_of", TURN + "(2 * radius + 1) * i + j", "later than necessary"),
    ("turn_of", TURN + "i + j", "What is looked at must come earlier"),
    ("turn_of", TURN + "(radius + 2) * i + j", "would do"),
    ("turn_of", TURN + "(radius + 1) * i + j + 1", "The first turn is 0; yours is 1."),
    ("turn_of", TURN + "'soon'", "A turn is a whole number"),
    ("is_causal", "def is_causal(c, h, w): return True", "to all of ten contexts"),
    ("is_causal", "def is_causal(c, h, w): return 'yes'", "True or False is asked for"),
    ("is_causal", EACH.replace("TEST", "g.flatten()[p + 1:].ne(0).any()"), "type B: it sees its own place"),
    ("is_causal", EACH.replace("TEST", "g.flatten()[p].ne(0)"), "a look to the right, in its own row only"),
    (
        "is_causal",
        EACH.replace("TEST", "g[0, 0, p // width, p % width:].ne(0).any()"),
        "a look straight down, at nothing else",
    ),
    (
        "is_causal",
        CAUSAL.replace("PLACES", "[height // 2 * width + width // 2]").replace("TEST", "g.flatten()[p:].ne(0).any()"),
        "a look up that wraps around",
    ),
    ("is_causal", EACH.replace("TEST", "g.flatten()[:p].ne(0).any()"), "is honest, and you refuse it"),
    (
        "is_causal",
        EACH.replace("TEST", "g.flatten()[p:].ne(0).any()")
        .replace("return False", "return 1 == 1")
        .replace("return True", "return False"),
        "The other way around",
    ),
    ("masked_attention", ATTEND + "(k @ q).masked_fill(~known, -math.inf).softmax(0) @ v", "not divide by √d"),
    (
        "masked_attention",
        ATTEND + "(k @ q / len(q)).masked_fill(~known, -math.inf).softmax(0) @ v",
        "You divide by d, not by √d.",
    ),
    ("masked_attention", ATTEND + "(k @ q / len(q) ** 0.5).softmax(0) @ v", "You do not use the mask"),
    ("masked_attention", ATTEND + "((k @ q / len(q) ** 0.5).softmax(0) * known) @ v", "no longer sums to 1"),
    ("masked_attention", ATTEND + "(k @ q / len(q) ** 0.5 * known).softmax(0) @ v", "0 is not −∞"),
    (
        "masked_attention",
        ATTEND + "(k @ q / len(q) ** 0.5).masked_fill(~known, -math.inf).softmax(0) @ v",
        "you return NaN",
    ),
    (
        "masked_attention",
        ATTEND + "(k @ q / len(q) ** 0.5).masked_fill(~known, -1e9).softmax(0) @ v",
        "zeros are asked for",
    ),
    ("masked_attention", ATTEND + "(k @ q / len(q) ** 0.5).masked_fill(~known, -math.inf).softmax(0)", "shape (3,)"),
    ("decode_time", TIME + "len(counts) * latency + work * math.ceil(turn.numel() / p)", "round up in each turn, not"),
    ("decode_time", TIME + "len(counts) * latency + work * turn.numel() / p", "half a position"),
    ("decode_time", TIME + "sum((latency + work * n) / p for n in counts)", "do not shorten the latency"),
    ("decode_time", TIME + "latency + sum(work * math.ceil(n / p) for n in counts)", "before each turn, not once"),
    ("decode_time", TIME + "sum(work * math.ceil(n / p) for n in counts)", "There is a latency before each turn"),
    ("decode_time", TIME + "sum(latency + work * n for n in counts)", "on one processor"),
    ("decode_time", TIME + "7", "it takes"),
    ("decode_time", TIME + "counts", "A number of seconds is asked for"),
]
