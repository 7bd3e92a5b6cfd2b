"""Networks that no library has: the small ones that people write themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Call(nn.Module):
    """A module whose forward is a function of its layers and its inputs."""

    def __init__(self, function: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Tensor) -> object:
        """Call the function."""
        return self.function(self, *inputs)


def pnet() -> nn.Module:
    """MTCNN's first network: PReLU, two outputs (Zhang et al. 2016)."""
    body = nn.Sequential(
        nn.Conv2d(3, 10, 3), nn.PReLU(10), nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(10, 16, 3), nn.PReLU(16),
        nn.Conv2d(16, 32, 3), nn.PReLU(32),
    )  # fmt: skip

    def forward(net: Call, x: Tensor) -> tuple[Tensor, Tensor]:
        features = net.body(x)
        return net.box(features), net.face(features).softmax(1)

    return Call(forward, body=body, face=nn.Conv2d(32, 2, 1), box=nn.Conv2d(32, 4, 1))


class Normalised(nn.Module):
    """Preprocessing inside of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.body = nn.Sequential(*block(3, 16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Map images from 0 to 1 to scores."""
        return self.body((x - self.mean) / self.std)


def block(channels: int, out: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """Convolution, normalisation, ReLU."""
    return nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()


class UNet(nn.Module):
    """U-Net of three levels, with bilinear or transposed upsampling (Ronneberger et al. 2015)."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        widths = (3, 16, 32, 64)
        self.down = nn.ModuleList(nn.Sequential(*block(a, b), *block(b, b)) for a, b in pairwise(widths))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, 2) if transposed
            else nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2 * width, width, 1))
            for width in (32, 16)
        )  # fmt: skip
        self.join = nn.ModuleList(nn.Sequential(*block(2 * width, width)) for width in (32, 16))
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images to maps of the same size."""
        kept = []
        for level, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for up, join, side in zip(self.up, self.join, (kept[1], kept[0]), strict=True):
            x = join(torch.cat([up(x), side], 1))
        return self.head(x)


def dcgan_generator() -> nn.Module:
    """Noise to images (Radford et al. 2016)."""
    layers: list[nn.Module] = []
    for channels, out, stride, padding in ((100, 128, 1, 0), (128, 64, 2, 1), (64, 32, 2, 1), (32, 16, 2, 1)):
        layers += [nn.ConvTranspose2d(channels, out, 4, stride, padding, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh())


def dcgan_discriminator() -> nn.Module:
    """Images to one probability."""
    layers: list[nn.Module] = []
    for channels, out in ((3, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(channels, out, 4, 2, 1), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(128, 1, 4), nn.Flatten(), nn.Sigmoid())


def autoencoder() -> nn.Module:
    """Convolutions to a code, and an MLP back to the image."""
    encoder = [nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten()]
    decoder = [nn.Linear(784, 32), nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid()]
    return nn.Sequential(*encoder, *decoder, nn.Unflatten(1, (1, 28, 28)))


def srresnet() -> nn.Module:
    """Superresolution by pixel shuffle (Ledig et al. 2017)."""

    def forward(net: Call, x: Tensor) -> Tensor:
        first = net.first(x)
        return net.up(first + net.body(first))

    first = nn.Sequential(nn.Conv2d(3, 32, 9, 1, 4), nn.PReLU())
    body = nn.Sequential(*block(32, 32), *block(32, 32))
    up = nn.Sequential(nn.Conv2d(32, 128, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(), nn.Conv2d(32, 3, 9, 1, 4))
    return Call(forward, first=first, body=body, up=up)


def three_outputs() -> nn.Module:
    """A detector with an output at each of three scales."""

    def forward(net: Call, x: Tensor) -> tuple[Tensor, ...]:
        small = net.stem(x)
        middle = net.middle(small)
        large = net.large(middle)
        up = torch.cat([F.interpolate(large, scale_factor=2, mode="nearest"), middle], 1)
        return net.small_head(small), net.middle_head(up), net.large_head(large)

    return Call(
        forward,
        stem=nn.Sequential(*block(3, 16, 2), *block(16, 32, 2), *block(32, 32, 2)),
        middle=nn.Sequential(*block(32, 64, 2)),
        large=nn.Sequential(*block(64, 64, 2)),
        small_head=nn.Conv2d(32, 24, 1),
        middle_head=nn.Conv2d(128, 24, 1),
        large_head=nn.Conv2d(64, 24, 1),
    )


class Bert(nn.Module):
    """BERT of two layers (Devlin et al. 2019), of embeddings or of ids."""

    def __init__(self, ids: str) -> None:
        super().__init__()
        self.ids, width = ids, 64
        self.words = nn.Embedding(1000, width) if ids else nn.Identity()
        self.places = nn.Embedding(32, width)
        self.register_buffer("order", torch.arange(32)[None])
        self.norm = nn.LayerNorm(width)
        layer = partial(nn.TransformerEncoderLayer, width, 4, 128, activation="gelu", batch_first=True)
        self.body = nn.ModuleList(layer() for _ in range(2))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map ids or embeddings to scores."""
        x = self.words(x.long() if self.ids == "float" else x)
        x = self.norm(x + self.places(self.order))
        for layer in self.body:
            x = layer(x)
        return self.head(x[:, 0])


class Recurrent(nn.Module):
    """A recurrent layer, and a linear one on its last step."""

    def __init__(self, kind: type[nn.RNNBase], both: bool = False) -> None:
        super().__init__()
        self.body = kind(16, 32, 2, batch_first=True, bidirectional=both)
        self.head = nn.Linear(64 if both else 32, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences to scores."""
        return self.head(self.body(x)[0][:, -1])


def cnn1d() -> nn.Module:
    """Classifier of electrocardiograms."""
    layers: list[nn.Module] = []
    for channels, out in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv1d(channels, out, 7, padding=3), nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 5))


def m5() -> nn.Module:
    """Classifier of raw sound (Dai et al. 2017)."""
    layers: list[nn.Module] = [nn.Conv1d(1, 32, 80, 16), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(4)]
    for channels, out in ((32, 32), (32, 64), (64, 64)):
        layers += [nn.Conv1d(channels, out, 3), nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(4)]

    def forward(net: Call, x: Tensor) -> Tensor:
        return F.log_softmax(net.head(net.body(x).mean(-1)), 1)

    return Call(forward, body=nn.Sequential(*layers), head=nn.Linear(64, 35))


def crnn() -> nn.Module:
    """Reader of text lines: convolutions, then a bidirectional LSTM (Shi et al. 2017)."""

    def forward(net: Call, x: Tensor) -> Tensor:
        steps = net.body(x).squeeze(2).permute(2, 0, 1)
        return net.head(net.rnn(steps)[0]).transpose(0, 1)

    pools = [nn.MaxPool2d(2), nn.MaxPool2d(2), nn.MaxPool2d((2, 1)), nn.MaxPool2d((4, 1))]
    widths = (1, 16, 32, 64, 64)
    body = [layer for i, pool in enumerate(pools) for layer in (*block(widths[i], widths[i + 1]), pool)]
    rnn = nn.LSTM(64, 32, bidirectional=True)
    return Call(forward, body=nn.Sequential(*body), rnn=rnn, head=nn.Linear(64, 37))


def tcn() -> nn.Module:
    """Causal dilated convolutions (Bai et al. 2018)."""

    def forward(net: Call, x: Tensor) -> Tensor:
        for i, layer in enumerate(net.body):  # type: ignore[arg-type]
            made = F.relu(layer(F.pad(x, (2 * 2**i, 0))))
            x = made + x if made.shape == x.shape else made
        return net.head(x[:, :, -1])

    layers = (nn.Conv1d(channels, 32, 3, dilation=2**i) for i, channels in enumerate((6, 32, 32)))
    return Call(forward, body=nn.ModuleList(layers), head=nn.Linear(32, 4))


def textcnn() -> nn.Module:
    """Convolutions of several widths over words, and the maximum over time (Kim 2014)."""

    def forward(net: Call, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2)
        return net.head(torch.cat([F.relu(conv(rows)).amax(2) for conv in net.convs], 1))  # type: ignore[union-attr]

    return Call(forward, convs=nn.ModuleList(nn.Conv1d(64, 32, k) for k in (3, 4, 5)), head=nn.Linear(96, 2))


def mlp(*between: nn.Module) -> nn.Module:
    """Two linear layers and what stands between them."""
    return nn.Sequential(nn.Linear(64, 128), *between, nn.Linear(128, 10))


OWN: dict[str, Callable[[], nn.Module]] = {
    "mtcnn-pnet(prelu,2 outputs)": pnet,
    "preprocessing inside ((x-mean)/std)": Normalised,
    "autoencoder-conv-mlp": autoencoder,
    "dcgan-discriminator": dcgan_discriminator,
    "dcgan-generator": dcgan_generator,
    "srresnet-pixelshuffle": srresnet,
    "unet-bilinear": partial(UNet, False),
    "unet-convtranspose": partial(UNet, True),
    "yolo-like-3-outputs": three_outputs,
    "bert-tiny-float-embeddings": partial(Bert, ""),
    "bert-tiny-ids(as float)": partial(Bert, "float"),
    "bert-tiny-ids(int64)": partial(Bert, "int64"),
    "bilstm": partial(Recurrent, nn.LSTM, True),
    "cnn1d-ecg": cnn1d,
    "crnn-ocr": crnn,
    "gru": partial(Recurrent, nn.GRU),
    "lstm": partial(Recurrent, nn.LSTM),
    "m5-audio": m5,
    "mlp": lambda: mlp(nn.ReLU()),
    "mlp-bn-gelu-dropout": lambda: mlp(nn.BatchNorm1d(128), nn.GELU(), nn.Dropout()),
    "mlp-tanh-sigmoid": lambda: nn.Sequential(mlp(nn.Tanh()), nn.Sigmoid()),
    "tcn-causal": tcn,
    "textcnn": textcnn,
}
"""Factories by name."""
