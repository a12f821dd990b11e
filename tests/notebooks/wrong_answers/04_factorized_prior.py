"""Notebook 04: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

NARROW = """
def quantile(cumulative, p):
    low, high = -{reach}, {reach}
    for _ in range({rounds}):
        middle = (low + high) / 2
        if cumulative(middle) {order} p:
            low = middle
        else:
            high = middle
    return {result}
"""
ROW = """
def row(cumulative, median, lower, upper):
    first, last = {ends}
    values = {values}
    return first, {masses}
"""
ENDS, VALUES = "round(lower - median), round(upper - median)", "torch.arange(first, last + 1) + median"
MASSES = "cumulative(values + 0.5) - cumulative(values - 0.5)"


def bisection(reach="1e5", rounds=60, order="<", result="high"):
    return NARROW.format(reach=reach, rounds=rounds, order=order, result=result)


def row(ends=ENDS, values=VALUES, masses=MASSES):
    return ROW.format(ends=ends, values=values, masses=masses)


BACK = "def back(x, bound, grad):\n    return "
FIT = """
from torch import nn
class Mine(nn.Module):
    def __init__(self, y):
        super().__init__()
        self.{numbers}
    def forward(self, x):
        return {cumulative}
def fit(y):
    module = Mine(y)
    {train}
    return {result}
