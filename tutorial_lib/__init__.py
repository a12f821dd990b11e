"""The companion package of *Learned Image Compression, from Padding to Bitstream*.

Each module is one block of the course, and the course order is the import order: whoever has read notebook k can
read module k and everything it imports.

    01 padding              04 entropy_bottleneck    07 dct_transforms, first_codec, training
    02 quantization         05 cdf                   12 bitstream, cli (the command `lic`)
    03 information          06 arithmetic_coding, rans, entropy_coder

`workbench` holds what the lessons lean on and nobody needs to study: images, metrics, figures, exercise checks.
Importing the package imports nothing else; take the module you need: `from tutorial_lib import padding`.
"""

__version__ = "0.1.0"
