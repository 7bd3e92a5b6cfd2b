"""A Core ML package (iOS 18) with sparse and palettised weights: a bit mask, and indices into a table of centroids.

The package holds each weight tensor as a convolution or a linear layer of its own; biases and normalisation, which Core
ML stores as they are, are not in it. No weight changes: thresholds and palettes only encode existing zeros and shared
values.
"""

import sys
import tempfile
from pathlib import Path

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.optimize import coreml

SMALLEST = np.finfo(np.float32).smallest_subnormal.item()


def program(weights):
    """One layer for each tensor, each with its own input. The builder takes their names from a function's signature."""
    inputs = [Builder.TensorSpec(shape=(1, weight.shape[1], *weight.shape[2:])) for weight in weights]
    names = ", ".join(f"x{i}" for i in range(len(weights)))

    def layers(*xs):
        build = (Builder.linear if weight.ndim == 2 else Builder.conv for weight in weights)
        return tuple(layer(x=x, weight=weight) for layer, x, weight in zip(build, xs, weights, strict=True))

    body = eval(f"lambda {names}: layers({names})", {"layers": layers})
    return Builder.program(input_specs=inputs, opset_version=ct.target.iOS18)(body)


def package(weights, path):
    model = ct.convert(
        program(weights),
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS18,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    sparse = coreml.OpThresholdPrunerConfig(threshold=SMALLEST, minimum_sparsity_percentile=0.0, weight_threshold=0)
    shared = coreml.OpPalettizerConfig(mode="unique", weight_threshold=0)
    model = coreml.prune_weights(model, coreml.OptimizationConfig(global_config=sparse))
    model = coreml.palettize_weights(model, coreml.OptimizationConfig(global_config=shared), joint_compression=True)
    model.save(str(path))


def main(model, weights):
    with np.load(weights) as arrays, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.mlpackage"
        package([arrays[name] for name in arrays.files], path)
        print(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))


if __name__ == "__main__":
    main(*sys.argv[1:])
