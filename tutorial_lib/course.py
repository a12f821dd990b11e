"""The order of the course, once: the notebooks, and the modules that each of them teaches.

The order is the import order, too: a module imports only modules that stand before it here, and those of
the folder `files`. The picture of the pipeline and the tests read it from here; the tests hold README's map against it.
"""

from typing import NamedTuple


class Notebook(NamedTuple):
    """One notebook. learned: what one learns in it, in a line. minutes: to read its core, as the notebook says."""

    number: str
    file: str
    title: str
    learned: str
    minutes: int


class Module(NamedTuple):
    """A module of the package, the notebook that teaches it, and what it holds, in a line."""

    name: str
    notebook: str
    holds: str


NOTEBOOKS = (
    Notebook(
        "00", "00_tour", "The tour", "what a codec does, what is in its files, and one of your own in thirty lines", 10
    ),
    Notebook("01", "01_mirror_padding", "Mirror padding", "what a picture's edge costs, and what to put beyond it", 35),
    Notebook(
        "02",
        "02_quantization",
        "Quantization",
        "where a codec rounds, how it learns in spite of it, and why that is not clipping",
        45,
    ),
    Notebook(
        "03",
        "03_entropy_and_rate",
        "Entropy and rate",
        "what a number costs, what a wrong table costs, and what an error may cost",
        45,
    ),
    Notebook(
        "04",
        "04_factorized_prior",
        "The factorized prior",
        "a network that cannot help being a distribution, and how it learns",
        45,
    ),
    Notebook(
        "05",
        "05_cdf_tables",
        "CDF tables",
        "from probabilities to integers: built once, saved, loaded, never recomputed",
        45,
    ),
    Notebook(
        "06",
        "06_arithmetic_coding",
        "Arithmetic coding",
        "three coders by hand, one of them byte for byte CompressAI's, and counts that learn while they code",
        40,
    ),
    Notebook(
        "07",
        "07_first_codec",
        "A first codec",
        "from a network that cannot work to one that writes files smaller than JPEG's",
        45,
    ),
    Notebook(
        "08",
        "08_hyperprior",
        "Hyperpriors",
        "tell the decoder first how large the values are, and save by it",
        45,
    ),
    Notebook(
        "09",
        "09_context_and_attention",
        "Context and attention",
        "what decoded neighbours still know, and what waiting for them costs",
        45,
    ),
    Notebook(
        "10",
        "10_slicing",
        "Slicing",
        "nine reasons to cut a latent, each put to the test; a picture that comes slice by slice",
        45,
    ),
    Notebook(
        "11",
        "11_portable_bitstreams",
        "Portable bitstreams",
        "one bit decides: why a picture turns to noise on another machine, and the integers that prevent it",
        45,
    ),
    Notebook(
        "12",
        "12_full_codec",
        "The full codec",
        "all blocks put together: every quality, previews, real files, measured against JPEG, WebP and JPEG 2000",
        45,
    ),
    Notebook(
        "A1",
        "A1_one_picture",
        "A codec for one picture",
        "a decoder that is trained on one picture, and travels in its file: COOL-CHIC's idea, in seconds",
        40,
    ),
)

MODULES = (
    Module("padding", "01", "reflection around a picture, to a multiple of a size, and back"),
    Module("quantization", "02", "rounding, three ways to train through it, and the error it makes"),
    Module("information", "03", "entropy, cross-entropy, rate, and the rate–distortion loss"),
    Module("entropy_bottleneck", "04", "a density learned for each channel"),
    Module("cdf", "05", "integer tables for the coder"),
    Module("arithmetic_coding", "06", "the exact coder on fractions, and the 32-bit coder: for reading"),
    Module("bitstream_error", "06", "the error that damaged bytes are"),
    Module("rans", "06", "the fast coder, byte-compatible with CompressAI's: for using"),
    Module("entropy_coder", "06", "a model's tables and rANS put together"),
    Module("dct_transforms", "07", "transforms that start as cosines"),
    Module("bitstream", "07", "the .lic container"),
    Module("rdoq", "07", "rate–distortion optimised quantization, with a gradient"),
    Module("prior", "07", "what a prior offers, and the simplest one"),
    Module("codec_registry", "07", "the names of codecs"),
    Module("transform_codec", "07", "the frame: tensors, files and checkpoints"),
    Module("first_codec", "07", "the small codec"),
    Module("recipe", "07", "the numbers of a training"),
    Module("training", "07", "the one loop, its crops and its losses"),
    Module("gaussian_conditional", "08", "a Gaussian for each value"),
    Module("gdn", "08", "generalized divisive normalization, and transforms built with it"),
    Module("hyperprior", "08", "side information: scales and means"),
    Module("context", "09", "coding passes: raster, wavefront, checkerboard, quarters, pyramid; attention"),
    Module("slicing", "10", "slices of channels that predict each other, and tiles"),
    Module("whole_networks", "11", "networks of whole numbers below 2^24: exact in float32, the same on every machine"),
    Module("quality", "12", "all that depends on the quality, and the frame of a variable-rate codec"),
    Module("wavelet", "12", "the CDF 9/7 wavelet by lifting, with floats and in whole numbers"),
    Module("laplace", "12", "Laplace densities: tables, rates, and the encoder's choice"),
    Module("table_offsets", "12", "a byte a part by which a file shifts its tables"),
    Module("subband_networks", "12", "networks that predict a wavelet's coefficients, from coarse to fine"),
    Module("subband_prior", "12", "the full codec's prior: one scan over levels, which are its slices"),
    Module("restoration", "12", "from coefficients to a picture, and networks that restore it"),
    Module("soap", "12", "an optimizer: Adam in the eigenbasis of Shampoo's factors"),
    Module("encoder_search", "12", "whole numbers that cost less, for the same decoder"),
    Module("strips", "12", "windows and strips of a picture that is too large to be coded at once"),
    Module("tiled_picture", "12", "a picture of any size as the full codec sees it, a tile at a time"),
    Module("tiled_encoding", "12", "encoding in tiles: the same strings in bounded memory"),
    Module("tiled_decoding", "12", "decoding in tiles: the same picture in bounded memory"),
    Module("codec", "12", "the full codec"),
    Module("codec_training", "12", "presets of the full codec's training"),
    Module("one_picture", "A1", "a codec for one picture: latents and decoder trained together, in one file"),
)

# Above the course: what runs it. In this order, too, nothing imports what stands after it.
UPPER = ("photo_crops", "training_run", "evaluation", "command", "cli")


def notebook_of(module: str) -> str:
    """The number of the notebook that teaches a module. Raises KeyError for one that none teaches."""
    return {each.name: each.notebook for each in MODULES}[module]


def table() -> str:
    """The modules as lines of text, under the notebooks that teach them."""
    lines = []
    for notebook in NOTEBOOKS:
        lines.append(f"{notebook.number} {notebook.title}: {notebook.learned}")
        lines += [f"     {each.name:<22}{each.holds}" for each in MODULES if each.notebook == notebook.number]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
