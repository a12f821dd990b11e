"""What Colab has today, of the packages that `versions.txt` names, as a file for pip: `python tests/colab/pins.py FILE`

FILE is the list of a runtime's packages that Google publishes, `pip-freeze.txt` of
https://github.com/googlecolab/backend-info. Most of its lines are `name==version`; PyTorch's are `name @ address of a
wheel`, whose version counts, and not whether it is the build for a GPU.
"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

VERSIONS = Path(__file__).with_name("versions.txt")
LINE = re.compile(r"^([\w.-]+) ?(?:==|@ .*/[\w.]+-)([\d.]+(?:(?:a|b|rc|\.post|\.dev)\d+)?)(?:[+-].*)?$", re.MULTILINE)


def names(versions: str) -> list[str]:
    """The packages that a list such as `versions.txt` names."""
    return re.findall(r"^([\w-]+)", versions, re.MULTILINE)


def pins(frozen: str, wanted: list[str]) -> list[str]:
    """`name==version` of each package wanted. Raises ValueError if the list lacks one of them."""
    found = {name.lower().replace("_", "-"): version for name, version in LINE.findall(unquote(frozen))}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"The list has no version of {', '.join(missing)}.")
    return [f"{name}=={found[name]}" for name in wanted]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/colab/pins.py pip-freeze.txt")
    print(*pins(Path(sys.argv[1]).read_text(encoding="utf-8"), names(VERSIONS.read_text(encoding="utf-8"))), sep="\n")
