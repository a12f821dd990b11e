"""The files that lie beside the notebooks and that lessons read: the glossary, the scoreboard."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def lesson_file(name: str) -> Path:
    """A file of the folder `notebooks`: there in a clone, else beside the modules, where an installation puts it."""
    in_clone = PACKAGE.parent / "notebooks" / name
    return in_clone if in_clone.exists() else PACKAGE / "lessons" / name
