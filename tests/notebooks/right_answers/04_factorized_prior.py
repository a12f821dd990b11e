"""Notebook 04: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    ("gates", "rising = ['C', 'A']"),
    ("gates", "rising = 'a, c'"),
    (
        "gates",
        """
layers = {
    "A": lambda a, h: h + torch.sigmoid(a) * torch.tanh(h),
    "B": lambda a, h: h + a * torch.tanh(h),
    "C": lambda a, h: h + torch.tanh(a) * torch.sin(h),
    "D": lambda a, h: h - F.softplus(a) * torch.tanh(h),
    "E": lambda a, h: h + torch.tanh(a) * torch.tanh(2 * h),
}
rising = set()
for letter, layer in layers.items():
    a = torch.linspace(-4, 4, 81)[:, None]
    h = torch.linspace(-6, 6, 241).repeat(81, 1).requires_grad_()
    (slope,) = torch.autograd.grad(layer(a, h).sum(), h)
    if slope.min() > 0:
        rising.add(letter)
""",
    ),
    (
        "gates",
        """
h = np.linspace(-10, 10, 2001)
layers = dict(
    A=lambda a: h + np.tanh(h) / (1 + np.exp(-a)),
    B=lambda a: h + a * np.tanh(h),
    C=lambda a: h + np.tanh(a) * np.sin(h),
    D=lambda a: h - np.log(1 + np.exp(a)) * np.tanh(h),
    E=lambda a: h + np.tanh(a) * np.tanh(2 * h),
)
rising = tuple(name for name in layers if all((np.diff(layers[name](a)) > 0).all() for a in (-3, -1, 0, 1, 3)))
""",
    ),
    (
        "tails",
        """
def mass(lower, upper):
    return torch.sigmoid(upper) * torch.sigmoid(-lower) * -torch.expm1(lower - upper)
""",
    ),
    (
        "tails",
        """
