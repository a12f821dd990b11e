"""entropy_coder: what comes back is the model's own z_hat, after whatever a checkpoint goes through."""

from __future__ import annotations

import copy
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from tutorial_lib.cdf import CdfTables, sealed
from tutorial_lib.entropy_coder import MAGIC, CoderHolder, EntropyCoder
from tutorial_lib.rans import BitstreamError, decode


class GeometricModel:
    """A stand-in for an entropy model: in channel c, p(k) ~ exp(-|k| / spreads[c]); rows are cut short."""

    def __init__(self, medians=None, spreads=(0.1, 1.0, 4.0)):
        self.spreads = spreads
        if medians is not None:
            self.medians = torch.tensor(medians)

    def pmfs(self):
        rows, offsets, tails = [], [], []
        for spread in self.spreads:
            reach = int(3 * spread) + 1
            p = np.exp(-np.abs(np.arange(-1000, 1001)) / spread)
            p /= p.sum()
            rows.append(p[1000 - reach : 1001 + reach])
            offsets.append(-reach)
            tails.append(1 - rows[-1].sum())
        return rows, np.array(offsets), np.array(tails)


MEDIANS = [0.3, -7.125, 1e3]


@pytest.fixture
def coder() -> EntropyCoder:
    return EntropyCoder.build(GeometricModel(MEDIANS))


def z_hat(latent, means):
    return torch.round(latent - means) + means


def by_channel(values, dims=4):
    return torch.tensor(values).reshape(1, -1, *[1] * (dims - 2))


@given(st.integers(0, 10**6), st.integers(0, 3), st.lists(st.integers(0, 5), max_size=3), st.floats(-2, 9))
def test_decoded_equals_the_models_own(seed, batch, shape, log_scale):
    coder = EntropyCoder.build(GeometricModel(MEDIANS))
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn((batch, 3, *shape), generator=generator) * 10**log_scale
    means = by_channel(MEDIANS, latent.dim())
    strings = coder.compress(latent)
    assert len(strings) == batch and all(isinstance(string, bytes) for string in strings)
    decoded = coder.decompress(strings, shape)
    assert decoded.dtype == torch.float32 and torch.equal(decoded, z_hat(latent, means))


def test_means_default_to_zero_without_medians():
    coder = EntropyCoder.build(GeometricModel())
    latent = torch.tensor([0.5, 1.5, -2.5]).reshape(1, 3)  # halves go to the even side, as in torch.round
    assert coder.medians is None
    assert coder.decompress(coder.compress(latent), ()).tolist() == [[0.0, 2.0, -2.0]]


def test_float32_where_every_bit_counts(coder):
    """latent - median within one step of a half: rounding must see the float32 difference and no other."""
    half = torch.arange(-40, 40).reshape(1, 1, 80) + 0.5
    latent = by_channel(MEDIANS, 3) + half  # (1, 3, 80)
    near = torch.cat([latent, latent.nextafter(torch.tensor(1e9)), latent.nextafter(torch.tensor(-1e9))], dim=2)
    decoded = coder.decompress(coder.compress(near), [240])
    assert torch.equal(decoded, z_hat(near, by_channel(MEDIANS, 3)))


def test_images_are_coded_independently(coder):
    latent = torch.randn(3, 3, 4, 5) * 3
    strings = coder.compress(latent)
    for n in range(3):
        assert coder.compress(latent[n : n + 1]) == [strings[n]]
    assert torch.equal(coder.decompress(strings[::-1], (4, 5)), coder.decompress(strings, (4, 5)).flip(0))


def test_symbols_go_in_c_order_with_the_channels_table(coder):
    latent = torch.randn(1, 3, 2, 4) * 3
    channel = np.repeat(np.arange(3), 8)
    symbols = decode(coder.compress(latent)[0], channel, coder.tables)
    assert symbols.tolist() == torch.round(latent - by_channel(MEDIANS)).int().flatten().tolist()


