"""SOAP: Adam in the eigenbasis of Shampoo's factors (Vyas et al. 2024, arXiv:2409.11321).

Adam scales each entry of a gradient by what that entry was like before. That suits axes along which entries are
independent, and a weight matrix's rows and columns are not such axes. Shampoo keeps two averages for a matrix G (m, n),

    L = E[G Gᵀ] (m, m)        R = E[Gᵀ G] (n, n)

whose eigenvectors Q_L, Q_R are better ones. SOAP turns the gradient and its running mean into them, takes Adam's step
there, and turns that back:

    N = Q_Lᵀ mean(G) Q_R        V = E[(Q_Lᵀ G Q_R)²]        W ← W − lr · Q_L (N / (√V + ε)) Q_Rᵀ

The bases are renewed every few steps by one QR step of power iteration, L Q_L = Q R, which is cheap; V follows when
eigenvectors change places. The first gradient only starts the averages: nothing moves.

Kernels of convolutions count as matrices (out, in · k · k). A side beyond `largest` keeps its axes; vectors, and
matrices of one row or column, are left to Adam. All state is tensors, so that `state_dict` saves it and training goes
on to the bit.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class SOAP(Optimizer):
    """lr as for Adam; every: steps between renewals of the bases; largest: side of a matrix that gets a basis."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        every: int = 10,
        largest: int = 300,
    ) -> None:
        if not lr >= 0 or not all(0 <= beta < 1 for beta in betas) or every < 1:
            raise ValueError(f"SOAP needs lr ≥ 0, betas in [0, 1), every ≥ 1; not {lr}, {betas}, {every}.")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "every": every, "largest": largest})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step with the gradients as they are. closure: as with all optimizers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad.flatten(1) if p.dim() > 2 else p.grad, group)
        return loss

    def _update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[p], group["betas"]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)  # updates so far; on the CPU, as in torch's Adam
            state["mean"], state["square"] = torch.zeros_like(g), torch.zeros_like(g)
            for name, factor in factors_of(g, group["largest"]).items():
                state["factor_" + name] = factor * (1 - beta2)
                state["basis_" + name] = torch.linalg.eigh(state["factor_" + name])[1].flip(1)  # largest first
            if len(state) > 3:
                return
        state["step"] += 1
        t = int(state["step"])
        state["mean"].lerp_(g, 1 - beta1)
        state["square"].lerp_(self._turned(g, state).square(), 1 - beta2)
        mean = self._turned(state["mean"], state) / (1 - beta1**t)
        scale = (state["square"] / (1 - beta2**t)).sqrt_().add_(group["eps"])
        p.add_(self._turned(mean / scale, state, back=True).view_as(p), alpha=-group["lr"])
        for name, factor in factors_of(g, group["largest"]).items():
            state["factor_" + name].lerp_(factor, 1 - beta2)
            if t % group["every"] == 0:
                self._renew(state, name)

    @staticmethod
    def _turned(x: Tensor, state: dict[str, Any], back: bool = False) -> Tensor:
        """A matrix in the bases, or back in its own."""
        left, right = state.get("basis_left"), state.get("basis_right")
        if left is not None:
            x = (left if back else left.T) @ x
        if right is not None:
            x = x @ (right.T if back else right)
        return x

    def state_bytes(self) -> int:
        """How much room the state of all parameters takes, once there has been a step."""
        total = 0
        for group in self.param_groups:
            for p in group["params"]:
                g = p.flatten(1) if p.dim() > 2 else p
                sides = [side for side in g.shape if g.dim() == 2 and min(g.shape) > 1 and side <= group["largest"]]
                total += p.element_size() * (2 * p.numel() + 2 * sum(side**2 for side in sides))
        return total

    @staticmethod
    def _renew(state: dict[str, Any], name: str) -> None:
        """One step of power iteration, eigenvectors sorted by how large their eigenvalues seem."""
        factor, basis = state["factor_" + name], state["basis_" + name]
        order = (basis * (factor @ basis)).sum(dim=0).argsort(descending=True, stable=True)
        state["square"] = state["square"].index_select(0 if name == "left" else 1, order)
        state["basis_" + name] = torch.linalg.qr(factor @ basis[:, order])[0]


def factors_of(g: Tensor, largest: int) -> dict[str, Tensor]:
    """G Gᵀ and Gᵀ G of a gradient, by name, where they are kept: none for a vector, or for one row or column."""
    if g.dim() != 2 or min(g.shape) == 1:
        return {}
    pairs = {"left": (g, g.T), "right": (g.T, g)}
    return {name: a @ b for name, (a, b) in pairs.items() if len(a) <= largest}
