"""The companion package of *Learned Image Compression, from Padding to Bitstream*.

Each module is one block of the course, and the course order is the import order: whoever has read notebook k can
read module k and everything it imports. The order stands in `course`: `python -m tutorial_lib.course` prints it.

    padding … codec     what the notebooks teach, flat, in the order of the course
    files/              the ground floor: picture files, images, checkpoints, writing files whole
    photo_crops         a training's photos, read as they are needed
    training_run        a training on disk: begun, kept, continued; process groups
    evaluation/         metrics, classical codecs, comparisons, curves
    command/            the command `lic`
    workbench/          lessons only: exercise checks, figures, photos, the set-up cell

Importing the package imports nothing else; take the module you need: `from tutorial_lib import padding`.
"""

import os

# Before PyTorch is imported: threads that wait should sleep, not spin. On a machine that does something else besides,
# spinning ones make everything several times slower (coding a photo took 14 core-seconds instead of 4).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.2.0"
