"""Published figures of Han, Mao, Dally, "Deep Compression" (arXiv 1510.00149 v5): tables 2 to 5, 8 and 9."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A row of tables 2 to 5.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Of the weights.
    density : float
        Share of the weights that remain after pruning (P).
    bits : int
        Of a weight's index into the codebook (P+Q).
    weight_bits, gap_bits : float
        Of a weight and of a relative index after Huffman coding (P+Q+H).
    shared, coded : float
        Percent of the dense size, P+Q and P+Q+H.
    """

    name: str
    shape: tuple[int, ...]
    density: float
    bits: int
    weight_bits: float
    gap_bits: float
    shared: float
    coded: float


@dataclass(frozen=True)
class Published:
    """One of tables 2 to 5: a network's layers, the width of its relative indices, and the totals, percent."""

    title: str
    gap_width: int
    layers: tuple[Layer, ...]
    shared: float
    coded: float


def _vgg(name: str, channels: tuple[int, int], percent: int, *published: float) -> Layer:
    return Layer(name, (channels[1], channels[0], 3, 3), percent / 100, 8, *published)


TABLES: dict[str, Published] = {
    "lenet-300-100": Published(
        "LeNet-300-100",
        5,
        (
            Layer("ip1", (300, 784), 0.08, 6, 4.4, 3.7, 3.1, 2.32),
            Layer("ip2", (100, 300), 0.09, 6, 4.4, 4.3, 3.8, 3.04),
            Layer("ip3", (10, 100), 0.26, 6, 4.3, 3.2, 15.7, 12.70),
        ),
        3.1,
        2.49,
    ),
    "lenet-5": Published(
        "LeNet-5",
        5,
        (
            Layer("conv1", (20, 1, 5, 5), 0.66, 8, 7.2, 1.5, 78.5, 67.45),
            Layer("conv2", (50, 20, 5, 5), 0.12, 8, 7.2, 3.9, 6.0, 5.28),
            Layer("ip1", (500, 800), 0.08, 5, 4.5, 4.5, 2.7, 2.45),
            Layer("ip2", (10, 500), 0.19, 5, 5.2, 3.7, 6.9, 6.13),
        ),
        3.05,
        2.55,
    ),
    "alexnet": Published(
        "AlexNet",
        4,
        (
            Layer("conv1", (96, 3, 11, 11), 0.84, 8, 6.3, 1.2, 32.6, 20.53),
            Layer("conv2", (256, 48, 5, 5), 0.38, 8, 5.5, 2.3, 14.5, 9.43),
            Layer("conv3", (384, 256, 3, 3), 0.35, 8, 5.1, 2.6, 13.1, 8.44),
            Layer("conv4", (384, 192, 3, 3), 0.37, 8, 5.2, 2.5, 14.1, 9.11),
            Layer("conv5", (256, 192, 3, 3), 0.37, 8, 5.6, 2.5, 14.0, 9.43),
            Layer("fc6", (4096, 9216), 0.09, 5, 3.9, 3.2, 3.0, 2.39),
            Layer("fc7", (4096, 4096), 0.09, 5, 3.6, 3.7, 3.0, 2.46),
            Layer("fc8", (1000, 4096), 0.25, 5, 4.0, 3.2, 7.3, 5.85),
        ),
        3.7,
        2.88,
    ),
    "vgg-16": Published(
        "VGG-16",
        5,
        (
            _vgg("conv1_1", (3, 64), 58, 6.8, 1.7, 40.0, 29.97),
            _vgg("conv1_2", (64, 64), 22, 6.5, 2.6, 9.8, 6.99),
            _vgg("conv2_1", (64, 128), 34, 5.6, 2.4, 14.3, 8.91),
            _vgg("conv2_2", (128, 128), 36, 5.9, 2.3, 14.7, 9.31),
            _vgg("conv3_1", (128, 256), 53, 4.8, 1.8, 21.7, 11.15),
            _vgg("conv3_2", (256, 256), 24, 4.6, 2.9, 9.7, 5.67),
            _vgg("conv3_3", (256, 256), 42, 4.6, 2.2, 17.0, 8.96),
            _vgg("conv4_1", (256, 512), 32, 4.6, 2.6, 13.1, 7.29),
            _vgg("conv4_2", (512, 512), 27, 4.2, 2.9, 10.9, 5.93),
            _vgg("conv4_3", (512, 512), 34, 4.4, 2.5, 14.0, 7.47),
            _vgg("conv5_1", (512, 512), 35, 4.7, 2.5, 14.3, 8.00),
            _vgg("conv5_2", (512, 512), 29, 4.6, 2.7, 11.7, 6.52),
            _vgg("conv5_3", (512, 512), 36, 4.6, 2.3, 14.8, 7.79),
            Layer("fc6", (4096, 25088), 0.04, 5, 3.6, 3.5, 1.6, 1.10),
            Layer("fc7", (4096, 4096), 0.04, 5, 4.0, 4.3, 1.5, 1.25),
            Layer("fc8", (1000, 4096), 0.23, 5, 4.0, 3.4, 7.1, 5.24),
        ),
        3.2,
        2.05,
    ),
}


@dataclass(frozen=True)
class LayerTimes:
    """Tables 8 and 9 for one layer: by (device, kind, batch), microseconds a sample, and watts."""

    features: tuple[int, int]
    density: float
    microseconds: dict[tuple[str, str, int], float]
    watts: dict[tuple[str, str, int], float]


_COLUMNS = ("alexnet.fc6", "alexnet.fc7", "alexnet.fc8", "vgg16.fc6", "vgg16.fc7", "vgg16.fc8")
_SIZES = (
    ((9216, 4096), 0.09), ((4096, 4096), 0.09), ((4096, 1000), 0.25),
    ((25088, 4096), 0.04), ((4096, 4096), 0.04), ((4096, 1000), 0.23),
)  # fmt: skip
_MICROSECONDS = {
    ("Titan X", "dense", 1): (541.5, 243.0, 80.5, 1467.8, 243.0, 80.5),
    ("Titan X", "sparse", 1): (134.8, 65.8, 54.6, 167.0, 39.8, 48.0),
    ("Titan X", "dense", 64): (19.8, 8.9, 5.9, 53.6, 8.9, 5.9),
    ("Titan X", "sparse", 64): (94.6, 51.5, 23.2, 121.5, 24.4, 22.0),
    ("Core i7-5930K", "dense", 1): (7516.2, 6187.1, 1134.9, 35022.8, 5372.8, 774.2),
    ("Core i7-5930K", "sparse", 1): (3066.5, 1282.1, 890.5, 3774.3, 545.1, 777.3),
    ("Core i7-5930K", "dense", 64): (318.4, 188.9, 45.8, 1056.0, 188.3, 45.7),
    ("Core i7-5930K", "sparse", 64): (1417.6, 682.1, 407.7, 1780.3, 274.9, 363.1),
}
_WATTS = {
    ("Titan X", "dense", 1): (157, 159, 159, 166, 163, 159),
    ("Titan X", "sparse", 1): (181, 183, 162, 189, 166, 162),
    ("Core i7-5930K", "dense", 1): (83.5, 72.8, 77.6, 70.6, 74.6, 77.0),
    ("Core i7-5930K", "sparse", 1): (42.3, 37.4, 36.5, 38.0, 37.4, 36.0),
}

FC_LAYERS: dict[str, LayerTimes] = {
    name: LayerTimes(
        *_SIZES[i],
        {key: values[i] for key, values in _MICROSECONDS.items()},
        {key: values[i] for key, values in _WATTS.items()},
    )
    for i, name in enumerate(_COLUMNS)
}
