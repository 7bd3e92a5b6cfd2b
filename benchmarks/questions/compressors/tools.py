"""Compression tools of a user's training loop, each as its documentation shows it: `TOOLS`.

A tool prunes a network in the first phase of the training and shares or quantises it in the second. What it ships is a
file, or a folder, that the tool's own runtime reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
DENSITY = 0.2
BITS = 4
RAMP, EVERY = 0.6, 10
"""Share of the first phase after which the density has its target, and steps between two changes of the masks."""


def last_change(steps: int) -> int:
    """The step of a first phase of `steps` after which the masks stay."""
    return round(RAMP * steps)


def densities(steps: int) -> dict[int, float]:
    """Density of the network from each change of the masks on, by the step after which it is made: a cubic law.

    dcz and coremltools have this law (Zhu and Gupta 2017, arXiv 1710.01878); the other tools are given its values.
    """
    end = last_change(steps)
    return {step: DENSITY + (1 - DENSITY) * (1 - step / end) ** 3 for step in (*range(EVERY, end, EVERY), end)}


class Tool(ABC):
    """What a training loop calls.

    Attributes
    ----------
    packages : tuple of str
        Whose versions the results name.
    ships : str
        The file, in words.
    """

    packages: ClassVar[tuple[str, ...]]
    ships: ClassVar[str]

    @abstractmethod
    def prune(self, model: nn.Module, steps: int) -> nn.Module:
        """Begin the first phase, of `steps` steps; the module to train."""

    @abstractmethod
    def share(self, model: nn.Module, images: Tensor) -> nn.Module:
        """Begin the second phase; the module to train on."""

    @abstractmethod
    def step(self) -> None:
        """Take part after a step of the optimiser."""

    @abstractmethod
    def ship(self, model: nn.Module, images: Tensor, folder: Path) -> Sequence[Path]:
        """Write the files that a user would ship."""

    def load(self, folder: Path) -> Answer | None:
        """The shipped network in the tool's runtime, on one thread; None where that does not run on this system."""
        return None


class Dcz(Tool):
    """dcz: `Pruner` and `Sharer`."""

    packages = ("dcz",)
    ships = ".dcz"

    def prune(self, model: nn.Module, steps: int) -> nn.Module:
        from dcz.compression import Pruner

        self._tool: Any = Pruner(DENSITY, end=last_change(steps), every=EVERY).attach(model)
        return model

    def share(self, model: nn.Module, images: Tensor) -> nn.Module:
        from dcz.compression import Sharer

        self._tool = Sharer(f"conv={BITS},fc={BITS}").attach(model)
        return model

    def step(self) -> None:
        self._tool.step()

    def ship(self, model: nn.Module, images: Tensor, folder: Path) -> Sequence[Path]:
        import dcz

        dcz.convert(self._tool.finish().eval(), folder / "network.dcz", input_shape=images.shape[1:])
        return [folder / "network.dcz"]

    def load(self, folder: Path) -> Answer | None:
        import dcz

        model = dcz.load(folder / "network.dcz", threads=1)
        return lambda batch: model(batch)


class CoreMl(Tool):
    """coremltools: `MagnitudePruner` and `DKMPalettizer`, which keeps zeros at zero."""

    packages = ("coremltools",)
    ships = ".mlpackage, iOS 18"
    palettes, kinds = "_COREML_/weight/lut", "_COREML_/weight/compression_type"
    joint = 1, 2
    """Buffers that its converter reads; `joint`, "pruned and palettised", is a value of `kinds`."""

    def prune(self, model: nn.Module, steps: int) -> nn.Module:
        from coremltools.optimize.torch import pruning

        every = pruning.pruning_scheduler.PolynomialDecayScheduler(update_steps=[0, *densities(steps)])
        module = pruning.ModuleMagnitudePrunerConfig(scheduler=every, target_sparsity=1 - DENSITY)
        self._tool: Any = pruning.MagnitudePruner(model, pruning.MagnitudePrunerConfig(global_config=module))
        return self._tool.prepare(inplace=True)

    def share(self, model: nn.Module, images: Tensor) -> nn.Module:
        from coremltools.optimize.torch import palettization

        model = self._tool.finalize(inplace=True)
        module = palettization.ModuleDKMPalettizerConfig(n_bits=BITS, enforce_zero=True, weight_threshold=0)
        config = palettization.DKMPalettizerConfig(global_config=module)
        self._tool = palettization.DKMPalettizer(model, config)
        return self._tool.prepare(inplace=True)

    def step(self) -> None:
        self._tool.step()

    def ship(self, model: nn.Module, images: Tensor, folder: Path) -> Sequence[Path]:
        import coremltools as ct

        model = self._tool.finalize(inplace=True).eval()
        for layer in model.modules():
            if hasattr(layer, self.palettes):  # the palettizer forgets that the layer was pruned
                layer.register_buffer(self.kinds, torch.tensor(self.joint))
        traced = torch.jit.trace(model, images[:1])
        package = ct.convert(
            traced,
            inputs=[ct.TensorType(shape=images[:1].shape)],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )
        package.save(str(folder / "network.mlpackage"))
        return [folder / "network.mlpackage"]


