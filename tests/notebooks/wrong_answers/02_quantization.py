"""Notebook 02: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

SIGN = "def sign_ste(y):\n    s = torch.where(y >= 0, 1.0, -1.0)\n    return "
STEP = "def best_step_for(x, bits): return "
DITHER = "def dithered(y, u): return "
MEAN = "def around_mean(y, mean): return "

WRONG = [
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
    ("best_step", STEP + "-1.0", "A step is a positive number"),
    ("best_step", STEP + "x", "One number is asked for"),
    ("dithered", DITHER + "(y + u).round()", "take it off"),
    ("dithered", DITHER + "(y - u).round().int()", "take it off"),
    ("dithered", DITHER + "y.round()", "the noise is not used at all"),
    ("dithered", DITHER + "y.round() + u", "Put the noise in before rounding"),
    ("dithered", DITHER + "(y + u).round() + u", "If it is added at the end, subtract it before rounding"),
    ("dithered", DITHER + "(y - u).round() - u", "If it is subtracted at the end, add it before rounding"),
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
