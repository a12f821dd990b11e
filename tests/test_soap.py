"""SOAP against a textbook step in NumPy; resumed to the bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tutorial_lib.soap import SOAP


def gradients(*shape: int, steps: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(shape[0], shape[0], generator=generator, dtype=torch.float64)
    rest = torch.randn(steps, *shape, generator=generator, dtype=torch.float64)
    return list(torch.einsum("ij,sj...->si...", mixing, rest) + 0.3)


def textbook(w: np.ndarray, gs: list[np.ndarray], lr: float, beta: float, every: int) -> np.ndarray:
    """Algorithm 3 of the paper, with float64 matrices."""
    L = R = QL = QR = None
    M = V = np.zeros_like(w)
    for t, G in enumerate(gs):  # t = 0 only starts
        if t == 0:
            L, R = (1 - beta) * G @ G.T, (1 - beta) * G.T @ G
            QL, QR = (np.linalg.eigh(X)[1][:, ::-1] for X in (L, R))
            continue
        M = beta * M + (1 - beta) * G
        V = beta * V + (1 - beta) * (QL.T @ G @ QR) ** 2
        N = (QL.T @ M @ QR / (1 - beta**t)) / (np.sqrt(V / (1 - beta**t)) + 1e-8)
        w = w - lr * QL @ N @ QR.T
        L, R = beta * L + (1 - beta) * G @ G.T, beta * R + (1 - beta) * G.T @ G
        if t % every == 0:
            order = np.argsort(-np.diag(QL.T @ L @ QL), kind="stable")
            QL, V = np.linalg.qr(L @ QL[:, order])[0], V[order]
            order = np.argsort(-np.diag(QR.T @ R @ QR), kind="stable")
            QR, V = np.linalg.qr(R @ QR[:, order])[0], V[:, order]
    return w


def stepped(p: nn.Parameter, gs: list[Tensor], **options) -> nn.Parameter:
    optimizer = SOAP([p], **options)
    for g in gs:
        p.grad = g.clone()
        optimizer.step()
    return p


@pytest.mark.parametrize("every", [1, 3])
def test_it_is_the_papers_algorithm(every: int) -> None:
    gs = gradients(5, 5, steps=12)  # square: one gradient determines all eigenvectors
    start = torch.randn(5, 5, dtype=torch.float64)
    p = stepped(nn.Parameter(start.clone()), gs, lr=0.1, every=every)
    true = textbook(start.numpy(), [g.numpy() for g in gs], 0.1, 0.95, every)
    np.testing.assert_allclose(p.detach().numpy(), true, rtol=1e-9, atol=1e-9)


def test_a_kernel_counts_as_a_matrix() -> None:
    gs = gradients(4, 3, 3, 3, steps=5)
    kernel = stepped(nn.Parameter(torch.zeros(4, 3, 3, 3, dtype=torch.float64)), gs)
    matrix = stepped(nn.Parameter(torch.zeros(4, 27, dtype=torch.float64)), [g.flatten(1) for g in gs])
    assert torch.equal(kernel.flatten(1), matrix)


@pytest.mark.parametrize("shape", [(7,), (1, 5), (5, 1), (1, 1, 1, 1), ()])
def test_what_is_no_matrix_is_left_to_adam(shape: tuple[int, ...]) -> None:
    gs = [torch.randn(shape, dtype=torch.float64) for _ in range(8)]
    ours = stepped(nn.Parameter(torch.ones(shape, dtype=torch.float64)), gs, lr=0.01)
    theirs = nn.Parameter(torch.ones(shape, dtype=torch.float64))
    adam = torch.optim.Adam([theirs], lr=0.01, betas=(0.95, 0.95))
    for g in gs:
        theirs.grad = g
        adam.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_sides_beyond_the_largest_keep_their_axes() -> None:
    p = nn.Parameter(torch.zeros(4, 9))
    optimizer = SOAP([p], largest=6)
    p.grad = torch.randn(4, 9)
    optimizer.step()
    assert {"basis_left", "factor_left"} <= set(optimizer.state[p]) and "basis_right" not in optimizer.state[p]


def test_a_rotated_problem_is_solved_alike() -> None:
    """The point of it: Adam depends on the axes, SOAP does not (but for its first eigenvectors' signs)."""
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    gs = gradients(5, 5, steps=15)
    plain = stepped(nn.Parameter(torch.zeros(5, 5, dtype=torch.float64)), gs)
    turned = stepped(nn.Parameter(torch.zeros(5, 5, dtype=torch.float64)), [turn @ g for g in gs])
    torch.testing.assert_close(turn @ plain, turned, rtol=1e-6, atol=1e-8)


def test_resuming_changes_no_bit(tmp_path) -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(), nn.Conv2d(8, 4, 1))

    def train(model: nn.Module, optimizer: SOAP, steps: range) -> None:
        for n in steps:
            x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(n))
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

    whole, first = network(), network()
    train(whole, SOAP(whole.parameters(), every=4), range(20))
    optimizer = SOAP(first.parameters(), every=4)
    train(first, optimizer, range(9))
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    second = network()
    second.load_state_dict(saved["model"])
    resumed = SOAP(second.parameters(), lr=1.0)  # which the state overwrites
    resumed.load_state_dict(saved["optimizer"])
    train(second, resumed, range(9, 20))
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert all(
        torch.is_tensor(value)
        for state in copy.deepcopy(resumed.state_dict())["state"].values()
        for value in state.values()
    )


def test_bad_settings_are_refused() -> None:
    for options in ({"lr": -1.0}, {"betas": (1.0, 0.9)}, {"every": 0}):
        with pytest.raises(ValueError, match="SOAP needs"):
            SOAP([nn.Parameter(torch.zeros(1))], **options)