def test_any_layout_of_the_latent(coder):
    latent = torch.randn(2, 3, 4, 6) * 3
    strings = coder.compress(latent)
    assert coder.compress(latent.to(memory_format=torch.channels_last)) == strings
    assert coder.compress(latent.clone().requires_grad_()) == strings
    assert coder.compress(latent[:, :, ::2, ::3]) == coder.compress(latent[:, :, ::2, ::3].contiguous())


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_given_indexes_and_means(dtype):
    coder = EntropyCoder.build(GeometricModel())
    latent = torch.randn(2, 5, 3, 4) * 2 + 1  # 5 channels, 3 tables
    indexes = torch.randint(0, 3, latent.shape).to(dtype)
    means = torch.randn(latent.shape).requires_grad_()
    strings = coder.compress(latent, indexes, means)
    for shape in (None, (3, 4), torch.Size([3, 4]), [3, 4]):
        assert torch.equal(coder.decompress(strings, shape, indexes, means), z_hat(latent, means.detach()))
    broadcast = means[:1, :, :1, :1]
    strings = coder.compress(latent, indexes, broadcast)
    assert torch.equal(coder.decompress(strings, None, indexes, broadcast), z_hat(latent, broadcast.detach()))
    assert torch.equal(coder.decompress(coder.compress(latent, indexes), None, indexes), torch.round(latent))


def test_given_indexes_with_the_channels_medians(coder):
    latent, indexes = torch.randn(2, 3, 4), torch.randint(0, 3, (2, 3, 4))
    decoded = coder.decompress(coder.compress(latent, indexes), indexes=indexes)
    assert torch.equal(decoded, z_hat(latent, by_channel(MEDIANS, 3)))


def test_better_tables_make_fewer_bytes():
    coder = EntropyCoder.build(GeometricModel())
    latent = torch.zeros(1, 3, 16, 16)
    sizes = [len(coder.compress(latent, torch.full(latent.shape, t))[0]) for t in range(3)]
    assert sizes[0] < sizes[1] / 5 < sizes[2] / 5


@pytest.mark.parametrize(
    ("latent", "indexes", "means", "message"),
    [
        (torch.zeros(1, 3, dtype=torch.float64), None, None, "a latent is float32"),
        (torch.zeros(1, 3, dtype=torch.float16), None, None, "a latent is float32"),
        (torch.zeros(3), None, None, "a latent is float32"),
        (torch.zeros(1, 2, 4), None, None, "2 channels, 3 tables"),
        (torch.full((1, 3), torch.nan), None, None, "NaN or infinity"),
        (torch.tensor([[0, torch.inf, 0]]), None, None, "NaN or infinity"),
        (torch.zeros(1, 3), None, torch.full((1, 3), torch.nan), "NaN or infinity"),
        (torch.full((1, 3), 3e9), None, None, "fit in 32 bits"),
        (torch.full((1, 3), -3e38), None, None, "fit in 32 bits"),
        (torch.zeros(1, 3), torch.zeros(1, 2, dtype=torch.int), None, "the latent's shape"),
        (torch.zeros(1, 3), torch.zeros(3, 1, dtype=torch.int), None, "the latent's shape"),
        (torch.zeros(1, 3), torch.zeros(1, 3), None, "indexes must be integers"),
        (torch.zeros(1, 3), torch.full((1, 3), 3), None, "indexes must lie"),
        (torch.zeros(1, 3), None, torch.zeros(1, 2), "means"),
        (torch.zeros(1, 3), None, torch.zeros(2, 3), "means"),
        (torch.zeros(1, 3), None, torch.zeros(1, 3, dtype=torch.float64), "means must be float32"),
    ],
)
def test_compress_refuses(coder, latent, indexes, means, message):
    with pytest.raises(ValueError, match=message):
        coder.compress(latent, indexes, means)


@pytest.mark.parametrize(
    ("shape", "indexes", "means", "message"),
    [
        (None, None, None, "spatial shape"),
        ((2, 2), torch.zeros(1, 3, 2, 3, dtype=torch.int), None, "do not fit"),
        (None, torch.zeros(2, 3, 2, 2, dtype=torch.int), None, "do not fit"),
        (None, torch.tensor(0), None, "do not fit"),
        ((2, 2), None, torch.zeros(2, 3, 2, 2), "means"),
        ((-1, -4), None, None, "spatial shape"),
        ((-1, 2), None, None, "spatial shape"),
    ],
)
def test_decompress_refuses(coder, shape, indexes, means, message):
    strings = coder.compress(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match=message):
        coder.decompress(strings, shape, indexes, means)


