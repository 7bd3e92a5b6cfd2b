"""The networks of the zoo: 162 from libraries and by hand, with the shape of one sample of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A network of the zoo.

    Attributes
    ----------
    name : str
        Of its source (``timm``, ``tv`` for torchvision, ``smp``, ``yolo`` for ultralytics, ``hf`` for transformers,
        ``own``) and its own, with a colon between.
    group : str
    shape : str
        Of one sample: ``3x224x224``, and the element type where it is not fp32: ``32:int64``.
    """

    name: str
    group: str
    shape: str

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        """As ``dcz.convert`` takes it."""
        sizes, _, element = self.shape.partition(":")
        return (*map(int, sizes.split("x")), *([element] if element else []))

    def batch(self, samples: int) -> NDArray[Any]:
        """Random inputs: normal noise, or row numbers of a table of 256 rows or more."""
        sizes, _, element = self.shape.partition(":")
        shape, rng = (samples, *map(int, sizes.split("x"))), np.random.default_rng(0)
        if not element and "ids(" not in self.name:
            return rng.standard_normal(shape, dtype=np.float32)
        return rng.integers(256, size=shape).astype(element or np.float32)

    def build(self) -> nn.Module:
        """Make it with random weights, in eval mode. Its library must be installed."""
        import torch

        torch.manual_seed(0)
        source, _, name = self.name.partition(":")
        name, _, kind = (name, "", "") if source == "own" else name.partition("(")
        return BUILDERS[source](name, kind.rstrip(")")).eval()


def _timm(name: str, kind: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False)


def _torchvision(name: str, kind: str) -> nn.Module:
    from torchvision import models

    more = {"weights_backbone": None} if name.startswith(("deeplab", "fcn", "lraspp")) else {}
    more |= {"init_weights": True} if name == "googlenet" else {}
    return models.get_model(name, weights=None, **more)


def _segmentation(name: str, kind: str) -> nn.Module:
    import segmentation_models_pytorch as smp

    decoder, _, encoder = name.partition("-")
    return getattr(smp, decoder)({"mbv2": "mobilenet_v2"}.get(encoder, encoder), encoder_weights=None, classes=2)


def _yolo(name: str, kind: str) -> nn.Module:
    from ultralytics import YOLO

    model = YOLO(f"{name}.yaml").model
    if kind == "export":
        for module in model.modules():
            if hasattr(module, "export"):
                module.export = True
    return model


def _own(name: str, kind: str) -> nn.Module:
    from .own import OWN

    return OWN[name]()


def _transformers(name: str, kind: str) -> nn.Module:
    from .hugging_face import build

    return build(name, kind)


BUILDERS: dict[str, Callable[[str, str], nn.Module]] = {
    "timm": _timm,
    "tv": _torchvision,
    "smp": _segmentation,
    "yolo": _yolo,
    "hf": _transformers,
    "own": _own,
}
"""How a network is made, by its source."""

