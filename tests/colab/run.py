"""All notebooks, each alone in a bare folder, with the versions that Colab has: `make test-colab`

    python tests/colab/run.py [--python python3.13] [--versions FILE] [--environment build/colab] [NOTEBOOK …]

A new environment gets the packages of `versions.txt`, or of another such file, and nothing else. Then, notebook by
notebook: the course is not installed; the set-up cell finds it by TUTORIAL_LIB, the git address of this clone (so what
is not committed is not seen); it installs what is missing, and leaves everything that was there as it was. Each
notebook runs to its end.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = Path(__file__).with_name("versions.txt")
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
"""


def output(*command: str | Path) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout


def packages(python: Path) -> set[str]:
    """What is installed, "name==version"."""
    return set(output(python, "-m", "pip", "list", "--format=freeze").lower().split())


def make(environment: Path, base: str, versions: Path) -> None:
    """The environment, complete or not at all: what cannot be fetched today may be there tomorrow."""
    python = environment / "bin" / "python"
    try:
        subprocess.run([base, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", versions], check=True)
        subprocess.run([python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3"], check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        shutil.rmtree(environment, ignore_errors=True)
        sys.exit(f"The environment cannot be made: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="python3.13")
    parser.add_argument("--versions", type=Path, default=VERSIONS, help="what a new environment gets")
    parser.add_argument("--environment", type=Path, default=ROOT / "build" / "colab")
    parser.add_argument("--only-environment", action="store_true", help="make it, if need be, and run no notebook")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args()
    if output("git", "-C", ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        sys.exit("This clone is shallow, and pip cannot install from such a one: git fetch --unshallow")
    python = options.environment / "bin" / "python"
    if not python.exists():
        make(options.environment, options.python, options.versions)
    if options.only_environment:
        return
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "tutorial_lib"], check=True)
    place = output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    shutil.rmtree(Path(place) / "tutorial_lib", ignore_errors=True)  # what Numba had kept there stays behind
    brought = packages(python)
    environment = {**os.environ, "TUTORIAL_LIB": f"git+{ROOT.as_uri()}", "OMP_WAIT_POLICY": "PASSIVE"}
    failed = []
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / path.name).write_bytes(path.read_bytes())
            done = subprocess.run(
                [python.absolute(), "-c", RUN, path.name], cwd=folder, env=environment, capture_output=True, text=True
            )
        changed = brought - packages(python)
        fine = done.returncode == 0 and not changed
        print(f"{path.name}: {'ran to its end' if fine else 'FAILED'}", flush=True)
        if not fine:
            failed.append(path.name)
            print(f"replaced: {sorted(changed)}" if changed else done.stderr[-1500:], flush=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
