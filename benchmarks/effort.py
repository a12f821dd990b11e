"""What the encoder's search is worth: for each effort, bits saved at equal PSNR, and seconds, as a table in Markdown.

    python benchmarks/effort.py FOLDER [--checkpoint CKPT] [--photos 6] [--size 768x512] [--qualities 30,50,75] [--cpu]

Of the folder's photos, evenly chosen ones, cut to the size from their middle. Bits are those of the streams, PSNR that
of the 8-bit picture; BD-rate is against effort 0, photo by photo, then the mean. "costs" is what the search itself goes
by: how much less bits + 10/7 · λ · 255² · squared error (`encoder_search.ERRORS`) are, as a share of effort 0's bits.
Seconds are for one picture, as long as `encode` takes: the search's rounds, a last look, and coding; the median over
photos and qualities.

The rounds of a low effort are the first of a higher one, so one search gives the numbers of all.

--cpu: seconds of the process on its cores instead of those on the clock, for a machine that is busy with other things.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.encoder_search import DEFAULT_EFFORT, ROUNDS, Search
from tutorial_lib.evaluation.metrics import bd_rate, psnr
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.files.pictures import read_picture


def middle_of(path: Path, width: int, height: int) -> Tensor:
    """That part of a photo, or all of it if it is smaller: uint8 (3, H, W)."""
    picture, _ = read_picture(path, lambda *size: None)
    left, top = max(0, (picture.width - width) // 2), max(0, (picture.height - height) // 2)
    return from_pil(picture.crop((left, top, min(left + width, picture.width), min(top + height, picture.height))))


@torch.no_grad()
def measure(codec: Codec, image: Tensor, quality: int, rounds: int, now: Callable[[], float]) -> list[tuple]:
    """For 0, 1, … rounds: (bits, PSNR, cost, seconds)."""
    x, condition = to_float(image), torch.tensor([float(quality)])
    begin = now()
    y = codec.analysis(x, condition)
    search = Search(codec.prior, codec.synthesis)
    rows: list[tuple] = []
    kept: tuple = ()
    spent, least = now() - begin, float("inf")  # until y of this round is there
    candidates, shape = search.candidates(y, x, condition, rounds), (x.shape[-2], x.shape[-1])
    for _ in range(rounds + 1):
        begin = now()
        candidate, cost = next(candidates)
        round_took = now() - begin
        begin = now()
        if rows:  # a last look, without a gradient
            search.cost(candidate, x, condition)
        look_took = now() - begin
        if cost < least:
            begin, least = now(), cost
            strings = codec.prior.compress(candidate, condition)
            coding_took = now() - begin
            decoded = codec.decompress(strings, shape, quality)["x_hat"]
            kept = sum(8 * len(part[0]) for part in strings), psnr(to_uint8(decoded), image), cost
        rows.append((*kept, spent + look_took + coding_took))
        spent += round_took
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photos that were not trained on")
    parser.add_argument("--checkpoint", type=Path, help="default: the one that ships")
    parser.add_argument("--photos", type=int, default=6, metavar="N")
    parser.add_argument("--size", default="768x512", metavar="WxH")
    parser.add_argument("--qualities", default="30,50,75", help="two at least, for curves")
    parser.add_argument("--efforts", default="0,1,2,3,4,5,6,7,8,9", help="which to show; 0 is measured in any case")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    now = time.process_time if options.cpu else time.perf_counter
    qualities, efforts = ([int(n) for n in text.split(",")] for text in (options.qualities, options.efforts))
    width, height = map(int, options.size.split("x"))
    codec = Codec.load(options.checkpoint)
    paths = photos_in(options.folder)
    paths = paths[:: max(1, len(paths) // options.photos)][: options.photos]
    rounds = ROUNDS[max(efforts)]

    curves: list[list[list[tuple]]] = []  # photo, quality, rounds
    for path in paths:
        image = middle_of(path, width, height)
        curves.append([measure(codec, image, quality, rounds, now) for quality in qualities])

    kind = "core-seconds" if options.cpu else "seconds"
    print(f"{len(paths)} photos of {width} × {height}, qualities {options.qualities}, {options.threads} thread(s)\n")
    print(f"| effort | rounds | BD-rate | costs | {kind} |\n|---|---|---|---|---|")
    for effort in efforts:
        n, each = ROUNDS[effort], [rows for photo in curves for rows in photo]
        rates = [bd_rate([rows[0][:2] for rows in photo], [rows[n][:2] for rows in photo]) for photo in curves]
        costs = statistics.mean((rows[n][2] - rows[0][2]) / rows[0][0] for rows in each)
        seconds = statistics.median(rows[n][3] for rows in each)
        name = f"{effort} (default)" if effort == DEFAULT_EFFORT else str(effort)
        print(f"| {name} | {n} | {statistics.mean(rates):+.1f} % | {100 * costs:+.1f} % | {seconds:.1f} |")


if __name__ == "__main__":
    main()
