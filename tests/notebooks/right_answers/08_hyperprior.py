"""Notebook 08: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

INDEXES_BY_COUNTING = """
def indexes(scales, table):
    return (scales.unsqueeze(-1) > table).sum(dim=-1).clamp(max=len(table) - 1)
"""
INDEXES_IN_NUMPY = """
def indexes(scales, table):
    return np.minimum(np.searchsorted(table.numpy(), scales.numpy()), len(table) - 1)
"""
INDEXES_AS_LISTS = """
def indexes(scales, table):
    def index(scale):
        for n, each in enumerate(table.tolist()):
            if each >= scale:
                return n
        return len(table) - 1

    return [[index(scale) for scale in row] for row in scales.tolist()]
"""
INDEXES_BY_ARGMAX = """
def indexes(scales, table):
    fits = table >= scales[..., None]
    fits[..., -1] = True
    return fits.int().argmax(-1).float()
"""
INDEXES_STEP_BY_STEP = """
def indexes(scales, table):
    found = torch.zeros(scales.shape, dtype=torch.uint8)
    for below in table[:-1]:
        found += scales > below
    return found
"""

QUANTIZE_BY_STE = """
def round_ste(x):
    return x + (x.round() - x).detach()


def quantize(y, means):
    return round_ste(y - means) + means
"""
QUANTIZE_BY_A_FUNCTION = """
class RoundAround(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, means):
        return torch.round(y - means) + means

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def quantize(y, means):
    return RoundAround.apply(y, means)
"""
QUANTIZE_BY_THE_ERROR = """
def quantize(y, means):
    with torch.no_grad():
        residual = y - means
        error = residual - residual.round()
    return y - error
"""
QUANTIZE_IN_NUMPY = """
def quantize(y, means):
    y_hat = np.round(y.detach().numpy() - means.detach().numpy()) + means.detach().numpy()
    return y + torch.from_numpy(y_hat - y.detach().numpy())
"""
QUANTIZE_IN_FLOAT64 = """
def quantize(y, means):
    y, means = y.double(), means.double()
    return y + (torch.floor(y - means + 0.5) + means - y).detach()
