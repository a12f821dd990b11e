"""Folders of photos: which files there are, and each of them read. Starts without PyTorch."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image

from tutorial_lib.files.picture_kinds import opens, unreadable
from tutorial_lib.files.pictures import read_picture


def photos_in(folder: str | Path, say: Callable[[str], None] | None = None) -> list[Path]:
    """The image files (by ending) directly in a folder, sorted. Raises ValueError if there are none.

    say: is told how many pictures there are of each kind that cannot be opened here.
    """
    files = sorted(path for path in Path(folder).glob("*") if path.is_file())
    found = [path for path in files if opens(path.suffix.lower()) and not path.name.startswith("._")]
    left_out = unreadable(files)
    if not found:
        reason = f" ({' '.join(left_out).rstrip('.')})" if left_out else ""
        raise ValueError(f"No image files were found in {folder}{reason}; give a folder that holds photos.")
    if say is not None:
        for note in left_out:
            say(note)
    return found


def read_photos(
    paths: Iterable[Path], check_size: Callable[[int, int], None], say: Callable[[str], None]
) -> Iterator[tuple[Path, Image.Image | None]]:
    """(path, picture) of each; picture None: it cannot be read, and `say` has been told why.

    After the last one, `say` is told what was changed, and in how many pictures.
    check_size: see `read_picture`.
    """
    changed: Counter[str] = Counter()
    for path in paths:
        try:
            picture, notes = read_picture(path, check_size)
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            say(f"{path.name!r} is left out: {reason.rstrip('.')}.")
            yield path, None
            continue
        changed.update(notes)
        yield path, picture
    for note, count in changed.items():
        say(f"{count:,} picture{'s' * (count != 1)}: {note[0].lower()}{note[1:]}")
