"""Write the model card and the plot of the full codec's checkpoint, from what `lic evaluate` has measured.

    lic evaluate KODAK --published --json kodak.json
    lic evaluate KODAK --codecs lic --effort 9 --json kodak-9.json
    lic evaluate PHOTOS --json photos.json
    python benchmarks/codec_card.py --kodak kodak.json --kodak-search kodak-9.json --second photos.json \\
        --second-are "…" --trained-on "…" --licence cc0

It writes CKPT.md and CKPT.png beside the checkpoint. Nothing is measured here but what the networks multiply; results
of another checkpoint, of other photos than the first's, or of an evaluation that was broken off are refused.
`--tables FILE` (repeatable) adds what another program has printed, such as `benchmarks/codec.py`'s table.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.complexity import encoder_and_decoder, kmac_per_pixel
from tutorial_lib.evaluation.plot import plot_bytes
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.files.checkpoints import metadata_of, shipped

RATES = (0.25, 0.5, 1.0)  # bits per pixel
LICENCES = {
    "cc0": "the weights are MIT, as the code is. All photos that they were trained on are dedicated to the public "
    "domain (CC0).",
    "mixed": "the weights are MIT, as far as they are ours to license. Not all photos that they were trained on are "
    "free for every use: look at their terms before commercial use.",
}

KODAK = "the 24 Kodak photos, none of them trained on, and no setting of this codec chosen by them"

CARD = """# Model card: {name}

The codec of notebook 12 and of the command `lic` (`tutorial_lib.codec`): a fixed wavelet of five levels, a prior that
goes from coarse to fine with contexts of whole numbers, a learned restoration; one network for qualities 1 to 100.
{parameters:,} parameters, {size:.1f} MB; the fingerprint of its decoder is `{fingerprint}`.