_SHAPES = {
    "cnn": """
        own:mtcnn-pnet(prelu,2 outputs) | 3x48x48
        own:preprocessing inside ((x-mean)/std) | 3x64x64
        timm:convnext_atto | 3x224x224
        timm:convnext_tiny | 3x224x224
        timm:convnextv2_atto | 3x224x224
        timm:cspdarknet53 | 3x224x224
        timm:cspresnet50 | 3x224x224
        timm:darknet53 | 3x224x224
        timm:densenet121 | 3x224x224
        timm:dla34 | 3x224x224
        timm:eca_nfnet_l0 | 3x224x224
        timm:efficientnet_b0 | 3x224x224
        timm:efficientnet_lite0 | 3x224x224
        timm:efficientnetv2_s | 3x224x224
        timm:ese_vovnet19b_dw | 3x224x224
        timm:fastvit_t8 | 3x224x224
        timm:fbnetc_100 | 3x224x224
        timm:gernet_s | 3x224x224
        timm:ghostnet_100 | 3x224x224
        timm:hardcorenas_a | 3x224x224
        timm:hgnet_tiny | 3x224x224
        timm:hrnet_w18_small | 3x224x224
        timm:inception_next_atto | 3x224x224
        timm:inception_v3 | 3x224x224
        timm:inception_v4 | 3x224x224
        timm:lcnet_050 | 3x224x224
        timm:legacy_xception | 3x224x224
        timm:mambaout_femto | 3x224x224
        timm:mnasnet_100 | 3x224x224
        timm:mobilenet_edgetpu_v2_xs | 3x224x224
        timm:mobilenetv1_100 | 3x224x224
        timm:mobilenetv2_100 | 3x224x224
        timm:mobilenetv3_large_100 | 3x224x224
        timm:mobilenetv3_small_100 | 3x224x224
        timm:mobilenetv4_conv_small | 3x224x224
        timm:mobileone_s0 | 3x224x224
        timm:nasnetalarge | 3x224x224
        timm:nfnet_l0 | 3x224x224
        timm:pnasnet5large | 3x224x224
        timm:rdnet_tiny | 3x224x224
        timm:regnetx_002 | 3x224x224
        timm:regnety_002 | 3x224x224
        timm:repghostnet_050 | 3x224x224
        timm:repvgg_a0 | 3x224x224
        timm:res2net50_26w_4s | 3x224x224
        timm:resnest14d | 3x224x224
        timm:resnet18 | 3x224x224
        timm:resnet50 | 3x224x224
        timm:resnet50_gn | 3x224x224
        timm:resnetv2_50 | 3x224x224
        timm:resnetv2_50x1_bit | 3x224x224
        timm:resnext50_32x4d | 3x224x224
        timm:rexnet_100 | 3x224x224
        timm:selecsls42b | 3x224x224
        timm:seresnet50 | 3x224x224
        timm:skresnet18 | 3x224x224
        timm:starnet_s1 | 3x224x224
        timm:tf_efficientnet_b0 | 3x224x224
        timm:tf_efficientnet_lite0 | 3x224x224
        timm:tf_efficientnetv2_s | 3x224x224
        timm:tinynet_e | 3x106x106
        timm:vgg11_bn | 3x224x224
        timm:wide_resnet50_2 | 3x224x224
        timm:xception41 | 3x224x224
        tv:alexnet | 3x224x224
        tv:googlenet | 3x224x224
        tv:mnasnet0_5 | 3x224x224
        tv:shufflenet_v2_x0_5 | 3x224x224
        tv:squeezenet1_1 | 3x224x224
        tv:vgg16 | 3x224x224
        yolo:yolov8n-cls | 3x224x224
        yolo:yolov8n-cls(export) | 3x224x224
    """,
    "dense": """
        own:autoencoder-conv-mlp | 1x28x28
        own:dcgan-discriminator | 3x64x64
        own:dcgan-generator | 100x1x1
        own:srresnet-pixelshuffle | 3x32x32
        own:unet-bilinear | 3x128x128
        own:unet-convtranspose | 3x128x128
        own:yolo-like-3-outputs | 3x160x160
        smp:DeepLabV3Plus-resnet18 | 3x128x128
        smp:FPN-resnet18 | 3x128x128
        smp:Linknet-resnet18 | 3x128x128
        smp:PSPNet-resnet18 | 3x128x128
        smp:Unet-resnet18 | 3x128x128
        smp:UnetPlusPlus-mbv2 | 3x128x128
        tv:deeplabv3_mobilenet_v3_large | 3x128x128
        tv:fcn_resnet50 | 3x128x128
        tv:lraspp_mobilenet_v3_large | 3x128x128
        yolo:yolo11n | 3x320x320
        yolo:yolo11n(export) | 3x320x320
        yolo:yolov3-tiny | 3x320x320
        yolo:yolov3-tiny(export) | 3x320x320
        yolo:yolov5n | 3x320x320
        yolo:yolov5n(export) | 3x320x320
        yolo:yolov8n | 3x320x320
        yolo:yolov8n(export) | 3x320x320
        yolo:yolov8n-seg | 3x320x320
        yolo:yolov8n-seg(export) | 3x320x320
    """,
    "transformer": """
        own:bert-tiny-float-embeddings | 32x64
        own:bert-tiny-ids(as float) | 32
        own:bert-tiny-ids(int64) | 32:int64
        timm:beit_base_patch16_224 | 3x224x224
        timm:cait_xxs24_224 | 3x224x224
        timm:coatnet_0_rw_224 | 3x224x224
        timm:deit_tiny_patch16_224 | 3x224x224
        timm:edgenext_xx_small | 3x256x256
        timm:efficientformer_l1 | 3x224x224
        timm:efficientformerv2_s0 | 3x224x224
        timm:efficientvit_b0 | 3x224x224
        timm:levit_128s | 3x224x224
        timm:maxvit_tiny_tf_224 | 3x224x224
        timm:mixer_s32_224 | 3x224x224
        timm:mobilevit_xxs | 3x256x256
        timm:mobilevitv2_050 | 3x256x256
        timm:poolformer_s12 | 3x224x224
        timm:pvt_v2_b0 | 3x224x224
        timm:repvit_m0_9 | 3x224x224
        timm:resmlp_12_224 | 3x224x224
        timm:sebotnet33ts_256 | 3x256x256
        timm:swin_tiny_patch4_window7_224 | 3x224x224
        timm:twins_svt_small | 3x224x224
        timm:vit_tiny_patch16_224 | 3x224x224
        timm:xcit_nano_12_p16_224 | 3x224x224
        tv:swin_t | 3x224x224
        tv:vit_b_16 | 3x224x224
    """,
    "hugging face": """
        hf:bert | 16:int64
        hf:bert(mask) | 16:int64
        hf:roberta(mask) | 16:int64
        hf:distilbert(mask) | 16:int64
        hf:albert | 16:int64
        hf:electra | 16:int64
        hf:mobilebert | 16:int64
        hf:deberta-v2(mask) | 16:int64
        hf:modernbert(mask) | 16:int64
        hf:t5-encoder | 16:int64
        hf:clip-text | 16:int64
        hf:llama | 16:int64
        hf:llama(mask) | 16:int64
        hf:mistral | 16:int64
        hf:qwen2 | 16:int64
        hf:phi | 16:int64
        hf:gemma2 | 16:int64
        hf:gpt2(mask) | 16:int64
        hf:mamba | 16:int64
        hf:vit | 3x32x32
        hf:dinov2 | 3x32x32
        hf:siglip | 3x32x32
        hf:swinv2 | 3x32x32
        hf:segformer | 3x32x32
        hf:wav2vec2 | 640
    """,
    "other": """
        own:bilstm | 20x16
        own:cnn1d-ecg | 1x1000
        own:crnn-ocr | 1x32x100
        own:gru | 20x16
        own:lstm | 20x16
        own:m5-audio | 1x8000
        own:mlp | 64
        own:mlp-bn-gelu-dropout | 64
        own:mlp-tanh-sigmoid | 64
        own:tcn-causal | 6x128
        own:textcnn | 50x64
        tv:r3d_18(video) | 3x8x56x56
    """,
}
ZOO = {
    name: Network(name, group, shape)
    for group, lines in _SHAPES.items()
    for name, shape in (line.strip().split(" | ") for line in lines.strip().splitlines())
}
"""All networks by name."""
QUICK = (
    "own:mlp", "own:mtcnn-pnet(prelu,2 outputs)", "own:cnn1d-ecg", "own:lstm", "own:bert-tiny-ids(int64)",
    "own:unet-convtranspose",
    "timm:lcnet_050", "timm:mobilenetv3_small_100", "timm:resnet18", "tv:squeezenet1_1", "timm:vit_tiny_patch16_224",
)  # fmt: skip
"""A dozen of different kinds, for quick runs."""
