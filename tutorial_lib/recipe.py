"""The numbers of a training: how long, on what, and how fast. Starts without PyTorch."""

import math
from dataclasses import dataclass, field

LMBDA = 0.0067  # of a codec with one rate, unless said otherwise: half a bit per pixel, about
LOSSES = ("mse", "ms-ssim")  # what counts as an error: those of `training`
MS_SSIM_SMALLEST = 161  # pixels: MS-SSIM halves a picture four times and then wants a window of 11


@dataclass(frozen=True)
class Recipe:
    """How long to train, on what, and how fast."""

    steps: int = 2000
    batch: int = 8  # crops in a step, over all processes
    accumulate: int = 1  # parts of its batch that a process takes one after the other, for want of memory
    crop: int = 128  # pixels
    scales: tuple[float, float] = (1.0, 1.0)  # each crop shows its photo at a random size between these
    lmbda: float = LMBDA  # of a codec that has only one rate
    rates: dict[str, float] = field(default_factory=dict)  # learning rates by name, for the groups' own; 0: none
    warm_up: int = 50  # steps in which the learning rates rise
    # Steps until z's bits count in full. A z that costs before it is of use would become constant, and stay so
    # (posterior collapse).
    rate_warm_up: int = 300
    clip: float = 1.0  # the largest norm of the gradients
    rate_factor: float = 1.0  # of all learning rates
    # Over how much of the run the learning rates fall, at the end: a share of the steps, up to 1, or their number.
    # Before the fall nothing depends on how many steps there are, so a run can be made longer until then.
    decay: float = 1.0
    # The finished codec's weights are running means of the run's: each step takes so much of the mean before, once
    # there have been enough steps for that. 0: the last step's weights.
    average: float = 0.0

    def __post_init__(self) -> None:
        if self.accumulate < 1 or not 0 < self.rate_factor < math.inf:
            values = f"accumulate is {self.accumulate}, rate_factor {self.rate_factor}"
            raise ValueError(f"{values}: they must be 1 or more, and above 0.")
        if min(self.steps, self.batch, self.crop) < 1 or not 0 < self.lmbda < math.inf:
            values = f"{self.steps} steps of {self.batch} crops of {self.crop} pixels, and λ is {self.lmbda}"
            raise ValueError(f"There are {values}: all must be above 0.")
        whole = 1 < self.decay < math.inf and self.decay == int(self.decay)
        if not ((0 <= self.decay <= 1 or whole) and 0 <= self.average < 1):
            values = f"decay is {self.decay}, average {self.average}"
            raise ValueError(f"{values}: they must be from 0 to 1, and average below 1; or decay a number of steps.")

    @property
    def fall_start(self) -> int:
        """The step at which the learning rates begin to fall. What comes before does not depend on `steps`."""
        return int(fall_begins(self.steps, self.decay) + 1e-6)


def fall_begins(steps: int, decay: float) -> float:
    """The step at which the learning rates begin to fall. decay: a share of the steps, up to 1, or their number."""
    return (1 - decay) * steps if decay <= 1 else max(0.0, steps - decay)