- **Computes**, for a pixel of a 768 × 512 photo: encoder {encoder:.1f} kMAC at effort 0, decoder {decoder:.1f} kMAC
  ({prior:.1f} the prior's whole numbers, {synthesis:.1f} the synthesis); convolutions only, counted by
  `tutorial_lib.evaluation.complexity` when this card was written.
- **Trained on** {trained_on}. {hours} The photos are not part of this repository.
- **Recipe**: {recipe}
- **Licence**: {licence}
- **Meant for** learning, and for photos. It was trained for squared error, so at low rates it blurs where a viewer
  might like texture better; drawings and text are better served by PNG or WebP (notebook 12 shows it).
- **Portable**: whatever chooses a table is computed with whole numbers, so files decode to the same coefficients
  everywhere; a pixel may differ by one grey level where the synthesis, in floats, lies between two.

{sections}
![Mean PSNR and MS-SSIM against mean bits per pixel, for each codec]({plot})
"""

SECTION = """## {title}

Whole files, headers included; 8-bit pictures. Measured by
{commands}
on {photos}. BD-rate is against Pillow's JPEG (4:2:0, optimised, progressive): how many more bits are needed for equal
PSNR of RGB. "Mean curve": of mean rate and mean PSNR at each quality, from {low:g} to {high:g} dB, as papers report it.
"Photo by photo": the mean over the photos, where JPEG spends {least:g} to {most:g} bits per pixel (in brackets how much
of that stretch the codec reaches), and over all PSNRs that both reach. Seconds are those of the machine that measured,
for a photo, written / read, the mean over all qualities.

| codec | mean curve | photo by photo | all | seconds |
|---|---|---|---|---|
{rates}

PSNR of RGB / of luma (BT.601: 0.299 R + 0.587 G + 0.114 B), in dB, and MS-SSIM of RGB, on the mean curves,
interpolated over the logarithm of the rate:

| codec | {heads} |
|---|{rule}
{measures}
"""

LIC_POINTS = """
| lic: quality | bits per pixel | PSNR of RGB | of luma | MS-SSIM |
|---|---|---|---|---|
{points}
"""


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"


def read(path: Path, fingerprint: str) -> dict:
    """A result of `lic evaluate`. Raises ValueError with one sentence where it does not belong here."""
    try:
        result = json.loads(path.read_text())
        complete, checkpoint = result["complete"], result["checkpoint"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{str(path)!r} is no result of `lic evaluate --json`.") from None
    if not complete:
        raise ValueError(f"{str(path)!r} is of an evaluation that was broken off; run it again.")
    if checkpoint != fingerprint:
        raise ValueError(f"{str(path)!r} is of the checkpoint {checkpoint}, not of {fingerprint}.")
    return result


def with_search(result: dict, other: dict) -> dict:
    """The result with one more row: lic as the other one has measured it, at another effort."""
    if other["photos"] != result["photos"] or other["effort"] == result["effort"]:
        raise ValueError("the second result is of other photos, or of the same effort.")
    codecs = {}
    for name, codec in result["codecs"].items():
        codecs[name] = codec
        if name == "lic":
            codecs[f"lic, effort {other['effort']}"] = other["codecs"]["lic"]
    return {**result, "codecs": codecs}


def at_rate(mean: list[dict], measure: str, rate: float) -> float | None:
    """A mean curve's value there; None where it does not reach."""
    points = sorted((point["bpp"], point[measure]) for point in mean if point.get(measure) is not None)
    if len(points) < 2 or not points[0][0] <= rate <= points[-1][0]:
        return None
    rates, values = zip(*points, strict=True)
    return float(np.interp(math.log(rate), np.log(rates), values))


def measures_at(mean: list[dict], rate: float) -> str:
    rgb, luma, similarity = (at_rate(mean, measure, rate) for measure in ("psnr", "luma_psnr", "ms_ssim"))
    if rgb is None:
        return "–"
    parts = [f"{rgb:.2f}", "–" if luma is None else f"{luma:.2f}", "–" if similarity is None else f"{similarity:.4f}"]
    return " / ".join(parts)


def section(title: str, photos: str, result: dict, commands: list[str]) -> str:
    rates, measures = [], []
    low, high = result["decibels"]
    for name, codec in result["codecs"].items():
        rate, mean = codec["bd_rate"], codec["mean"]
        label = f"lic (effort {result['effort']})" if name == "lic" and result["effort"] is not None else name
        seconds = [np.mean([point[kind] for point in mean]) for kind in ("encode_seconds", "decode_seconds") if mean]
        by_photo = f"{percent(rate['limited']['mean'])} ({rate['limited']['covered']:.0%})"
        rates.append(
            f"| {label} | {percent(rate['mean_curve']['percent'])} | {by_photo} | {percent(rate['all']['mean'])} | "
            f"{' / '.join(f'{each:.2f}' for each in seconds)} |"
        )
        measures.append(f"| {label} | {' | '.join(measures_at(mean, rate) for rate in RATES)} |")
    for name, codec in result.get("published", {"codecs": {}})["codecs"].items():
        curve = codec["bd_rate"]["mean_curve"]
        part = "" if curve["covered"] > 0.999 else f" ({curve['covered']:.0%} of these PSNRs)"
        rates.append(f"| {name}, published | {percent(curve['percent'])}{part} | | | |")
        measures.append(f"| {name}, published | {' | '.join(measures_at(codec['mean'], rate) for rate in RATES)} |")
    text = SECTION.format(
        title=title,
        commands="\n".join(f"`{command}`" for command in commands),
        photos=photos,
        low=low,
        high=high,
        least=result["limits"][0],
        most=result["limits"][1],
        rates="\n".join(rates),
        heads=" | ".join(f"{rate:g} bits per pixel" for rate in RATES),
        rule="---|" * len(RATES),
        measures="\n".join(measures),
    )
    if "published" in result:
        text += f"\n“Published”: {result['published']['source']}; PSNR of floats, bytes of the strings alone.\n"
    failed = [f"{name} without {len(codec['failed'])}" for name, codec in result["codecs"].items() if codec["failed"]]
    if failed:
        text += f"\nPhotos that a codec failed on are left out for it: {', '.join(failed)}.\n"
    return text


def lic_points(mean: list[dict]) -> str:
    rows = []
    for point in mean:
        similarity = "–" if point["ms_ssim"] is None else f"{point['ms_ssim']:.4f}"
        decibels = " | ".join("–" if point[m] is None else f"{point[m]:.2f} dB" for m in ("psnr", "luma_psnr"))
        rows.append(f"| {point['quality']:g} | {point['bpp']:.3f} | {decibels} | {similarity} |")
    return LIC_POINTS.format(points="\n".join(rows))


def recipe_of(trained: dict[str, str]) -> str:
    """In words, as far as the checkpoint says it."""
    steps = f"{int(trained['steps']):,} steps" if "steps" in trained else "steps not recorded"
    preset = f'the preset "{trained["preset"]}", ' if "preset" in trained else ""
    weights = ", averaged weights" if trained.get("weights") == "averaged" else ""
    seed = f", seed {trained['seed']}" if "seed" in trained else ""
    return f"`lic train`: {preset}{steps}{weights}{seed}; loss = (bits per pixel + λ · 255² · MSE) / λ^0.6."


def hours_of(seconds: float | None) -> str:
    if seconds is None:
        return "How long it took was not recorded."
    return f"It took {seconds / 3600:.1f} hours of one processor core ({seconds:,.0f} core-seconds)."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kodak", type=Path, required=True, help="the 24 Kodak photos, all codecs, --published")
    parser.add_argument("--kodak-search", type=Path, help="the same photos, lic alone, at another effort")
    parser.add_argument("--kodak-are", default=KODAK, metavar="TEXT")
    parser.add_argument("--second", type=Path, help="other photos, all codecs")
    parser.add_argument("--second-are", default="photos held out of training", metavar="TEXT")
    parser.add_argument("--checkpoint", type=Path, default=shipped(str(Codec.checkpoint)))
    parser.add_argument("--trained-on", metavar="TEXT", help="the photos; default: what the checkpoint says")
    parser.add_argument("--recipe", metavar="TEXT", help="how; default: what the checkpoint says")
    parser.add_argument("--core-seconds", type=float, metavar="N", help="what the training took, as `lic train` says")
    parser.add_argument("--licence", choices=LICENCES, required=True)
    parser.add_argument("--tables", type=Path, action="append", default=[], help="Markdown to put into the card")
    options = parser.parse_args()
    try:
        codec = Codec.load(options.checkpoint)
        kodak = read(options.kodak, codec.fingerprint())
        commands = [kodak["command"]]
        if options.kodak_search:
            other = read(options.kodak_search, codec.fingerprint())
            kodak, commands = with_search(kodak, other), [*commands, other["command"]]
        second = read(options.second, codec.fingerprint()) if options.second else None
        tables = [path.read_text().strip() for path in options.tables]
    except (ValueError, OSError) as error:
        parser.error(str(error))

    x = torch.full((1, 3, 512, 768), 0.5)
    encoder, decoder = encoder_and_decoder(codec, x)
    trained = metadata_of(options.checkpoint)
    sections = [section("Kodak", options.kodak_are, kodak, commands) + lic_points(kodak["codecs"]["lic"]["mean"])]
    if second is not None:
        photos = f"{options.second_are} ({len(second['photos'])})"
        sections.append(section("Other photos", photos, second, [second["command"]]))
    if tables:
        sections.append("## Time\n\n" + "\n\n".join(tables) + "\n")
    plot = options.checkpoint.with_suffix(".png")
    card = CARD.format(
        name=options.checkpoint.name,
        parameters=sum(p.numel() for p in codec.parameters()),
        size=options.checkpoint.stat().st_size / 1e6,
        fingerprint=codec.fingerprint(),
        encoder=kmac_per_pixel(encoder, x),
        decoder=kmac_per_pixel(decoder, x),
        prior=kmac_per_pixel(decoder, x, "prior."),
        synthesis=kmac_per_pixel(decoder, x, "synthesis."),
        trained_on=options.trained_on or trained.get("trained_on", "photos that the checkpoint does not name"),
        hours=hours_of(options.core_seconds),
        recipe=options.recipe or recipe_of(trained),
        licence=LICENCES[options.licence],
        sections="\n".join(sections),
        plot=plot.name,
    )
    atomic_write(plot, plot_bytes(kodak, plot, "published" in kodak))
    atomic_write(options.checkpoint.with_suffix(".md"), card.encode())
    print(card)


if __name__ == "__main__":
    main()
