"""Coverage-guided fuzzing with atheris: bytes that reach new code are kept, and changed again.

    python tests/fuzz/guided.py TARGET [CORPUS] [-max_total_time=60] [-runs=1000000] …    (libFuzzer's options)

TARGET: a function of `targets.py`. It stops at the first input with an outcome that is not allowed, at one that takes
ten seconds, or at 2 GB of memory, and writes that input to a file. Numba checks the bounds of arrays; for the targets
that decode streams as such, it does not compile at all, so that the coder's own branches guide the search.
"""

import os
import sys
from pathlib import Path

import atheris

INTERPRETED = ("rans", "tables")


def main() -> None:
    target = sys.argv[1]
    os.environ["NUMBA_DISABLE_JIT"] = str(int(target in INTERPRETED))
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(Path(__file__).parent))
    compiled = [] if target in INTERPRETED else ["tutorial_lib.rans"]  # Numba cannot compile what is instrumented
    with atheris.instrument_imports(include=["tutorial_lib", "targets"], exclude=compiled):
        import targets

        function, seeds = targets.TARGETS[target], targets.seeds(target)
    words = [word for word in sys.argv[2:] if not word.startswith("-")]
    corpus = Path(words[0] if words else f"build/fuzz/{target}")
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(seeds):
        function(seed)
        (corpus / f"seed{n}").write_bytes(seed)
    options = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", f"-artifact_prefix={corpus}-"]
    given = [word for word in sys.argv[2:] if word.startswith("-")]
    atheris.Setup([sys.argv[0], str(corpus), *options, *given], function)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
