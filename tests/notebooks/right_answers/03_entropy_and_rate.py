"""Notebook 03: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    (
        "entropy_from_counts",
        """
def entropy_from_counts(counts):
    p = np.array(counts, dtype=float) / np.sum(counts)
    p = p[p > 0]
    return -(p * np.log2(p)).sum()
""",
    ),
    (
        "entropy_from_counts",
        """
def entropy_from_counts(counts):
    p = torch.tensor(counts) / sum(counts)  # float32
    return torch.special.entr(p).sum() / math.log(2)
""",
    ),
    (
        "entropy_from_counts",
        """
def entropy_from_counts(counts):
    n = sum(counts)
    total = 0
    for c in counts:
        if c == 0:
            continue
        total -= c * math.log(c / n)
    return total / n / math.log(2)
""",
    ),
    (
        "entropy_from_counts",
        """
def entropy_from_counts(counts):
    n = sum(counts)
    return math.log2(n) - sum(c * math.log2(max(c, 1)) for c in counts) / n
""",
    ),
    (
        "entropy_from_counts",
        """
def entropy_from_counts(counts):
    p = np.array(counts) / sum(counts)
    return np.nansum(-p * np.log2(p))
""",
    ),
    (
        "losses",
        """
def losses(p, lengths):
    p, q = np.array(p), 2.0 ** -np.array(lengths)
    kraft = q.sum()
    some = p > 0
    belief = (p[some] * np.log2(p[some] / (q[some] / kraft))).sum()
    return belief, -np.log2(kraft)
""",
    ),
    (
        "losses",
        """
def losses(p, lengths):
    p, lengths = torch.tensor(p), torch.tensor(lengths)
    log_q = torch.log_softmax(-lengths * math.log(2), dim=0)
    belief = (torch.xlogy(p, p) - p * log_q).sum() / math.log(2)
    return torch.stack([belief, -torch.logsumexp(-lengths * math.log(2), 0) / math.log(2)])
""",
    ),
    (
        "losses",
        """
def losses(p, lengths):
    average = entropy = kraft = 0.0
    for a, length in zip(p, lengths):
        average += a * length
        kraft += 0.5**length
        if a:
            entropy -= a * math.log2(a)
    unused = -math.log2(kraft)
    return [average - entropy - unused, unused]
""",
    ),
    (
        "conditional",
        """
def conditional(joint):
    def H(counts):
        p = counts[counts > 0] / counts.sum()
        return -(p * np.log2(p)).sum()

    joint = np.array(joint)
    return H(joint) - H(joint.sum(axis=1))
""",
    ),
    (
        "conditional",
        """
def conditional(joint):
    joint = torch.tensor(joint, dtype=torch.float32)
    p = joint / joint.sum()
    rows = p.sum(dim=1, keepdim=True)
    return (torch.xlogy(p, rows) - torch.xlogy(p, p)).sum() / math.log(2)
""",
    ),
    (
        "conditional",
        """
def conditional(joint):
    bits = n = 0
    for row in joint:
        for count in row:
            if count > 0:
                bits += count * math.log2(sum(row) / count)
                n += count
    return bits / n
""",
    ),
    (
        "conditional",
        """
def conditional(joint):
    total = sum(sum(row) for row in joint)
    answer = 0.0
    for row in joint:
        n = sum(row)
        if n == 0:
            continue
        p = [c / n for c in row if c]
        answer += n / total * sum(-x * math.log2(x) for x in p)
    return answer
""",
    ),
    (
        "fit_scale",
        """
def fit_scale(symbols):
    k = np.abs(symbols)

    def bits(b):
        far = 0.5 * (1 - np.exp(-1 / b)) * np.exp(-(k - 0.5) / b)
        return -np.log2(np.where(k == 0, 1 - np.exp(-0.5 / b), far)).mean()

    return min(np.geomspace(0.1, 100, 700), key=bits)
""",
    ),
    (
        "fit_scale",
        """
def fit_scale(symbols):
    # with r = exp(-1 / (2 b)), the slope of the mean surprise is 0 where a quadratic equation in r is
    sizes = [abs(int(k)) for k in symbols]
    zeros = sizes.count(0)
    others = len(sizes) - zeros
    excess = sum(sizes) - 0.5 * others
    a, b, c = zeros + 2 * others + 2 * excess, zeros, -2 * excess
    r = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return -0.5 / math.log(r)
""",
    ),
    (
        "fit_scale",
        """
def fit_scale(symbols):
    k = torch.from_numpy(symbols).abs().float()
    log_b = torch.nn.Parameter(torch.tensor(0.5))
    optimizer = torch.optim.SGD([log_b], lr=0.2)
    for _ in range(200):
        b = torch.exp(log_b)
        far = math.log(0.5) + torch.log1p(-torch.exp(-1 / b)) - (k - 0.5) / b
        loss = -torch.where(k == 0, torch.log1p(-torch.exp(-0.5 / b)), far).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return log_b.exp()
