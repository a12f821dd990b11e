"""Rate–distortion points of the 24 Kodak photos that others have published, to draw beside one's own.

Source: CompressAI (BSD 3-Clause), <https://github.com/InterDigitalInc/CompressAI>, folder results/image/kodak, the
file named at each curve; read in November 2026 and rounded. Its learned models are one network per rate, trained for
4 to 5 million steps. They were measured by the PSNR of the float reconstruction, and by the bytes of the strings
only, without a file's header: both are a little kinder than what `evaluation` does. VTM is H.266's
reference software. The points hold for Kodak only.
"""

SOURCE = "CompressAI's published results for Kodak"

# name: points of (bits per pixel, PSNR of RGB in dB)
KODAK = {
    # compressai-bmshj2018-factorized_mse_cuda.json
    "bmshj2018-factorized": (
        (0.123, 26.91),
        (0.189, 28.22),
        (0.288, 29.62),
        (0.440, 31.28),
        (0.648, 32.96),
        (0.967, 35.38),
        (1.351, 37.40),
        (1.833, 39.62),
    ),
    # compressai-bmshj2018-hyperprior_mse_cuda.json
    "bmshj2018-hyperprior": (
        (0.131, 27.58),
        (0.209, 29.20),
        (0.320, 30.97),
        (0.478, 32.84),
        (0.669, 34.53),
        (0.939, 36.74),
        (1.259, 38.58),
        (1.660, 40.56),
    ),
    # compressai-mbt2018-mean_mse_cuda.json
    "mbt2018-mean": (
        (0.124, 27.70),
        (0.198, 29.36),
        (0.307, 31.13),
        (0.461, 32.95),
        (0.662, 34.97),
        (0.914, 36.91),
        (1.234, 38.84),
        (1.619, 40.63),
    ),
    # compressai-mbt2018_mse_cuda.json
    "mbt2018": (
        (0.111, 28.09),
        (0.187, 29.65),
        (0.288, 31.36),
        (0.432, 33.09),
        (0.639, 35.09),
        (0.885, 36.99),
        (1.200, 38.93),
        (1.587, 40.64),
    ),
    # compressai-cheng2020-anchor_mse_cuda.json
    "cheng2020-anchor": (
        (0.120, 28.58),
        (0.184, 29.97),
        (0.271, 31.34),
        (0.417, 33.39),
        (0.594, 35.12),
        (0.806, 36.70),
    ),
    # vtm.json
    "VTM (H.266)": (
        (0.048, 26.14),
        (0.112, 28.49),
        (0.246, 31.20),
        (0.491, 34.26),
        (0.875, 37.42),
        (1.431, 40.42),
    ),
}
