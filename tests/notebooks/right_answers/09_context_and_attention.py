"""Notebook 09: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

PASS = "def pass_of(i, j, radius): return "
ATTEND = "def masked_attention(q, k, v, known):\n    "
TIME = "def decode_time(pass_of, latency, work, p):\n    "

CHANGED_FROM_A_PLACE_ON = """
def is_causal(context, height, width):
    x = torch.randn(1, 1, height, width)
    with torch.no_grad():
        before = context(x).flatten(2)
        for place in range(height * width):
            other = x.clone()
            other.view(-1)[place:] = torch.randn(height * width - place)
            if not torch.allclose(context(other).flatten(2)[..., : place + 1], before[..., : place + 1], atol=1e-5):
                return False
    return True
"""
CHANGED_AT_ONE_PLACE = """
def is_causal(context, height, width):
    x = np.random.default_rng(0).normal(size=(1, 1, height, width)).astype(np.float32)
    before = context(torch.from_numpy(x)).numpy().reshape(-1, height * width)
    told = np.zeros((height * width, height * width), dtype=bool)  # which input tells which output
    for i in range(height):
        for j in range(width):
            other = x.copy()
            other[0, 0, i, j] += 1
            after = context(torch.from_numpy(other)).numpy().reshape(-1, height * width)
            told[i * width + j] = (np.abs(after - before) > 1e-4).any(0)
    return not np.tril(told).any()
"""
JACOBIAN = """
def is_causal(context, height, width):
    x = torch.randn(1, 1, height, width)
    slopes = torch.autograd.functional.jacobian(lambda x: context(x).sum(1).flatten(), x)
    return torch.equal(slopes.flatten(1).triu(), torch.zeros(height * width, height * width))
"""
BACKWARD = """
def is_causal(context, height, width):
    for i in range(height):
        for j in range(width):
            x = torch.rand(1, 1, height, width, requires_grad=True)
            context(x)[0, :, i, j].sum().backward()
            for k in range(height):
                for m in range(width):
                    if (k, m) >= (i, j) and x.grad is not None and x.grad[0, 0, k, m] != 0:
                        return False
    return True
"""

LISTS = """
def masked_attention(query, keys, values, known):
    q, ks, vs = query.tolist(), keys.tolist(), values.tolist()
    answer, total = [0.0] * len(vs[0]), 0.0
    for key, value, seen in zip(ks, vs, known.tolist()):
        if seen:
            weight = math.exp(sum(a * b for a, b in zip(q, key)) / math.sqrt(len(q)))
            total += weight
            answer = [a + weight * x for a, x in zip(answer, value)]
    return [a / total for a in answer] if total else answer
"""
IN_NUMPY = """
def masked_attention(query, keys, values, known):
    query, keys, values, known = (t.numpy() for t in (query, keys, values, known))
    if not known.any():
        return np.zeros(values.shape[1])
    match = np.where(known, keys.astype(np.float64) @ query / np.sqrt(query.size), -np.inf)
    weights = np.exp(match - match.max())
    return weights / weights.sum() @ values
"""
BUILT_IN = """
def masked_attention(query, keys, values, known):
    if known.sum() == 0:
        return torch.zeros(values.shape[1])
    return F.scaled_dot_product_attention(query[None, None], keys[None], values[None], attn_mask=known[None])[0, 0]
"""
ONE_BY_ONE = """
def masked_attention(query, keys, values, known):
    largest, total, answer = -math.inf, 0.0, torch.zeros(values.shape[1])
    for t in known.nonzero().flatten():
        match = (query * keys[t]).sum().item() / len(query) ** 0.5
        shrink = math.exp(largest - max(largest, match))
        largest = max(largest, match)
        weight = math.exp(match - largest)
        total, answer = shrink * total + weight, shrink * answer + weight * values[t]
    return answer / total if total > 0 else answer
"""

ON_A_COPY = """
import copy
def worth(prior, y):
    bits = []
    for place in [None, *range(len(prior.places))]:
        blind = copy.deepcopy(prior)
        if place is not None:
            blind.context.weight.data[..., place] = 0
        bits.append(-np.log2(blind(y)[1]["y"].detach().numpy().astype(np.float64)).sum())
    return np.array(bits[1:]) - bits[0]
"""
STATE = """
def worth(prior, y):
    kept = {name: value.clone() for name, value in prior.state_dict().items()}
    bits = []
    for place in range(-1, kept["context.weight"].shape[2]):
        weights = kept["context.weight"].clone()
        if place >= 0:
            weights[:, :, place] = 0
        prior.load_state_dict({**kept, "context.weight": weights})
        with torch.no_grad():
            bits.append(-torch.log(prior(y)[1]["y"]).sum() / math.log(2))
    prior.load_state_dict(kept)
    return torch.stack(bits[1:]) - bits[0]
"""
IN_TURN = """
def worth(prior, y):
    weight, answer = prior.context.weight, []
    with torch.no_grad():
        first = weight.clone()
        all_places = sum(-math.log2(p) for p in prior(y)[1]["y"].flatten().tolist())
        for place in range(weight.shape[-1]):
            alone = torch.ones(weight.shape[-1])
            alone[place] = 0
            weight.copy_(first * alone)
            answer.append(sum(-math.log2(p) for p in prior(y)[1]["y"].flatten().tolist()) - all_places)
        weight.copy_(first)
    return answer
