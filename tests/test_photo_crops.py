"""Photos to train on: listed without being read, broken ones replaced, and the same crops whoever makes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from tutorial_lib import photo_crops
from tutorial_lib.files.folders import Named, list_photos
from tutorial_lib.files.images import to_pil
from tutorial_lib.photo_crops import CropLoader, PhotoFolder, digest_of
from tutorial_lib.training import RandomCrops
from tutorial_lib.workbench.photos import photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven photos of 60 × 50 pixels, of which the third and fourth are broken."""
    whole = photo("coffee")
    for n in range(7):
        path = tmp_path / f"{n}.png"
        to_pil(whole[:, 20 * n : 20 * n + 50, 30 * n : 30 * n + 60].contiguous()).save(path)
        if n in (2, 3):
            path.write_bytes(path.read_bytes()[:400])
    return tmp_path


def silent(_: str) -> None:
    pass


class TestTheList:
    def test_it_is_that_of_the_names_in_order(self, tmp_path: Path) -> None:
        for name in ("b.png", "a.JPG", "._c.png", "notes.txt", "d.nef", "e.nef"):
            (tmp_path / name).write_bytes(b"12345")
        (tmp_path / "folder.png").mkdir()
        said: list[str] = []
        assert list_photos(tmp_path, said.append) == [Named(str(tmp_path / n), 5) for n in ("a.JPG", "b.png")]
        assert len(said) == 1 and said[0].startswith("2 .nef files are left out: ")

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a.nef").write_bytes(b"raw")
        with pytest.raises(ValueError, match=r"^No image files were found in .* \(1 \.nef file is left out: "):
            list_photos(tmp_path, silent)

    def test_a_hundred_thousand_are_listed_and_none_is_opened(self, tmp_path: Path, monkeypatch) -> None:
        """Nor is anything asked of a file but once: of a million, that would take minutes."""

        class Entry:
            asked = 0

            def __init__(self, n: int) -> None:
                self.name, self.path = f"{n:06}.jpg", f"photos/{n:06}.jpg"

            def is_file(self) -> bool:
                return True

            def stat(self):
                Entry.asked += 1
                return os.stat_result((0,) * 6 + (1000, 0, 0, 0))

        class Entries(list):
            def __enter__(self):
                return self

            def __exit__(self, *_) -> None:
                pass

        monkeypatch.setattr(photo_crops.os, "scandir", lambda _: Entries(map(Entry, range(100_000))))
        monkeypatch.setattr(photo_crops, "read_picture", None)
        photos = PhotoFolder(list_photos("photos", silent))
        assert len(photos) == Entry.asked == 100_000
        assert len(digest_of(photos.photos)) == 64
        assert len(RandomCrops(photos, weights=[1.0] * len(photos)).photos) == 100_000

    def test_the_digest_knows_names_sizes_and_order(self) -> None:
        photos = [Named("here/a.png", 10), Named("here/b.png", 20)]
        digest = digest_of(photos)
        assert digest == digest_of([Named("there/a.png", 10), Named("there/b.png", 20)])
        others = [photos[::-1], photos[:1], [Named("a.png", 10), Named("b.png", 21)], [Named("a.png1", 0), photos[1]]]
        assert len({digest, *map(digest_of, others)}) == 5


class TestPhotos:
    def test_a_broken_one_is_named_and_replaced_by_the_next(self, folder: Path) -> None:
        photos = PhotoFolder(list_photos(folder, silent))
        for n, other in enumerate((0, 1, 4, 4, 4, 5, 6)):
            assert torch.equal(photos[n], photos[other])
        assert not torch.equal(photos[4], photos[5])
        notes = photos.take_notes()
        assert [note.split()[0] for note in notes] == ["'2.png'", "'3.png'"] and photos.take_notes() == []

    def test_read_all_leaves_them_out(self, folder: Path) -> None:
        photos, seen = PhotoFolder(list_photos(folder, silent)), []
        photos.read_all(lambda: seen.append(1))
        assert [Path(each.path).name for each in photos.photos] == ["0.png", "1.png", "4.png", "5.png", "6.png"]
        assert len(seen) == 7 and len(photos.take_notes()) == 2

    def test_none_that_can_be_read(self, tmp_path: Path) -> None:
        for n in range(3):
            (tmp_path / f"{n}.png").write_bytes(b"no picture")
        with pytest.raises(ValueError, match=r"^none of the 3 photos from '1\.png' on can be read\.$"):
            PhotoFolder(list_photos(tmp_path, silent))[1]

    def test_memory_is_bounded(self, folder: Path) -> None:
        size = 3 * 50 * 60
        photos = PhotoFolder(list_photos(folder, silent), room=2 * size + 1)
        first = [photos[n] for n in range(7)]
        assert len(photos.kept) == 2 and photos.room == 1
        assert all(torch.equal(photos[n], first[n]) for n in range(7))
        assert photos[0] is first[0] and photos[6] is not first[6]

    def test_large_ones_are_scaled_down(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(photo_crops, "LARGEST", 30)
        Image.new("RGB", (90, 60)).save(tmp_path / "a.png")
        assert PhotoFolder(list_photos(tmp_path, silent))[0].shape == (3, 20, 30)

    def test_changes_are_counted(self, tmp_path: Path) -> None:
        for n in range(3):
            Image.new("I;16", (4, 4), 999 * n).save(tmp_path / f"{n}.png")
        photos = PhotoFolder(list_photos(tmp_path, silent))
        photos.read_all()
        assert photos.take_notes() == ["3 pictures: the samples were reduced to 8 bits."]


class TestTheLoader:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_workers_change_nothing(self, folder: Path, workers: int) -> None:
        """Nor does it where they begin, or which rows a process asks for."""
        plain = RandomCrops(PhotoFolder(list_photos(folder, silent)), 24, 4, (0.5, 1.5), seed=3)
        expected = [plain(step) for step in range(6)]
        said: list[str] = []
        crops = RandomCrops(PhotoFolder(list_photos(folder, silent)), 24, 4, (0.5, 1.5), seed=3)
        loader = CropLoader(crops, workers, said.append)
        state = torch.get_rng_state()
        for step in (0, 1, 2, 4, 5):  # one is left out, as by a run that goes on from elsewhere
            assert torch.equal(loader.rows(step, range(4)), expected[step])
        assert torch.equal(loader.rows(2, range(2, 4)), expected[2][2:]) and torch.equal(loader(1), expected[1])
        assert torch.equal(torch.get_rng_state(), state)
        loader.close()
        assert sorted(note.split()[0] for note in said) == ["'2.png'", "'3.png'"]