"""

DECODE_BY_SLICES = """
def decode_latent(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian):
    z_hat = z_coder.decompress([z_string], [side // 4 for side in shape])
    parameters = synthesis(z_hat)
    M = parameters.shape[1] // 2
    index = gaussian.indexes(parameters[:, :M])
    return y_coder.decompress([y_string], indexes=index, means=parameters[:, M:])
"""
DECODE_AND_ADD = """
def decode_latent(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian):
    z_hat = z_coder.decompress([z_string], (shape[0] // 4, shape[1] // 4))
    scales, means = torch.tensor_split(synthesis(z_hat), 2, dim=1)
    symbols = y_coder.decompress([y_string], indexes=gaussian.indexes(scales))
    return symbols + means
"""
DECODE_BY_BUCKETS = """
def decode_latent(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian):
    z_hat = z_coder.decompress([z_string], tuple(np.array(shape) // 4))
    with torch.no_grad():
        parameters = synthesis(z_hat).unflatten(1, (2, -1))
    rows = torch.bucketize(parameters[:, 0].contiguous(), scale_table()[:-1])
    return y_coder.decompress([y_string], shape, rows, parameters[:, 1])
"""

WASTE_AS_A_LOOP = """
def waste(true_scale, believed):
    def mass(k, scale):
        k = abs(k)
        return 0.5 * (math.erfc((k - 0.5) / scale / 2**0.5) - math.erfc((k + 0.5) / scale / 2**0.5))

    bits = 0.0
    for k in range(-400, 401):
        p, q = mass(k, true_scale), mass(k, believed)
        if p > 0:
            bits += p * (math.log2(p) - math.log2(max(q, 1e-300)))
    return bits
"""
WASTE_IN_NUMPY = """
from scipy.special import ndtr

def waste(true_scale, believed):
    k = np.arange(301)
    times = np.where(k == 0, 1, 2)  # both signs
    p = ndtr((0.5 - k) / true_scale) - ndtr((-0.5 - k) / true_scale)
    q = ndtr((0.5 - k) / believed) - ndtr((-0.5 - k) / believed)
    k = p > 1e-30
    p, q, times = p[k], np.maximum(q[k], 1e-300), times[k]
    return -(times * p * np.log2(q)).sum() + (times * p * np.log2(p)).sum()
"""
WASTE_IN_LOGARITHMS = """
def waste(true_scale, believed):
    k = torch.arange(-400.0, 401.0).abs()

    def logs(scale):
        upper = torch.special.log_ndtr((0.5 - k) / scale)
        lower = torch.special.log_ndtr((-0.5 - k) / scale)
        return upper + torch.log1p(-torch.exp(lower - upper))

    p, q = logs(true_scale), logs(believed)
    return (p.exp() * (p - q)).sum() / math.log(2)
"""
WASTE_BY_TORCH = """
def waste(true_scale, believed):
    k = torch.arange(-500, 501).double()

    def masses(scale):
        edges = torch.stack([k.abs() - 0.5, k.abs() + 0.5])
        return -torch.special.erfc(edges / scale / 2**0.5).diff(dim=0)[0] / 2

    p, q = masses(true_scale), masses(believed)
    nats = F.kl_div(q.clamp(min=1e-300).log(), p, reduction="sum")
    return float(nats) / np.log(2)
"""

SAVING_BY_ROWS = """
def saving(y, z):
    def bits(symbols):
        scale = max(symbols.pow(2).mean().item() ** 0.5, 0.11)
        return gaussian.likelihood(symbols, torch.tensor(scale)).log2().neg().sum().item()

    told, entropy = 0, 0
    for label in set(z.tolist()):
        chosen = y[z == label]
        told += bits(chosen)
        entropy -= len(chosen) * math.log2(len(chosen) / len(y))
    return (bits(y) - told - entropy) / len(y)
"""
SAVING_SYMBOL_BY_SYMBOL = """
def saving(y, z):
    _, which, counts = torch.unique(z, return_inverse=True, return_counts=True)
    squares = torch.zeros(len(counts)).index_add(0, which, y**2)
    own = (squares / counts).sqrt().clamp(min=0.11)[which]
    for_all = torch.full_like(y, y.square().mean().sqrt().item()).clamp(min=0.11)
    gain = gaussian.likelihood(y, own).log2() - gaussian.likelihood(y, for_all).log2()
    return (gain + (counts[which] / len(z)).log2()).mean()
"""
SAVING_IN_NUMPY = """
from scipy.special import ndtr

def saving(y, z):
    y, z = y.double().numpy(), z.numpy()

    def cost(symbols):
        scale = max(0.11, np.sqrt(np.mean(symbols**2)))
        k = np.abs(symbols)
        return -np.log2(np.maximum(ndtr((0.5 - k) / scale) - ndtr((-0.5 - k) / scale), 1e-9)).sum()

    classes, counts = np.unique(z, return_counts=True)
    shares = counts / counts.sum()
    told = np.sum([share * cost(y[z == c]) / (z == c).sum() for c, share in zip(classes, shares)])
    return cost(y) / y.size - told + shares @ np.log2(shares)
"""

MIXTURE_BY_EM = """
def fit_mixture(symbols, parts):  # expectation, maximization; 21 places in each bin stand for what was rounded
    values, counts = np.unique(symbols.numpy(), return_counts=True)
    x = values[:, None] + np.linspace(-10, 10, 21) / 21  # (values, 21)
    weights, scales = np.full(parts, 1 / parts), np.geomspace(0.4, 20, parts)
    for _ in range(300):
        s = scales[:, None, None]
        joint = weights[:, None, None] * np.exp(-(x**2) / (2 * s**2)) / s
        joint *= (counts / (joint.sum((0, 2)) + 1e-300))[:, None]
        weights = joint.sum((1, 2))
        scales = np.sqrt((joint * x**2).sum((1, 2)) / weights)
        weights /= weights.sum()
    return np.stack([weights, scales])
"""
MIXTURE_BY_SIMPLEX = """
from scipy.optimize import minimize
from scipy.special import ndtr, softmax

def fit_mixture(symbols, parts):
    k, counts = np.unique(np.abs(symbols.numpy()), return_counts=True)

    def bits(parameters):
        scales = np.exp(parameters[parts:])[:, None]
        masses = softmax(parameters[:parts]) @ (ndtr((0.5 - k) / scales) - ndtr((-0.5 - k) / scales))
        return -counts @ np.log2(masses + 1e-12)

    start = np.concatenate([np.zeros(parts), np.linspace(-1, 3, parts)])
    best = minimize(bits, start, method="Nelder-Mead", options={"maxiter": 2000}).x
    return softmax(best[:parts]).tolist(), np.exp(best[parts:]).tolist()
"""
MIXTURE_BY_LBFGS = """
def fit_mixture(symbols, parts):
    values, counts = symbols.double().abs().unique(return_counts=True)
    parameters = torch.stack([torch.zeros(parts), torch.linspace(-1, 3, parts)]).double().requires_grad_()
    optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def masses():
        scales = parameters[1].exp()[:, None] * 2**0.5
        return (torch.erfc((values - 0.5) / scales) - torch.erfc((values + 0.5) / scales)) / 2

    @torch.enable_grad()
    def closure():
        optimizer.zero_grad()
        loss = -(counts * (parameters[0].softmax(0) @ masses()).clamp(min=1e-12).log()).sum() / len(symbols)
        loss.backward()
        return loss

    optimizer.step(closure)
    return [parameters[0].detach().softmax(0), parameters[1].detach().exp()]
"""

DECODE_IN_NUMPY = """
def decode_latent(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian):
    z_hat = z_coder.decompress([z_string], tuple(np.array(shape) // 4))
    parameters = synthesis(z_hat)
    half = parameters.shape[1] // 2
    scales, means = parameters[:, :half], parameters[:, half:]
    return y_coder.decompress([y_string], indexes=gaussian.indexes(scales), means=means).numpy()
"""

RIGHT = [
    ("indexes", INDEXES_BY_COUNTING),
    ("indexes", INDEXES_IN_NUMPY),
    ("indexes", INDEXES_AS_LISTS),
    ("indexes", INDEXES_BY_ARGMAX),
    ("indexes", INDEXES_STEP_BY_STEP),
    ("quantize", QUANTIZE_BY_STE),
    ("quantize", QUANTIZE_BY_A_FUNCTION),
    ("quantize", QUANTIZE_BY_THE_ERROR),
    ("quantize", QUANTIZE_IN_NUMPY),
    ("quantize", QUANTIZE_IN_FLOAT64),
    ("decode", DECODE_BY_SLICES),
    ("decode", DECODE_AND_ADD),
    ("decode", DECODE_BY_BUCKETS),
    ("decode", DECODE_IN_NUMPY),
    ("waste", WASTE_AS_A_LOOP),
    ("waste", WASTE_IN_NUMPY),
    ("waste", WASTE_IN_LOGARITHMS),
    ("waste", WASTE_BY_TORCH),
    ("saving", SAVING_BY_ROWS),
    ("saving", SAVING_SYMBOL_BY_SYMBOL),
    ("saving", SAVING_IN_NUMPY),
    ("fit_mixture", MIXTURE_BY_EM),
    ("fit_mixture", MIXTURE_BY_SIMPLEX),
    ("fit_mixture", MIXTURE_BY_LBFGS),
]