def mass(lower, upper):
    sign = torch.where(lower + upper > 0, -1.0, 1.0)
    return (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
""",
    ),
    (
        "tails",
        """
def mass(lower, upper):
    l, u = lower.numpy(), upper.numpy()  # float32
    above = l + u > 0
    low, high = np.where(above, -u, l), np.where(above, -l, u)
    return 1 / (1 + np.exp(-high)) - 1 / (1 + np.exp(-low))
""",
    ),
    (
        "tails",
        """
def mass(lower, upper):
    masses = []
    for l, u in zip(lower.flatten().tolist(), upper.flatten().tolist()):
        if l + u > 0:
            l, u = -u, -l
        masses.append(1 / (1 + math.exp(-u)) - 1 / (1 + math.exp(-l)))
    return torch.tensor(masses).reshape(lower.shape)
""",
    ),
    (
        "tails",
        """
def mass(lower, upper):
    def one(l, u):
        if isinstance(l, list):
            return [one(a, b) for a, b in zip(l, u)]
        return math.sinh((u - l) / 2) / (math.cosh((u + l) / 2) + math.cosh((u - l) / 2))

    return one(lower.tolist(), upper.tolist())
""",
    ),
    (
        "bound_gradient",
        """
def back(x, bound, grad):
    return grad * ((x >= bound) | (grad < 0))
""",
    ),
    (
        "bound_gradient",
        """
def back(x, bound, grad):
    x, grad = x.numpy(), grad.numpy()
    return np.where(x < bound, np.minimum(grad, 0), grad)
""",
    ),
    (
        "bound_gradient",
        """
def back(x, bound, grad):
    result = []
    for value, slope in zip(x, grad):
        if value < bound and slope > 0:
            slope = 0.0
        result.append(slope)
    return result
""",
    ),
    (
        "bound_gradient",
        """
def back(x, bound, grad):
    grad = grad.clone()
    grad[(x < bound) & (grad > 0)] = 0
    return grad
""",
    ),
    (
        "bound_gradient",
        """
def back(x, bound, grad):
    x = x.double().requires_grad_()
    lower_bound(x, bound).backward(grad.double())
    return x.grad
""",
    ),
    (
        "quantile",
        """
def quantile(cumulative, p):
    x, step = -1e5, 1e5
    while step > 1e-8:
        if cumulative(x + step) < p:
            x += step
        else:
            step /= 2
    return x
""",
    ),
    (
        "quantile",
        """
def quantile(cumulative, p):
    low, high = np.float32(-1e5), np.float32(1e5)
    for _ in range(60):
        middle = (low + high) / np.float32(2)
        low, high = (middle, high) if cumulative(middle) < p else (low, middle)
    return high
""",
    ),
    (
        "quantile",
        """
def quantile(cumulative, p):
    ends = torch.tensor([-1e5, 1e5])  # float32
    for _ in range(60):
        middle = ends.mean()
        ends[0 if cumulative(middle) < p else 1] = middle
    return ends.mean()
""",
    ),
    (
        "quantile",
        """
def quantile(cumulative, p):
    low, high = -1e5, 1e5
    while high - low > 1e-8:
        grid = np.linspace(low, high, 101)
        values = [cumulative(x) for x in grid]
        at = min(max(int(np.searchsorted(values, p)), 1), 100)
        low, high = grid[at - 1], grid[at]
    return (low + high) / 2
""",
    ),
    (
        "quantile",
        """
from bisect import bisect_left
def quantile(cumulative, p):
    places = range(-10**13, 10**13)  # in steps of 1e-8
    return places[bisect_left(places, p, key=lambda k: cumulative(k / 1e8))] / 1e8
""",
    ),
    (
        "quantile",
        """
def quantile(cumulative, p, low=-1e5, high=1e5):
    middle = low + (high - low) / 2
    if high - low < 1e-7:
        return middle
    return quantile(cumulative, p, middle, high) if cumulative(middle) < p else quantile(cumulative, p, low, middle)
""",
    ),
    (
        "pmf",
        """
def row(cumulative, median, lower, upper):
    first, last = round(lower - median), round(upper - median)
    pmf = []
    for k in range(first, last + 1):
        y = k + median
        pmf.append((cumulative(y + 0.5) - cumulative(y - 0.5)).item())
    return first, pmf
""",
    ),
    (
        "pmf",
        """
def row(cumulative, median, lower, upper):
    first, last = np.rint(lower - median), np.rint(upper - median)
    edges = np.arange(first - 0.5, last + 1) + median
    return int(first), np.diff(cumulative(torch.from_numpy(edges)).numpy())
""",
    ),
    (
        "pmf",
        """
def row(cumulative, median, lower, upper):
    first, last = torch.tensor([lower - median, upper - median]).round().int()
    edges = torch.linspace(first - 0.5, last + 0.5, last - first + 2) + median
    return first, cumulative(edges).diff()
""",
    ),
    (
        "pmf",
        """
def row(cumulative, median, lower, upper):
    offset = math.floor(lower - median + 0.5)
    n = math.floor(upper - median + 0.5) - offset + 1
    below = [cumulative(median + offset + k - 0.5) for k in range(n + 1)]
    return [offset, [b - a for a, b in zip(below, below[1:])]]
""",
    ),
    (
        "pmf",
        """
def row(cumulative, median, lower, upper):
    first, last = round(lower - median), round(upper - median)
    values = torch.arange(first, last + 1, dtype=torch.float64) + median
    return first, (cumulative(values + 0.5) - cumulative(values - 0.5))[None]
""",
    ),
    (
        "fewer",
        """
class TwoNormals(nn.Module):
    def __init__(self, numbers):
        super().__init__()
        self.numbers = nn.Parameter(torch.as_tensor(numbers, dtype=torch.float32))  # 3 rows, 2 bumps

    def forward(self, x):
        centres, spreads, shares = self.numbers
        return (shares * torch.special.ndtr((x[:, None] - centres) / spreads)).sum(1)


def fit(y):  # expectation and maximization, in NumPy
    y = y.double().numpy()[:, None]
    centres, spreads, shares = np.quantile(y, [0.2, 0.8]), np.full(2, y.std()), np.full(2, 0.5)
    for _ in range(100):
        weight = shares / spreads * np.exp(-(((y - centres) / spreads) ** 2) / 2)
        weight /= weight.sum(1, keepdims=True)
        total = weight.sum(0)
        centres = (weight * y).sum(0) / total
        spreads = np.sqrt((weight * (y - centres) ** 2).sum(0) / total)
        shares = total / total.sum()
    return TwoNormals(np.stack([centres, spreads, shares]))
""",
    ),
    (
        "fewer",
        """
class Mixture(nn.Module):
    def __init__(self, y):
        super().__init__()
        self.m = nn.Parameter(torch.tensor([y.quantile(q) for q in (0.1, 0.5, 0.9)]))
        self.s = nn.Parameter(torch.ones(3))
        self.w = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        c = 0
        for m, s, w in zip(self.m, self.s, torch.softmax(self.w, 0)):
            c = c + w * (0.5 + 0.5 * torch.tanh((x - m) / F.softplus(s)))
        return c


def fit(y):  # on the rounded symbols themselves, without noise
    module = Mixture(y)
    symbols, counts = y.round().unique(return_counts=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(400):
        mass = module(symbols + 0.5) - module(symbols - 0.5)
        loss = -(counts * torch.log(mass + 1e-9)).sum() / counts.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module
""",
    ),
    (
        "fewer",
        """
class Small(nn.Module):  # ours, made smaller: 1 -> 2 -> 2 -> 1, which makes 17 numbers
    def __init__(self, widths=(1, 2, 2, 1)):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.H = nn.ParameterList([torch.full((m, n), -1.0) for n, m in pairs])
        self.b = nn.ParameterList([torch.rand(m, 1) - 0.5 for n, m in pairs])
        self.a = nn.ParameterList([torch.zeros(m, 1) for n, m in pairs[:-1]])

    def forward(self, x):
        h = x[None]
        for layer in range(3):
            h = F.softplus(self.H[layer]) @ h + self.b[layer]
            if layer < 2:
                h = h + torch.tanh(self.a[layer]) * torch.tanh(h)
        return torch.sigmoid(h)[0]


def fit(y):
    torch.manual_seed(0)
    module = Small()
    symbols, counts = torch.unique(torch.round(y), return_counts=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(1000):
        mass = module(symbols + 0.5) - module(symbols - 0.5)
        loss = -(counts / counts.sum() * torch.log2(lower_bound(mass, 1e-9))).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module
""",
    ),
]
