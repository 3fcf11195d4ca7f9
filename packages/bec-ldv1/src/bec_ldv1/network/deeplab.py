"""DeepLabV3+ with a ResNet-34 encoder, the network of the existing checkpoints, in plain torch.

Names and shapes of all parameters are those of `segmentation_models_pytorch.DeepLabV3Plus` with
`encoder_name="resnet34", classes=1` and its defaults (output stride 16, ASPP rates 12, 24 and 36, separable),
so that its state dicts load as they are.

Sources: Chen et al. 2018, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation"
(https://arxiv.org/abs/1802.02611); He et al. 2015, "Deep Residual Learning" (https://arxiv.org/abs/1512.03385).
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

_ASPP_RATES = (12, 24, 36)
_WIDTH = 256
_DETAIL_WIDTH = 48


class _Block(nn.Module):
    """ResNet's basic block: two 3 × 3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        # As smp makes an encoder of output stride 16: in the dilated stage every convolution has stride 1.
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + shortcut)  # type: ignore[no-any-return]


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    first = _Block(inputs, outputs, stride=stride, dilation=dilation)
    return nn.Sequential(first, *(_Block(outputs, outputs, dilation=dilation) for _ in range(blocks - 1)))


class _Encoder(nn.Module):
    """ResNet-34 whose last stage is dilated instead of strided."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(64, 64, 3)
        self.layer2 = _stage(64, 128, 4, stride=2)
        self.layer3 = _stage(128, 256, 6, stride=2)
        self.layer4 = _stage(256, 512, 3, dilation=2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features at 1/4 (64 channels) and at 1/16 (512 channels) of the input's size."""
        fine = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return fine, self.layer4(self.layer3(self.layer2(fine)))


class _SeparableConv(nn.Sequential):
    """A 3 × 3 convolution channel by channel, then one that mixes the channels."""

    def __init__(self, inputs: int, outputs: int, *, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=dilation, dilation=dilation, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )


def _norm_relu(convolutions: Iterable[nn.Module], outputs: int) -> nn.Sequential:
    return nn.Sequential(*convolutions, nn.BatchNorm2d(outputs), nn.ReLU())


class _Pooling(nn.Sequential):
    """The whole tile's mean, spread over the tile again."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(inputs, _WIDTH, 1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x
        for layer in self:
            mean = layer(mean)
        return functional.interpolate(mean, size=x.shape[-2:], mode="bilinear")


class _Aspp(nn.Module):
    """Atrous spatial pyramid pooling."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        pyramid = [_SeparableConv(inputs, _WIDTH, dilation=rate) for rate in _ASPP_RATES]
        self.convs = nn.ModuleList(
            [
                _norm_relu([nn.Conv2d(inputs, _WIDTH, 1, bias=False)], _WIDTH),
                *(_norm_relu([convolution], _WIDTH) for convolution in pyramid),
                _Pooling(inputs),
            ]
        )
        self.project = _norm_relu([nn.Conv2d(5 * _WIDTH, _WIDTH, 1, bias=False)], _WIDTH)
        self.project.append(nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([branch(x) for branch in self.convs], dim=1)
        return self.project(joined)  # type: ignore[no-any-return]


class _Decoder(nn.Module):
    """Coarse features, sharpened by the fine ones."""

    def __init__(self) -> None:
        super().__init__()
        self.aspp = _norm_relu([_Aspp(512), _SeparableConv(_WIDTH, _WIDTH)], _WIDTH)
        self.up = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=True)
        self.block1 = _norm_relu([nn.Conv2d(64, _DETAIL_WIDTH, 1, bias=False)], _DETAIL_WIDTH)
        self.block2 = _norm_relu([_SeparableConv(_WIDTH + _DETAIL_WIDTH, _WIDTH)], _WIDTH)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.up(self.aspp(coarse)), self.block1(fine)], dim=1)
        return self.block2(joined)  # type: ignore[no-any-return]


class DeepLabV3Plus(nn.Module):
    """Tiles (n × 3 × h × w in [0, 1], h and w multiples of 16) to logits (n × 1 × h × w)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()
        self.decoder = _Decoder()
        self.segmentation_head = nn.Sequential(
            nn.Conv2d(_WIDTH, 1, 1), nn.Upsample(scale_factor=4, mode="bilinear", align_corners=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The logits; sigmoid gives the probability that a pixel belongs to a line."""
        return self.segmentation_head(self.decoder(*self.encoder(x)))  # type: ignore[no-any-return]
