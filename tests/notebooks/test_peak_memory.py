"""The count of live tensors, against what can be counted by hand."""

import torch

from tutorial_lib.workbench.peak_memory import peak_megabytes


def one_after_another() -> None:
    a = torch.zeros(1_000_000)  # 4 MB
    b = a + 1  # 4 MB more
    del a  # 4 MB less
    c = b[:10].clone()  # next to nothing
    del b
    _ = c + torch.zeros(500_000)[0]  # 2 MB


def both_kept() -> list[torch.Tensor]:
    return [torch.ones(1_000_000), torch.ones(1_000_000), torch.ones(1_000_000)]


def test_what_is_alive_at_the_same_time_counts() -> None:
    assert peak_megabytes(one_after_another) == 8.0
    assert peak_megabytes(both_kept) == 12.0


def test_a_view_costs_nothing_and_keeps_all_of_its_tensor() -> None:
    def views() -> None:
        part = torch.zeros(1_000_000)[:1]
        _ = part.reshape(1, 1), torch.zeros(250_000)

    assert peak_megabytes(views) == 5.0


def test_each_run_counts_from_zero() -> None:
    assert peak_megabytes(torch.zeros, 1000) == peak_megabytes(torch.zeros, 1000) == 0.004