def test_damaged_strings(coder):
    latent = torch.randn(2, 3, 8, 8)
    good, other = coder.compress(latent)
    for bad in (b"", good[:-4], good + bytes(4), bytes(len(good))):
        with pytest.raises(BitstreamError):
            coder.decompress([other, bad], (8, 8))
    with pytest.raises(BitstreamError):
        coder.decompress([good, other], (8, 9))


@pytest.mark.parametrize("medians", [[0.0, 1.0], [[0.0, 1.0, 2.0]], 1.0, [0.0, 1.0, torch.nan], [torch.inf, 0, 0]])
def test_unfit_medians(medians):
    with pytest.raises(ValueError, match="medians must be 3 finite"):
        EntropyCoder.build(GeometricModel(medians))


def test_the_coder_does_not_follow_the_models_medians():
    model = GeometricModel(MEDIANS)
    coder = EntropyCoder.build(model)
    model.medians += 1
    assert coder.medians.tolist() == pytest.approx(MEDIANS)


# --- saving and loading ------------------------------------------------------------------------------


def same(one: EntropyCoder, other: EntropyCoder) -> bool:
    medians = (one.medians is None) == (other.medians is None)
    return one.tables == other.tables and medians and (one.medians is None or torch.equal(one.medians, other.medians))


@pytest.mark.parametrize("medians", [None, MEDIANS])
def test_tensor_round_trip(medians):
    coder = EntropyCoder.build(GeometricModel(medians))
    blob = coder.to_tensor()
    assert blob.dtype == torch.uint8 and blob.dim() == 1
    assert same(EntropyCoder.from_tensor(blob), coder)
    assert torch.equal(EntropyCoder.from_tensor(blob).to_tensor(), blob)
    floats = b"" if medians is None else struct.pack("<3f", *medians)
    count = struct.pack("<I", len(floats) // 4)
    assert bytes(blob.tolist()) == sealed(b"ENC1", count + floats + coder.tables.to_bytes())


def test_every_damaged_byte_of_the_tensor_is_noticed(coder):
    blob = coder.to_tensor()
    for i in range(len(blob)):
        damaged = blob.clone()
        damaged[i] ^= 16
        with pytest.raises(ValueError):
            EntropyCoder.from_tensor(damaged)
    bad = [
        blob[:-1],
        blob[:8],
        blob[:0],
        blob.float(),
        torch.zeros(0, dtype=torch.uint8),
        coder.tables.to_bytes(),
    ]
    contradictions = [b"", b"\5\0\0\0", b"\xff\xff\xff\xff" + bytes(8), struct.pack("<I", 1) + bytes(4)]
    bad += [sealed(MAGIC, body) for body in contradictions]
    for blob in bad:
        with pytest.raises(ValueError):
            EntropyCoder.from_tensor(
                blob if isinstance(blob, torch.Tensor) else torch.tensor(list(blob), dtype=torch.uint8)
            )


class TwoLatents(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Linear(2, 2)
        self.y_holder = CoderHolder()
        self.z_holder = CoderHolder()


def built() -> TwoLatents:
    model = TwoLatents()
    model.y_holder.build(GeometricModel())
    model.z_holder.build(GeometricModel(MEDIANS))
    return model


def through_torch(state, path):
    torch.save(state, path)
    return torch.load(path, weights_only=True)


def through_safetensors(state, path):
    save_file(state, path)
    return load_file(path)


@pytest.mark.parametrize("transport", [lambda state, path: state, through_torch, through_safetensors])
def test_travels_with_the_weights(transport, tmp_path):
    model, fresh = built(), TwoLatents()
    fresh.load_state_dict(transport(model.state_dict(), tmp_path / "weights"), strict=True)
    assert same(fresh.y_holder.coder, model.y_holder.coder) and same(fresh.z_holder.coder, model.z_holder.coder)
    latent = torch.randn(1, 3, 4, 4)
    strings = model.z_holder.coder.compress(latent)
    assert torch.equal(fresh.z_holder.coder.decompress(strings, (4, 4)), z_hat(latent, by_channel(MEDIANS)))


@pytest.mark.parametrize("transport", [lambda state, path: state, through_torch, through_safetensors])
def test_empty_holders_travel_too(transport, tmp_path):
    model = built()
    model.load_state_dict(transport(TwoLatents().state_dict(), tmp_path / "weights"), strict=True)
    assert not model.y_holder.is_built and not model.z_holder.is_built


def test_loading_replaces_tables_of_another_size():
    model = TwoLatents()
    model.y_holder.build(GeometricModel(spreads=(1.0,) * 40))
    model.load_state_dict(built().state_dict(), strict=True)
    assert same(model.y_holder.coder, built().y_holder.coder)


def test_a_checkpoint_without_tables_is_not_loaded_silently():
    state = built().state_dict()
    del state["y_holder._extra_state"]
    with pytest.raises(RuntimeError, match="y_holder"):
        TwoLatents().load_state_dict(state)


def test_an_empty_holder_says_what_to_do():
    holder = CoderHolder()
    assert not holder.is_built
    with pytest.raises(RuntimeError, match=r"call build_coder\(\)"):
        _ = holder.coder
    coder = holder.build(GeometricModel(MEDIANS))
    assert holder.is_built and holder.coder is coder
    assert holder.build(GeometricModel()) is holder.coder and holder.coder is not coder


@pytest.mark.parametrize("expected", [2, 4])
def test_a_holder_takes_as_many_tables_as_its_model_has(expected, coder):
    blob = coder.to_tensor()
    CoderHolder(3).set_extra_state(blob)
    holder = CoderHolder(expected)
    with pytest.raises(ValueError, match=f"there are 3 coding tables, while the model has {expected}"):
        holder.set_extra_state(blob)
    assert not holder.is_built


def test_tables_that_the_coder_cannot_use_are_refused():
    with pytest.raises(ValueError, match="precision is 10 bits; the coder needs 16"):
        EntropyCoder(CdfTables([[0, 3, 1024]], [3], [0]))


def test_a_holder_survives_what_modules_go_through():
    model = built()
    for changed in (copy.deepcopy(model), copy.deepcopy(model).half(), copy.deepcopy(model).eval()):
        assert same(changed.z_holder.coder, model.z_holder.coder)
    assert list(CoderHolder().parameters()) == [] and list(CoderHolder().buffers()) == []


# --- with the course's own entropy model -------------------------------------------------------------


@pytest.fixture(scope="module")
def bottleneck():
    module = pytest.importorskip("tutorial_lib.entropy_bottleneck")
    torch.manual_seed(6)
    model = module.EntropyBottleneck(6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()


def test_equals_the_bottlenecks_eval_forward(bottleneck):
    coder = EntropyCoder.build(bottleneck)
    latent = torch.randn(2, 6, 9, 7) * torch.tensor([0.1, 1, 3, 10, 100, 1e6]).reshape(1, 6, 1, 1)
    expected, _ = bottleneck(latent)
    assert torch.equal(coder.decompress(coder.compress(latent), (9, 7)), expected)
    assert torch.equal(coder.medians, bottleneck.medians)


def test_bytes_are_the_bottlenecks_bits(bottleneck):
    """Symbols drawn from the model: bytes within 0.2 % + 64 of -log2(likelihood), and not below."""
    coder = EntropyCoder.build(bottleneck)
    rows, offsets, _ = bottleneck.pmfs()
    rng = np.random.default_rng(7)
    symbols = [rng.choice(len(p), 10_000, p=p / p.sum()) + o for p, o in zip(rows, offsets, strict=True)]
    latent = torch.tensor(np.array(symbols), dtype=torch.float32)[None] + by_channel(bottleneck.medians.tolist(), 3)
    _, likelihoods = bottleneck(latent)
    ideal = -likelihoods.double().log2().sum().item() / 8
    assert 0.999 * ideal <= len(coder.compress(latent)[0]) <= 1.002 * ideal + 64


def test_a_trained_bottleneck_is_built_from_its_present_state(bottleneck):
    model = copy.deepcopy(bottleneck).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        _, likelihoods = model(torch.randn(1, 6, 50) + 5)
        (-likelihoods.log2().sum()).backward()
        optimizer.step()
    holder = CoderHolder()
    coder = holder.build(model)  # no eval(), no update()
    latent = torch.randn(1, 6, 30) + 5
    assert torch.equal(coder.decompress(coder.compress(latent), [30]), model.eval()(latent)[0])
    assert not torch.equal(coder.medians, bottleneck.medians)


def test_tables_made_by_hand_need_no_model():
    coder = EntropyCoder(CdfTables([[0, 30000, 65536]], [3], [0]), torch.tensor([0.25]))
    assert coder.decompress(coder.compress(torch.tensor([[0.4]])), ()).item() == 0.25