class Nncf(Tool):
    """NNCF: pruning by magnitude, then 8-bit integers with trained ranges; OpenVINO runs them."""

    packages = ("nncf", "openvino")
    ships = "OpenVINO IR, int8"

    def prune(self, model: nn.Module, steps: int) -> nn.Module:
        import nncf
        from nncf.torch.function_hook.pruning.magnitude import schedulers

        mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
        images = torch.zeros(1, 3, 32, 32)
        pruned = nncf.prune(model, mode=mode, ratio=0.0, examples_inputs=images)
        self._steps = 0
        self._ratios = {0: 0.0} | {step: 1 - density for step, density in densities(steps).items()}
        self._tool: Any = schedulers.MultiStepMagnitudePruningScheduler(pruned, mode=mode, steps=self._ratios)
        return pruned

    def share(self, model: nn.Module, images: Tensor) -> nn.Module:
        import nncf

        self._tool = None
        batches = [image[None] for image in images]
        return nncf.quantize(model.eval(), nncf.Dataset(batches), subset_size=len(batches))

    def step(self) -> None:
        self._steps += 1
        if self._tool is not None and self._steps in self._ratios:
            self._tool.step(self._steps)

    def ship(self, model: nn.Module, images: Tensor, folder: Path) -> Sequence[Path]:
        import nncf
        import openvino

        network = openvino.convert_model(nncf.strip(model.eval(), example_input=images[:1]), example_input=images[:1])
        openvino.save_model(network, folder / "network.xml")
        return [folder / "network.xml", folder / "network.bin"]

    def load(self, folder: Path) -> Answer | None:
        import openvino

        network = openvino.Core().compile_model(
            folder / "network.xml", "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        )
        return lambda batch: network(batch)[0]


class TorchAo(Tool):
    """torch.nn.utils.prune, then 8-bit integers by torchao for the x86 backend of torch.compile."""

    packages = ("torch", "torchao")
    ships = ".pt2, int8"

    def prune(self, model: nn.Module, steps: int) -> nn.Module:
        self._model, self._steps, self._densities = model, 0, densities(steps)
        return model

    def share(self, model: nn.Module, images: Tensor) -> nn.Module:
        return model

    def step(self) -> None:
        from torch.nn.utils import prune

        self._steps += 1
        if self._steps in self._densities:
            layers = [(layer, "weight") for layer in self._layers()]
            remaining = sum(int(getattr(layer, "weight_mask", layer.weight).count_nonzero()) for layer, _ in layers)
            target = round(self._densities[self._steps] * sum(layer.weight.numel() for layer, _ in layers))
            prune.global_unstructured(layers, prune.L1Unstructured, amount=max(remaining - target, 0))

    def ship(self, model: nn.Module, images: Tensor, folder: Path) -> Sequence[Path]:
        from torch.nn.utils import prune
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

        for layer in self._layers():
            prune.remove(layer, "weight")
        sample = images[:1].clone()  # a view would bring its whole batch into the file
        quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
        prepared = prepare_pt2e(torch.export.export(model.eval(), (sample,)).module(), quantizer)
        for image in images:
            prepared(image[None])
        quantised = convert_pt2e(prepared)
        torch.export.save(torch.export.export(quantised, (sample,)), folder / "network.pt2")
        return [folder / "network.pt2"]

    def load(self, folder: Path) -> Answer | None:
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer  # noqa: F401 (its operators)

        torch.set_grad_enabled(False)
        torch._inductor.config.freezing = True
        network = torch.compile(torch.export.load(folder / "network.pt2").module())
        return lambda batch: network(torch.from_numpy(batch)).numpy()

    def _layers(self) -> list[nn.Module]:
        return [layer for layer in self._model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


TOOLS: dict[str, Callable[[], Tool]] = {"dcz": Dcz, "coremltools": CoreMl, "NNCF": Nncf, "torch + torchao": TorchAo}
