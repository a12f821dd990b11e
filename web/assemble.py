"""Put together what a browser needs: `python web/assemble.py build/web`, after `npm ci --prefix web`.

decoder/      the decoder
encoder/      the encoder, which is little without it
page/         the page around it
ort/          onnxruntime-web, its smallest build: WebAssembly only
model/        the exported codec; export.py writes it
"""

import argparse
import shutil
from pathlib import Path

WEB = Path(__file__).parent
ORT = WEB / "node_modules/onnxruntime-web"
ORT_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def gather(folder: Path) -> None:
    """Copy what there is to be copied. Raises SystemExit where onnxruntime-web is not installed."""
    if not ORT.is_dir():
        raise SystemExit("onnxruntime-web is not installed: `npm ci --prefix web` does it.")
    for name in ("decoder", "encoder", "page"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(WEB / name, folder / name)
    (folder / "ort").mkdir(exist_ok=True)
    for name in ORT_FILES:
        shutil.copy(ORT / "dist" / name, folder / "ort" / name)
    shutil.copy(WEB / "onnxruntime_license.txt", folder / "ort/LICENSE.txt")


def main() -> None:
    parser = argparse.ArgumentParser(description="Put together what a browser needs to decode .lic files.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    gather(options.folder)


if __name__ == "__main__":
    main()
