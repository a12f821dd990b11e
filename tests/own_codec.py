"""A codec of your own: GDN transforms and the mean-scale hyperprior of notebook 08, at one rate.

lic --plugin own_codec.py train --codec own --set N=32 M=48 --data PHOTOS --out own.safetensors
lic --plugin own_codec.py encode photo.png photo.lic --checkpoint own.safetensors
"""

from torch import nn

from tutorial_lib.gdn import Gdn, conv, deconv
from tutorial_lib.hyperprior import MeanScaleHyperprior, SideInformation, minnen_networks
from tutorial_lib.transform_codec import TransformCodec, register_codec


@register_codec("own")
def own_codec(N: int = 64, M: int = 96) -> TransformCodec:
    analysis = nn.Sequential(conv(3, N), Gdn(N), conv(N, N), Gdn(N), conv(N, M))  # (B, M, H/8, W/8)
    synthesis = nn.Sequential(deconv(M, N), Gdn(N, True), deconv(N, N), Gdn(N, True), deconv(N, 3))
    prior = MeanScaleHyperprior(SideInformation(*minnen_networks(N, M), N))
    return TransformCodec(analysis, synthesis, prior, stride=8)
