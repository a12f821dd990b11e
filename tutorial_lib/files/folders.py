"""Folders of photos: which files there are, and each of them read. Starts without PyTorch."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image

from tutorial_lib.files.pictures import read_picture


def photos_in(folder: str | Path) -> list[Path]:
    """The image files (by ending) directly in a folder, sorted. Raises ValueError if there are none."""
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    found = sorted(p for p in Path(folder).glob("*") if p.suffix.lower() in endings and p.is_file())
    if not found:
        raise ValueError(f"No image files were found in {folder}; give a folder that holds photos.")
    return found


def read_photos(
    paths: Iterable[Path], check_size: Callable[[int, int], None], say: Callable[[str], None]
) -> Iterator[tuple[Path, Image.Image | None, list[str]]]:
    """(path, picture, notes) of each; picture None: it cannot be read, and `say` has been told why.

    check_size: see `read_picture`.
    """
    for path in paths:
        try:
            yield path, *read_picture(path, check_size)
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            say(f"note: {path.name!r} is left out: {reason.rstrip('.')}.")
            yield path, None, []
