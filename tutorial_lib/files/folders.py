"""Folders of photos: which files there are, and each of them read. Starts without PyTorch."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from tutorial_lib.files.picture_kinds import opens, unreadable
from tutorial_lib.files.pictures import read_picture


class Named(NamedTuple):
    """A photo that has not been read yet. size: of the file, in bytes."""

    path: str
    size: int


def list_photos(folder: str | Path, say: Callable[[str], None] = lambda note: None) -> list[Named]:
    """The image files (by ending) directly in a folder, in the order of their names; there may be a million.

    say: is told how many pictures there are of each kind that cannot be opened here. Raises ValueError if there is
    none that can.
    """
    found, others, readable = [], Counter[str](), dict[str, bool]()
    with os.scandir(folder) as entries:
        for entry in entries:
            ending = os.path.splitext(entry.name)[1].lower()
            if ending not in readable:
                readable[ending] = opens(ending)
            try:
                is_file = entry.is_file()
            except OSError:  # a link that leads to itself
                is_file = False
            if not is_file and (not entry.is_symlink() or os.path.exists(entry.path)):
                continue  # a link that leads nowhere is named by who tries to read it
            if readable[ending] and not entry.name.startswith("._"):
                found.append(Named(entry.path, entry.stat().st_size if is_file else 0))
            else:
                others[ending] += 1
    left_out = unreadable(others)
    if not found:
        reason = f" ({' '.join(left_out).rstrip('.')})" if left_out else ""
        raise ValueError(f"No image files were found in {folder}{reason}; give a folder that holds photos.")
    for note in left_out:
        say(note)
    return sorted(found)


def photos_in(folder: str | Path, say: Callable[[str], None] = lambda note: None) -> list[Path]:
    """The paths of `list_photos`."""
    return [Path(photo.path) for photo in list_photos(folder, say)]


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
