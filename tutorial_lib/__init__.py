"""The companion package of *Learned Image Compression, from Padding to Bitstream*.

Each module is one block of the course, and the course order is the import order: whoever has read notebook k can
read module k and everything it imports. The order stands in `course`: `python -m tutorial_lib.course` prints it.

    padding … codec     what the notebooks teach, flat, in the order of the course
    files/              what all else builds on: picture files, images, checkpoints, writing files whole
    photo_crops         a training's photos, read as they are needed
    training_run        a training on disk: begun, kept, continued; process groups
    evaluation/         metrics, classical codecs, comparisons, curves
    command/            the command `lic`
    checks/             lessons only: what each exercise says to right and to wrong answers
    workbench/          lessons only: figures, photos, the form of a lesson, the set-up cell

Importing the package imports nothing else; take the module you need: `from tutorial_lib import padding`.
"""

import os

# Before PyTorch is imported: a thread that waits for the others spins for a moment, then sleeps. By default it spins so
# long that on a machine which does something else besides, everything takes several times as long (coding a photo
# 14 core-seconds instead of 4); if it never spins, two threads are no faster than one.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.2.0"
