"""The companion package of *Learned Image Compression, from Padding to Bitstream*.

Each module is one block of the course, and the course order is the import order: whoever has read notebook k can
read module k and everything it imports.

    01 padding               06 arithmetic_coding, rans, entropy_coder       10 slicing
    02 quantization          07 dct_transforms, transform_codec,             11 portable
    03 information              first_codec, training                        12 variable_rate, turns, portable_slices,
    04 entropy_bottleneck    08 gaussian_conditional, gdn, hyperprior           bitstream, codec, codec_training,
    05 cdf                   09 context                                         cli (the command `lic`)

`workbench` holds what the lessons lean on and nobody needs to study: images, metrics, figures, exercise checks.
Importing the package imports nothing else; take the module you need: `from tutorial_lib import padding`.
"""

__version__ = "0.1.0"
