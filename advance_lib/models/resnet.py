"""ResNet of any widths, input channels and strides: N_v and N_a of the paper, and the small ones of the miniature.

Chapters: Seeing, Hearing.
"""

from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.models.resnet import BasicBlock, Bottleneck


class ResNet(resnet.ResNet):
    """torchvision's ResNet with any widths, input channels and strides.

    The parameters keep torchvision's names, so its checkpoints, and those of the official code, fit.

    Args:
        block: torchvision's residual block.
        layers: blocks in each of the four stages.
        classes: outputs of the classifier `fc`.
        channels: 3 for a photograph, 1 for a spectrogram.
        widths: channels of the four stages; the stem has as many as the first.
        strides: of the stem convolution and of the four stages.
    """

    sound_shape = (1, 400, 64)  # channels, T, F (section 5.1)

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: tuple[int, int, int, int],
        classes: int,
        channels: int = 3,
        widths: tuple[int, int, int, int] = (64, 128, 256, 512),
        strides: tuple[int, int, int, int, int] = (2, 1, 2, 2, 2),
    ):
        super().__init__(block, list(layers), num_classes=classes)
        if (channels, widths, strides) != (3, (64, 128, 256, 512), (2, 1, 2, 2, 2)):
            self.inplanes = widths[0]
            self.conv1 = nn.Conv2d(channels, widths[0], 7, strides[0], 3, bias=False)
            self.bn1 = nn.BatchNorm2d(widths[0])
            for stage, (blocks, width, stride) in enumerate(zip(layers, widths, strides[1:], strict=True), 1):
                setattr(self, f"layer{stage}", self._make_layer(block, width, blocks, stride))
            self.fc = nn.Linear(self.inplanes, classes)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def features(self) -> int:
        """Length of the representation N(x)."""
        return self.fc.in_features

    def feature_map(self, x: Tensor) -> Tensor:
        """Return the last map before pooling, (batch, features, height, width); activation maps need it."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def represent(self, x: Tensor) -> Tensor:
        """Return the representation N(x), (batch, features): the mean of the feature map."""
        return self.feature_map(x).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the classifier's outputs before activation, (batch, classes)."""
        return self.fc(self.represent(x))