"""
TWO = "p = nn.Parameter(torch.cat([y.quantile(torch.tensor([0.2, 0.8])), torch.zeros(3)]))"
ONE = "p = nn.Parameter(torch.stack([y.mean(), y.std() * 0.55]))"
SUM = (
    "torch.sigmoid(self.p[4]) * torch.sigmoid((x - self.p[0]) / self.p[2].exp())"
    " + torch.sigmoid(-self.p[4]) * torch.sigmoid((x - self.p[1]) / self.p[3].exp())"
)


def fit(numbers=TWO, cumulative=SUM, train="pass", result="module"):
    return FIT.format(numbers=numbers, cumulative=cumulative, train=train, result=result)


WRONG = [
    ("gates", "rising = {'A', 'B', 'C'}", "B falls: take a = −3"),
    ("gates", "rising = {'A'}", "C does rise"),
    ("gates", "rising = 'AC D'", "D falls: softplus is positive, but not bounded"),
    ("gates", "rising = ['a', 'c', 'e']", "E falls: tanh(2h) has slope 2"),
    ("gates", "rising = {'C'}", "A does rise"),
    ("gates", "rising = {'A', 'F'}", "There is no layer F"),
    ("gates", "rising = 2", "A set of letters is asked for"),
    ("tails", "def mass(l, u): return torch.sigmoid(u) - torch.sigmoid(l)", "Both sigmoids are nearly 1 there"),
    (
        "tails",
        "def mass(l, u): return (torch.sigmoid(u.double()) - torch.sigmoid(l.double())).float()",
        "Has float64 only postponed it?",
    ),
    (
        "tails",
        "def mass(l, u):\n    s = -torch.sign(l + u); return (torch.sigmoid(s * u) - torch.sigmoid(s * l)).abs()",
        "What is the sign of 0?",
    ),
    (
        "tails",
        "def mass(l, u):\n    s = 1 - 2 * (l + u > 0)\n    return torch.sigmoid(s * u) - torch.sigmoid(s * l)",
        "right, but negative",
    ),
    ("tails", "def mass(l, u): return torch.sigmoid(-l) - torch.sigmoid(-u)", "which one needs turning?"),
    ("tails", "def mass(l, u): return torch.sigmoid(u)", "In the middle, from -2.12 to -1.88: 1.3e-01 instead of"),
    ("tails", "def mass(l, u): return 0.5", "Numbers of shape (2, 2) are asked for"),
    ("tails", "def mass(l, u): return 'half'", "Numbers of shape (2, 2) are asked for"),
    ("tails", "def mass(l, u): torch.sigmoid(u) - torch.sigmoid(l)", "is a return missing?"),
    (
        "tails",
        "def mass(l, u):\n    s = torch.where(l + u > 0, -1.0, 1.0)\n"
        "    return 1.002 * s * (torch.sigmoid(s * u) - torch.sigmoid(s * l))",
        "off by 0.2%",
    ),
    ("tails", "def mass(l, u): return (u - l) * float('nan')", "there is a NaN"),
    ("quantile", bisection(order=">"), "Which half is it in where c(middle) < p?"),
    ("quantile", bisection(reach="100"), "Does your search begin wide enough?"),
    ("quantile", bisection(rounds=25), "Go on halving"),
    ("quantile", bisection(result="cumulative(high)"), "is a value of the cumulative; where does it take it?"),
    ("quantile", bisection(result="(low, high)"), "One number is asked for, not tuple"),
    ("quantile", bisection(result="None"), "is a return missing?"),
    (
        "quantile",
        "def quantile(c, p):\n    x = -1e5\n    while c(x) < p: x += 1e-6\n    return x",
        "does your loop end?",
    ),
    ("quantile", "def quantile(c, p):\n    while True: c(0)", "does your loop end?"),
    (
        "quantile",
        bisection().replace("low, high =", "p, low, high = 1 - p,"),
        "It counts what lies below",
    ),
    ("pmf", row(ends="round(lower), round(upper)"), "a symbol is counted from the median"),
    ("pmf", row(values="torch.arange(first, last) + median"), "you have 11. Is the last one in?"),
    ("pmf", row(values="torch.arange(first, last + 1)"), "The symbol k stands for the value k + median"),
    ("pmf", row(values="torch.arange(round(lower), round(lower) + last - first + 1)"), "centred on whole numbers"),
    ("pmf", row(masses="cumulative(values + 1) - cumulative(values)"), "begin at the value"),
    ("pmf", row(masses="cumulative(values) - cumulative(values - 1)"), "end at the value"),
    ("pmf", row(masses="cumulative(values + 1) - cumulative(values - 1)"), "two steps wide"),
    ("pmf", row(masses="cumulative(values)"), "this is the cumulative itself"),
    (
        "pmf",
        row(masses=MASSES + "\n    ").replace("return first, ", "m = ").rstrip() + "\n    return first, m / m.sum()\n",
        "do not divide",
    ),
    ("pmf", row(ends="round(lower - median), int(upper - median)"), "symbols from -12 to 11, you have 23. Is the last"),
    ("pmf", row(ends="0, round(upper - median)"), "the first symbol is -5, not 0"),
    ("pmf", "def row(cumulative, median, lower, upper): return 3", "A pair is asked for"),
    ("pmf", "def row(cumulative, median, lower, upper): return None", "is a return missing?"),
    ("bound_gradient", BACK + "grad * (x >= bound)", "never comes back"),
    ("bound_gradient", BACK + "grad", "pushes values below the bound still farther down"),
    ("bound_gradient", BACK + "grad * ((x >= bound) | (grad > 0))", "a negative one raises x"),
    ("bound_gradient", BACK + "grad * (grad < 0)", "Above the bound every gradient passes"),
    ("bound_gradient", BACK + "grad * ((x > bound) | (grad < 0))", "exactly on the bound"),
    ("bound_gradient", BACK + "grad * ((x < bound) | (grad < 0))", "swapped the two sides"),
    ("bound_gradient", BACK + "(x >= bound) | (grad < 0)", "Multiply the gradient by them"),
    ("bound_gradient", BACK + "x.clamp(min=bound)", "What goes backward is asked for"),
    ("bound_gradient", BACK + "-grad", "x = -1, bound 0.25, gradient -3: -3 goes back, yours is 3"),
    (
        "bound_gradient",
        "def back(x, bound, grad):\n    grad[(x < bound) & (grad > 0)] = 0\n    return grad",
        "has changed `grad`, which its caller still needs",
    ),
    ("bound_gradient", BACK + "grad * ((x >= bound) | (grad < 1))", "gradient 0.5: 0 goes back, yours is 0.5"),
    ("bound_gradient", BACK + "0.0", "Numbers of shape (10,) are asked for"),
    ("bound_gradient", BACK + "None", "is a return missing?"),
    ("fewer", fit(), "Train longer"),
    ("fewer", fit("p = nn.Parameter(torch.zeros(5))"), "Has it been trained on this y?"),
    ("fewer", fit(ONE, "torch.sigmoid((x - self.p[0]) / self.p[1])"), "So much costs a single bump"),
    ("fewer", fit("p = torch.zeros(5)"), "has no parameters"),
    ("fewer", fit("p = nn.Parameter(torch.zeros(30))"), "holds 30 numbers; 20 are the most"),
    ("fewer", fit("p = nn.Parameter(torch.tensor([-1.0]))", "torch.sigmoid(x * self.p)"), "falls near x ="),
    ("fewer", fit(cumulative="x"), "runs from 0 to 1; yours from -400.00 to 400.00"),
    ("fewer", fit(cumulative="torch.log(x)"), "holds NaN"),
    ("fewer", fit(cumulative="x[:1]"), "shape (N,), too"),
    ("fewer", fit(result="module.p"), "returns the module itself"),
    ("fewer", fit(result="None"), "is a return missing?"),
]