"""
EXCHANGED = """
def worth(prior, y):
    kept = prior.context.weight
    def bits(weight):
        prior.context.weight = nn.Parameter(weight, requires_grad=False)
        return -float(prior(y)[1]["y"].double().log2().sum())
    everywhere = bits(kept.clone())
    extra = torch.zeros(len(prior.places))
    for place in range(len(extra)):
        extra[place] = bits(kept.index_fill(2, torch.tensor([place]), 0)) - everywhere
    prior.context.weight = kept
    return extra
"""

QUEUES = """
def decode_time(pass_of, latency, work, p):
    clock = 0.0
    for number in sorted(set(pass_of.flatten().tolist())):
        clock += latency
        free = [clock] * p  # when each processor is free again
        for place in range(int((pass_of == number).sum())):
            free[place % p] += work
        clock = max(free)
    return clock
"""
COUNTED = """
from collections import Counter
def decode_time(pass_of, latency, work, p):
    seconds = 0
    for n in Counter(pass_of.flatten().tolist()).values():
        seconds += latency
        while n > 0:
            seconds += work
            n -= p
    return seconds
"""

PLAIN = """
def known_on_average(pass_of):
    rows = pass_of.tolist()
    h, w, known = len(rows), len(rows[0]), 0
    for i in range(h):
        for j in range(w):
            for k in range(i - 2, i + 3):
                for m in range(j - 2, j + 3):
                    if 0 <= k < h and 0 <= m < w and rows[k][m] < rows[i][j]:
                        known += 1
    return known / h / w
"""
WINDOWS = """
def known_on_average(pass_of):
    passes = pass_of.numpy()
    padded = np.pad(passes, 2, constant_values=passes.max() + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    return (windows < passes[..., None, None]).sum((2, 3)).mean()
"""
UNFOLDED = """
def known_on_average(pass_of):
    padded = F.pad(pass_of.float()[None, None], (2, 2, 2, 2), value=float("inf"))
    around = F.unfold(padded, 5)[0]
    return (around < pass_of.flatten()).float().sum(0).mean()
"""
PAIRS = """
from itertools import combinations
def known_on_average(pass_of):
    places = [(i, j) for i in range(pass_of.shape[0]) for j in range(pass_of.shape[1])]
    known = 0
    for a, b in combinations(places, 2):  # of two neighbours of different passes, one knows the other
        near = max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 2
        known += near and pass_of[a] != pass_of[b]
    return known / len(places)
"""
SHIFTED = """
def known_on_average(pass_of):
    h, w = pass_of.shape
    padded = torch.full((h + 4, w + 4), torch.nan)  # nothing is smaller than NaN
    padded[2:-2, 2:-2] = pass_of
    return sum((padded[k : k + h, m : m + w] < pass_of).sum().item() for k in range(5) for m in range(5)) / (h * w)
"""

RIGHT = [
    ("pass_of", PASS + "j if i == 0 else pass_of(i - 1, j + radius, radius) + 1"),
    ("pass_of", PASS + "np.dot([i, j], [radius + 1, 1])"),
    ("pass_of", PASS + "torch.tensor([float(i), float(j)]) @ torch.tensor([radius + 1.0, 1.0])"),
    (
        "pass_of",
        "def pass_of(i, j, radius):\n    number = 0\n    for row in range(i):\n        number += radius + 1\n"
        "    for column in range(j):\n        number += 1\n    return number",
    ),
    ("masked_attention", LISTS),
    ("masked_attention", IN_NUMPY),
    ("masked_attention", BUILT_IN),
    ("masked_attention", ONE_BY_ONE),
    ("masked_attention", ATTEND + "return (k[known] @ q / len(q) ** 0.5).softmax(0) @ v[known]"),
    (
        "masked_attention",
        ATTEND + "weights = torch.exp(torch.einsum('td,d->t', k, q) / q.numel() ** 0.5) * known\n"
        "    return torch.einsum('t,te->e', weights, v) / weights.sum().clamp(min=1e-30)",
    ),
    (
        "masked_attention",
        ATTEND + "match = (k.double() @ q.double() / math.sqrt(q.shape[0])).masked_fill(~known, -math.inf)\n"
        "    return (match.softmax(0) @ v.double()).nan_to_num()",
    ),
    ("worth", ON_A_COPY),
    ("worth", STATE),
    ("worth", IN_TURN),
    ("worth", EXCHANGED),
    ("is_causal", CHANGED_FROM_A_PLACE_ON),
    ("is_causal", CHANGED_AT_ONE_PLACE),
    ("is_causal", JACOBIAN),
    ("is_causal", BACKWARD),
    ("is_causal", f"{BACKWARD}\nsaid = is_causal\ndef is_causal(*given): return int(said(*given))"),
    ("decode_time", QUEUES),
    ("decode_time", COUNTED),
    (
        "decode_time",
        TIME + "counts = np.unique(pass_of.numpy(), return_counts=True)[1]\n"
        "    return latency * len(counts) + work * np.ceil(counts / p).sum()",
    ),
    (
        "decode_time",
        TIME + "n = torch.bincount(pass_of.flatten()).float()\n"
        "    return (torch.ceil(n / p) * work + (n > 0) * latency).sum()",
    ),
    ("known_on_average", PLAIN),
    ("known_on_average", WINDOWS),
    ("known_on_average", UNFOLDED),
    ("known_on_average", PAIRS),
    ("known_on_average", SHIFTED),
]
