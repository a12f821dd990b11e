"""Notebook 08: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

WASTE = """
def waste(true_scale, believed):
    k = torch.arange(-400, 401, dtype=torch.float64){folded}

    def masses(scale):
        def below(x):
            return 0.5 * {cumulative}

        return below(({edge} - k) / scale) - below((-0.5 - k) / scale)

    p, q = masses(true_scale), masses(believed).clamp(min={floor})
    return {result}
"""
RATIO = "(torch.xlogy(p, p / q).sum() / math.log(2)).item()"
DECODE = """
def decode_latent(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian):
    height, width = shape
    z_hat = z_coder.decompress([z_string], {size})
    {names} = synthesis(z_hat).chunk(2, dim=1)
    return {result}
"""
SAVING = """
def cost(symbols):
    scale = symbols.{mean}.clamp(min=0.11)
    return -gaussian.likelihood(symbols, scale).log2().sum()


def saving(y, z):
    without, told = cost(y) / len(y), sum(cost(y[z == c]) for c in z.unique()) / len(y)
    shares = z.unique(return_counts=True)[1] / len(z)
    z_cost = -(shares * shares.log2()).sum()
    return {result}
"""
Y_HAT = "y_coder.decompress([y_string], indexes=gaussian.indexes(scales), means=means)"


def waste(result=RATIO, folded=".abs()", floor="1e-300", edge="0.5", cumulative="torch.erfc(-x / math.sqrt(2))"):
    return WASTE.format(result=result, folded=folded, floor=floor, edge=edge, cumulative=cumulative)


def decode(size="(height // 4, width // 4)", names="scales, means", result=Y_HAT):
    return DECODE.format(size=size, names=names, result=result)


def saving(result="without - told - z_cost", mean="square().mean().sqrt()"):
    return SAVING.format(result=result, mean=mean)


def mixture(two, three="[0.5, 0.3, 0.2], [0.3, 2.0, 14.0]"):
    return f"def fit_mixture(symbols, parts): return ({two}) if parts == 2 else ({three})"


WRONG = [
    ("waste", waste("-(p * q.log2()).sum().item()"), "is all that the coder pays"),
    ("waste", waste("torch.xlogy(p, p / q).sum().item()"), "are nats"),
    ("waste", waste("-" + RATIO), "right, but negative"),
    ("waste", waste(RATIO.replace("p, p / q", "q, q / p.clamp(min=1e-300)")), "is for the two exchanged"),
    ("waste", waste("(p * (p / q).log2()).sum().item()"), "what is 0 · log 0 there"),
    ("waste", waste(floor="0", folded="", cumulative="(1 + torch.erf(x / math.sqrt(2)))"), "Far out, masses underflow"),
    (
        "waste",
        "def waste(t, b): return math.log2(b / t) + ((t / b) ** 2 - 1) / (2 * math.log(2))",
        "is the formula for continuous values",
    ),
    ("waste", waste().replace("(-400, 401", "(-60, 61"), "Those beyond ±60 count, too"),
    ("waste", waste(edge="1.5"), "bits are wasted, you give"),
    ("waste", waste("'much'"), "One number is asked for"),
    ("indexes", "def indexes(s, t): return torch.bucketize(s, t)", "What about scales beyond the last?"),
    (
        "indexes",
        "def indexes(s, t): return (s[..., None] - t).abs().argmin(-1)",
        "you take the nearest",
    ),
    (
        "indexes",
        "def indexes(s, t): return (torch.bucketize(s, t) - 1).clamp(min=0)",
        "the largest that is below",
    ),
    ("indexes", "def indexes(s, t): return torch.bucketize(s, t[:-1], right=True)", "Mind `right=`"),
    ("indexes", "def indexes(s, t): return torch.bucketize(s, t[:-1]) + 1", "the right number is 0, you give 1"),
    ("indexes", "def indexes(s, t): return torch.bucketize(s, t[1:])", "the largest that is below"),
    ("indexes", "def indexes(s, t): return t[torch.bucketize(s, t[:-1])]", "Indexes are whole numbers"),
    ("indexes", "def indexes(s, t): return 3", "A tensor of the shape of the scales"),
    (
        "quantize",
        "def quantize(y, means): return torch.round(y - means) + means",
        "the gradient with respect to y is 0",
    ),
    ("quantize", "def quantize(y, means): return y + (y.round() - y).detach()", "You round y itself"),
    ("quantize", "def quantize(y, means):\n    d = y - means; return d + (d.round() - d).detach()", "the symbols"),
    (
        "quantize",
        "def quantize(y, means):\n    d = y - means.detach(); return d + (d.round() - d).detach() + means",
        "means is 1",
    ),
    (
        "quantize",
        "def quantize(y, means):\n    d = y - means; return d + (d.round() - d).detach() + means.detach()",
        "means is -1",
    ),
    ("quantize", "def quantize(y, means): return (torch.round(y - means) + means).detach()", "everything is detached"),
    ("quantize", "def quantize(y, means): return y", "Nothing is rounded"),
    ("quantize", "def quantize(y, means): return torch.floor(y - means) + means", "Rounded down"),
    ("quantize", "def quantize(y, means): return 0", "A tensor like y is asked for"),
    ("decode", decode(result=Y_HAT.replace(", means=means", "")), "what is missing are the means"),
    ("decode", decode(result=Y_HAT + " + means"), "The means are added twice"),
    ("decode", decode(names="means, scales"), "which are the first half"),
    ("decode", decode(size="(3, 4)"), "which are the first half"),
    ("decode", decode(size="(shape[0] // 4, 4)"), "which are the first half"),
    ("decode", decode(size="shape"), "which are the first half"),
    ("decode", decode(result=Y_HAT.replace("y_string", "z_string")), "which are the first half"),
    ("decode", decode(result=Y_HAT.replace("means=means", "means=means[..., :1, :2]")), "does not fit"),
    (
        "decode",
        decode(result="y_coder.decompress([y_string], indexes=gaussian.indexes(scales)) + means + 1e-6"),
        "the last digits differ",
    ),
    ("decode", decode(result="scales"), "That is not the encoder's ŷ"),
    ("decode", decode(result="z_hat"), "ŷ is asked for, a tensor (1, 3, 12, 16)"),
    ("decode", decode(result="synthesis(scales)"), "synthesis takes ẑ"),
    ("saving", saving("without - told"), "subtract the entropy of the classes"),
    ("saving", saving("told + z_cost - without"), "with the other sign"),
    ("saving", saving("(without - told - z_cost) * math.log(2)"), "in nats"),
    ("saving", saving("(without - told - z_cost) * len(y)"), "the sum over all symbols"),
    ("saving", saving("told + z_cost"), "by how much less is that than without"),
    ("saving", saving("without - told - math.log2(len(z.unique()))"), "frequent classes are cheaper"),
    (
        "saving",
        saving("without - sum(cost(y[z == c]) / (z == c).sum() for c in z.unique()) / len(z.unique()) - z_cost"),
        "a class counts as often as it occurs",
    ),
    ("saving", saving("float('nan')"), "Is every scale at least 0.11"),
    ("saving", saving(mean="abs().mean()"), "is right:"),
    ("saving", saving("y"), "One number, bits a symbol, is asked for"),
    ("fit_mixture", "def fit_mixture(s, n): return [1 / n] * n, [float(s.std())] * n", "start them apart"),
    ("fit_mixture", mixture("[0.2, 0.8], [0.5, 6.0]", "[0.2, 0.3, 0.5], [0.3, 2, 14]"), "belong to the other scales"),
    ("fit_mixture", mixture("[0.8, 0.2], [0.25, 36.0]"), "these are variances"),
    ("fit_mixture", mixture("[0.5, 6.0], [0.8, 0.2]"), "have the sum 1"),
    ("fit_mixture", mixture("[2.0, 0.5], [0.8, 0.2]"), "they come first, before the scales"),
    ("fit_mixture", mixture("[0.8, 0.2], [-0.7, 1.8]"), "Are they still logarithms?"),
    ("fit_mixture", mixture("[0.8, 0.2], [0.5]"), "2 scales are asked for; you give 1"),
    ("fit_mixture", mixture("[0.8, 0.2], [0.5, float('nan')]"), "is not a finite number"),
    ("fit_mixture", mixture("[0.8, 0.2], 3"), "2 scales are asked for, not int"),
    ("fit_mixture", mixture("([0.8, 0.2],)"), "Two things are asked for"),
    ("fit_mixture", mixture("[0.5, 0.5], [1.0, 3.0]"), "Has the fit come to an end?"),
    ("fit_mixture", "def fit_mixture(symbols, parts): pass", "is a return missing?"),
]
