#!/usr/bin/env bash
# Subject: coremltools 9.0 with torch 2.13.0, MagnitudePruner followed by DKMPalettizer (enforce_zero)
# Likely guess: the layer is stored as pruned and palettized, a mask and an index for each weight that
#   is not zero, as each of the two tools documents for its own result
# Instead: the palettizer replaces the layer that was marked as pruned, so an index is stored for each
#   weight, zeros too; marking the layer by hand gives the sparse form
# Why it matters: four fifths of the weights are zero, and the file is as large as if none were
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 coremltools==9.0
venv/bin/python - 2>warnings.txt <<'PY'
import coremltools as ct
import torch
from coremltools.optimize.torch import palettization, pruning

torch.manual_seed(0)
inputs = torch.randn(1, 256)


def weights(marked_by_hand):
    """Operators by which the converted program makes its weights."""
    network = torch.nn.Sequential(torch.nn.Linear(256, 256, bias=False))
    rule = pruning.ModuleMagnitudePrunerConfig(target_sparsity=0.8)
    pruner = pruning.MagnitudePruner(network, pruning.MagnitudePrunerConfig(global_config=rule))
    network = pruner.prepare(inplace=True)
    pruner.step()
    network = pruner.finalize(inplace=True)
    rule = palettization.ModuleDKMPalettizerConfig(n_bits=4, enforce_zero=True, weight_threshold=0)
    palettizer = palettization.DKMPalettizer(network, palettization.DKMPalettizerConfig(global_config=rule))
    network = palettizer.prepare(inplace=True)
    palettizer.step()
    network(inputs)
    network = palettizer.finalize(inplace=True).eval()
    if marked_by_hand:
        for layer in network.modules():
            if hasattr(layer, "_COREML_/weight/lut"):
                layer.register_buffer("_COREML_/weight/compression_type", torch.tensor([1, 2]))
    zeros = float((network[0].weight == 0).float().mean())
    model = ct.convert(
        torch.jit.trace(network, inputs),
        inputs=[ct.TensorType(shape=inputs.shape)],
        minimum_deployment_target=ct.target.iOS18,
        skip_model_load=True,
    )
    operators = {op.op_type for op in model._mil_program.functions["main"].operations}
    return zeros, sorted(name for name in operators if name.startswith("constexpr"))


plain, by_hand = weights(False), weights(True)
print("torch", torch.__version__, "coremltools", ct.__version__)
print("guess:  a sparse form, constexpr_lut_to_sparse and constexpr_sparse_to_dense")
print(f"seen:   {plain[1]}, with {plain[0]:.0%} of the weights zero")
print(f"marked: {by_hand[1]}")
same = plain[1] == ["constexpr_lut_to_dense"] and plain[0] > 0.75 and "constexpr_lut_to_sparse" in by_hand[1]
raise SystemExit(0 if same else "the behaviour has changed")
PY