""",
    ),
    (
        "fit_scale",
        """
def fit_scale(symbols):
    k = np.abs(symbols)

    def cost(log_b):
        b = math.exp(log_b)
        far = math.log(0.5 * (1 - math.exp(-1 / b))) - (k - 0.5) / b
        return -np.where(k == 0, math.log(1 - math.exp(-0.5 / b)), far).mean()

    low, high = math.log(0.1), math.log(100)
    while high - low > 1e-4:
        one, two = low + (high - low) / 3, high - (high - low) / 3
        if cost(one) < cost(two):
            high = two
        else:
            low = one
    return np.float32(math.exp(low))
""",
    ),
    (
        "fit_scale",
        """
def fit_scale(symbols):
    sizes = np.abs(symbols).astype(np.float32)
    zeros = (sizes == 0).mean()
    excess = (sizes - 0.5)[sizes > 0].sum() / len(sizes)
    t = 0.0  # log b
    for _ in range(500):  # down the gradient, worked out by hand
        u = math.exp(-t)  # 1 / b
        slope = excess - zeros * 0.5 / math.expm1(0.5 * u) - (1 - zeros) / math.expm1(u)  # for u
        t -= 0.2 * slope * -u
    return math.exp(t)
""",
    ),
    (
        "block_length",
        """
def block_length(p, n):
    groups = [1.0]
    for _ in range(n):
        groups = [a * b for a in groups for b in p]
    bits = 0.0
    while len(groups) > 1:
        groups.sort(reverse=True)
        joined = groups.pop() + groups.pop()
        bits += joined
        groups.append(joined)
    return bits / n
""",
    ),
    (
        "block_length",
        """
def block_length(p, n):
    blocks = np.ones(1)
    for _ in range(n):
        blocks = np.outer(blocks, p).ravel()
    lengths = np.zeros(len(blocks), dtype=int)
    groups = [(mass, [i]) for i, mass in enumerate(blocks)]
    while len(groups) > 1:
        groups = sorted(groups, key=lambda group: group[0])
        (a, left), (b, right) = groups[:2]
        lengths[left + right] += 1
        groups = groups[2:] + [(a + b, left + right)]
    return lengths @ blocks / n
""",
    ),
    (
        "block_length",
        """
def block_length(p, n):
    blocks = torch.ones(1)  # float32
    for _ in range(n):
        blocks = torch.kron(blocks, torch.tensor(p))
    masses, total = blocks, 0
    while len(masses) > 1:
        masses = masses.sort().values
        pair = masses[:2].sum(dim=0, keepdim=True)
        total = total + pair
        masses = torch.cat([masses[2:], pair])
    return total / n
""",
    ),
    (
        "block_length",
        """
def block_length(p, n):
    # two queues: the blocks in order, and the pairs, which come in order by themselves
    leaves = sorted((math.prod(block) for block in itertools.product(p, repeat=n)), reverse=True)
    pairs, start = [], 0

    def smallest():
        nonlocal start
        if start == len(pairs) or (leaves and leaves[-1] <= pairs[start]):
            return leaves.pop()
        start += 1
        return pairs[start - 1]

    for _ in range(len(leaves) - 1):
        pairs.append(smallest() + smallest())
    return sum(pairs) / n
""",
    ),
    (
        "price_range",
        """
def price_range(R, D, k):
    low = [(R[k] - R[j]) / (D[j] - D[k]) for j in range(len(R)) if D[j] > D[k]]
    high = [(R[j] - R[k]) / (D[k] - D[j]) for j in range(len(R)) if D[j] < D[k]]
    return max(low + [0]), min(high + [math.inf])
""",
    ),
    (
        "price_range",
        """
def price_range(R, D, k):
    R, D = np.array(R), np.array(D)
    price = (R - R[k]) / (D[k] - D)  # NaN for k itself
    low = price[D > D[k]].max(initial=0.0)
    high = price[D < D[k]].min(initial=np.inf)
    return np.array([low, high])
""",
    ),
    (
        "price_range",
        """
def price_range(R, D, k):
    R, D = torch.tensor(R), torch.tensor(D)  # float32
    price = (R[k] - R) / (D - D[k])
    low = torch.where(D > D[k], price, 0.0).max()
    high = torch.where(D < D[k], price, math.inf).min()
    return low, high
""",
    ),
    (
        "price_range",
        """
def price_range(R, D, k):
    # walk along the hull, from λ = 0: the lowest rate first, and then whoever overtakes next
    at, price = min(range(len(R)), key=lambda j: R[j]), 0.0
    while True:
        bids = [((R[j] - R[at]) / (D[at] - D[j]), D[j], j) for j in range(len(R)) if D[j] < D[at]]
        following = min(bids) if bids else (math.inf, None, None)
        if at == k:
            return price, following[0]
        if not bids:
            return math.inf, 0.0  # nobody chooses k
        price, _, at = following
""",
    ),
]
