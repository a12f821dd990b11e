"""Photos to train on, of which there may be a million: only their names are kept, and workers read what is needed.

    folders ─ `list_photos` ─ names and sizes ─ `PhotoFolder` ─ photos ─ `RandomCrops` ─ crops ─ `CropLoader` ─ batches
                                                    │                                              (by workers, ahead)
                                                    └─ kept in memory, as far as there is room

Which photo a crop is of, and where it lies, follows from the seed, the step and its place in the batch. So it is all
the same whether the training itself makes the crops or workers do, how many these are, and where a run was stopped.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tutorial_lib.bitstream import check_size
from tutorial_lib.files.folders import Named
from tutorial_lib.files.images import from_pil
from tutorial_lib.files.pictures import read_picture
from tutorial_lib.training import RandomCrops

LARGEST = 1024  # pixels of a photo's longer side, to which larger ones are scaled down
ROOM = 2 * 10**9  # bytes of photos that stay in memory
TRIES = 100  # photos in a row that cannot be read, before it is given up


def digest_of(photos: Sequence[Named]) -> str:
    """Tells these photos from others by their names, order and sizes, without reading them."""
    digest = hashlib.sha256()
    for path, size in photos:
        digest.update(os.fsencode(os.path.basename(path)) + b"\0%d\0" % size)
    return digest.hexdigest()


class PhotoFolder(Sequence[Tensor]):
    """Photos, uint8 (3, H, W), read when they are asked for; 1024 pixels at most in either direction.

    One that cannot be read is replaced by the next one that can, the first one following the last. `notes` are what
    reading has found since they were last taken: each names a file, or says what was changed in one.
    room: so many bytes of photos stay in memory once they have been read.
    """

    def __init__(self, photos: Sequence[Named], room: int = ROOM) -> None:
        self.photos, self.room = list(photos), room
        self.broken = dict[str, str]()  # path: why
        self.changed = Counter[str]()  # what reading has changed: in how many photos
        self.kept = dict[str, Tensor]()

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, n: int) -> Tensor:  # type: ignore[override]
        for place in range(n, n + min(TRIES, len(self.photos))):
            photo = self._read(self.photos[place % len(self.photos)].path)
            if photo is not None:
                return photo
        first = os.path.basename(self.photos[n].path)
        raise ValueError(f"none of the {min(TRIES, len(self.photos))} photos from {first!r} on can be read.")

    def _read(self, path: str) -> Tensor | None:
        if path in self.kept:
            return self.kept[path]
        if path in self.broken:
            return None
        try:
            picture, changes = read_picture(Path(path), check_size)
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            self.broken[path] = reason.rstrip(".")
            return None
        self.changed.update(changes)
        picture.thumbnail((LARGEST, LARGEST))
        photo = from_pil(picture)
        if photo.nbytes <= self.room:
            self.room -= photo.nbytes
            self.kept[path] = photo
        return photo

    def read_all(self, after_each: Callable[[], object] = lambda: None) -> None:
        """Read them now, and leave out those that cannot be read."""
        readable = []
        for photo in self.photos:
            if self._read(photo.path) is not None:
                readable.append(photo)
            after_each()
        self.photos = readable

    def without(self, places: set[int]) -> PhotoFolder:
        """All but those in these places; what was read already is shared."""
        rest = PhotoFolder([photo for n, photo in enumerate(self.photos) if n not in places], self.room)
        rest.broken, rest.changed, rest.kept = self.broken, self.changed, self.kept
        return rest

    def take_notes(self) -> list[str]:
        """What reading has found since this was last called: a sentence for each file left out and each change."""
        notes = [f"{os.path.basename(path)!r} is left out: {why}." for path, why in self.broken.items() if why]
        notes += [
            f"{count:,} picture{'s' * (count != 1)}: {change[0].lower()}{change[1:]}"
            for change, count in self.changed.items()
        ]
        self.broken, self.changed = dict.fromkeys(self.broken, ""), Counter()
        return notes


class _Crops(Dataset):
    """(step, place) -> the crop, and what `PhotoFolder.take_notes` has to say."""

    def __init__(self, crops: RandomCrops) -> None:
        self.crops = crops

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, list[str]]:
        crop, photos = self.crops.one(*index), self.crops.photos
        return crop, photos.take_notes() if isinstance(photos, PhotoFolder) else []


def _gather(samples: list[tuple[Tensor, list[str]]]) -> tuple[Tensor, list[str]]:
    return torch.stack([crop for crop, _ in samples]), [note for _, notes in samples for note in notes]


def _begin_worker(number: int) -> None:
    """Ctrl-C goes to all processes of a terminal: the training stops its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class CropLoader:
    """The same crops, for steps in their order, made ahead by workers: `loader.rows(step, places)`, and `loader(step)`.

    workers: how many; 0: none, and nothing is made ahead. say: is told what reading photos has found, each sentence
    once.
    """

    def __init__(self, crops: RandomCrops, workers: int = 0, say: Callable[[str], None] = lambda note: None) -> None:
        self.crops, self.workers, self.say, self.batch = crops, workers, say, crops.batch
        self.said = set[str]()
        self.next: tuple[int, Sequence[int]] | None = None  # what the workers are at
        self.batches: Iterator[tuple[Tensor, list[str]]] = iter(())

    def __call__(self, step: int) -> Tensor:
        """The whole batch: (batch, 3, size, size). It does not disturb what is made ahead."""
        return self._heard(_gather([_Crops(self.crops)[step, place] for place in range(self.crops.batch)]))

    def rows(self, step: int, places: Sequence[int]) -> Tensor:
        """The batch's crops in these places: (len(places), 3, size, size)."""
        if not self.workers:
            return self._heard(_gather([_Crops(self.crops)[step, place] for place in places]))
        if self.next != (step, places):
            self.close()
            self.batches = self._start(step, places)
        self.next = (step + 1, places)
        return self._heard(next(self.batches))

    def _start(self, step: int, places: Sequence[int]) -> Iterator[tuple[Tensor, list[str]]]:
        order = ([(later, place) for place in places] for later in itertools.count(step))
        chance = torch.Generator()  # PyTorch would draw the workers' seeds from its own, which the codec's noise needs
        loader = DataLoader(
            _Crops(self.crops),
            batch_sampler=order,  # type: ignore[arg-type]
            num_workers=self.workers,
            collate_fn=_gather,
            worker_init_fn=_begin_worker,
            generator=chance,
        )
        return iter(loader)

    def _heard(self, made: tuple[Tensor, list[str]]) -> Tensor:
        crops, notes = made
        for note in notes:
            if note not in self.said:
                self.said.add(note)
                self.say(note)
        return crops

    def close(self) -> None:
        """End the workers."""
        self.batches, self.next = iter(()), None
