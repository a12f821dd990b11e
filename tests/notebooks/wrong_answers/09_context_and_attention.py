"""Notebook 09: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

PASS = "def pass_of(i, j, radius): return "
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
TIME = """
def decode_time(pass_of, latency, work, p):
    counts = pass_of.unique(return_counts=True)[1].tolist()
    return """

WORTH = """
def worth(prior, y):
    def bits(): return -prior(y)[1]["y"].LOG().SUM().item()
    full, extra, weight = bits(), [], prior.context.weight
    first = weight.clone()
    for p in range(len(prior.places)):
        kept = weight.clone()
        weight[:, :, SILENT] = 0
        extra.append(GIVE)
        weight.copy_(BACK)
    weight.copy_(AFTER)
    return extra
"""


def worth(**given: str) -> str:
    """The right answer, but for what is given."""
    blanks = {"LOG": "log2", "SUM": "sum", "SILENT": "p", "GIVE": "bits() - full", "BACK": "kept", "AFTER": "first"}
    answer = WORTH
    for blank, filling in {**blanks, **given}.items():
        answer = answer.replace(blank, filling)
    return answer


KNOWN = """
def known_on_average(pass_of):
    h, w = pass_of.shape
    known = 0
    for i in range(h):
        for j in range(w):
            around = pass_of[max(0, i - R) : i + R + 1, max(0, j - R) : j + R + 1]
            known += int((around TEST pass_of[i, j]).sum())
    return known / (h * w)
"""
COUNT = KNOWN.replace("R", "2")

WRONG = [
    ("pass_of", PASS + "3 * i + j", "right for our radius 2 only"),
    ("pass_of", PASS + "radius * i + j", "has the same pass"),
    ("pass_of", PASS + "i + (radius + 1) * j", "Rows and columns are swapped"),
    ("pass_of", PASS + "(2 * radius + 1) * i + j", "later than necessary"),
    ("pass_of", PASS + "i + j", "What is looked at must come earlier"),
    ("pass_of", PASS + "(radius + 2) * i + j", "would do"),
    ("pass_of", PASS + "(radius + 1) * i + j + 1", "The first pass is 0; yours is 1."),
    ("pass_of", PASS + "'soon'", "A pass has a whole number"),
    ("is_causal", "def is_causal(c, h, w): return True", "to all of eleven contexts"),
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
        EACH.replace("TEST", "p < height * width - 1 and g.flatten()[p:].ne(0).any()"),
        "the very last output",
    ),
    ("is_causal", "def is_causal(c, h, w): return 3", "True or False is asked for"),
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
    ("masked_attention", ATTEND + "None", "returned None"),
    ("masked_attention", ATTEND + "'the sky'", "3 numbers are asked for"),
    ("worth", worth(GIVE="full - bits()"), "The sign"),
    ("worth", worth(GIVE="bits()"), "How many *more* are they"),
    ("worth", worth(BACK="weight"), "Each place is to be silenced alone"),
    ("worth", worth(BACK="weight", AFTER="weight"), "Each place is to be silenced alone"),
    ("worth", worth(AFTER="0 * first"), "are not what they were"),
    ("worth", worth(LOG="log"), "natural logarithm"),
    ("worth", worth(SUM="mean"), "a sum"),
    ("worth", worth(GIVE="bits() / full - 1"), "not a share"),
    ("worth", worth(SILENT="[o for o in range(12) if o != p]"), "all places but one"),
    ("worth", worth(GIVE="round(bits() - full)"), "bits more; you say"),
    ("worth", worth().replace("return extra", "return extra[1:]"), "12 numbers of bits"),
    ("worth", worth().replace("return extra", "return"), "returned None"),
    ("decode_time", TIME + "len(counts) * latency + work * -(-pass_of.numel() // p)", "round up in each pass, not"),
    ("decode_time", TIME + "len(counts) * latency + work * pass_of.numel() / p", "half a position"),
    ("decode_time", TIME + "sum((latency + work * n) / p for n in counts)", "do not shorten the latency"),
    ("decode_time", TIME + "latency + sum(work * math.ceil(n / p) for n in counts)", "before each pass, not once"),
    ("decode_time", TIME + "sum(work * math.ceil(n / p) for n in counts)", "There is a latency before each pass"),
    ("decode_time", TIME + "sum(latency + work * n for n in counts)", "on one processor"),
    ("decode_time", TIME + "7", "it takes"),
    ("decode_time", TIME + "counts", "A number of seconds is asked for"),
    ("decode_time", TIME + "None", "returned None"),
    ("known_on_average", COUNT.replace("TEST", "<="), "earlier means <, not ≤"),
    (
        "known_on_average",
        COUNT.replace("TEST", "<=").replace("(h * w)", "(h * w) - 1"),
        "nobody knows itself",
    ),
    ("known_on_average", COUNT.replace("TEST", "<").replace("known / (h * w)", "known"), "The mean is asked for"),
    ("known_on_average", KNOWN.replace("R", "1").replace("TEST", "<"), "not one: the neighbourhood is 5 × 5"),
    (
        "known_on_average",
        "import torch.nn.functional as F\ndef known_on_average(pass_of):\n"
        "    around = F.unfold(pass_of[None, None].float(), 5, padding=2)[0]\n"
        "    return (around < around[12]).float().sum(0).mean()",
        "which seem known",
    ),
    ("known_on_average", "def known_on_average(pass_of): return 12", "neighbours on average; you say"),
    ("known_on_average", "def known_on_average(pass_of): return 'few'", "A mean number of neighbours is asked for"),
]
