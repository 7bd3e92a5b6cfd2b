#!/usr/bin/env bash
# Subject: torchao 0.18.0 with torch 2.13.0, quantisation of an exported program (PT2E)
# Likely guess: weights are int8 after convert_pt2e folds them, so the saved .pt2 is a quarter of the
#   fp32 one
# Instead: a convolution followed by batch norm keeps its fp32 weights beside the int8 ones, 1.25
#   times the fp32 bytes, though the graph does not use them; one without batch norm does not
# Why it matters: the file that one ships for its size is larger than the one it replaces
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 torchao==0.18.0
venv/bin/python - 2>warnings.txt <<'PY'
import torch
import torchao
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

images = torch.rand(1, 64, 16, 16)
network = torch.nn.Sequential(torch.nn.Conv2d(64, 256, 3, bias=False), torch.nn.BatchNorm2d(256))
program = torch.export.export(network.eval(), (images,))
quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
prepared = prepare_pt2e(program.module(), quantizer)
prepared(images)
torch.export.save(torch.export.export(convert_pt2e(prepared), (images,)), "int8.pt2")
saved = torch.export.load("int8.pt2")
count = 64 * 256 * 9
stored = {
    str(value.dtype): value.numel() * value.element_size()
    for value in saved.state_dict.values()
    if value.numel() == count
}
unused = [node.name for node in saved.graph.nodes if node.op == "placeholder" and not node.users]

print("torch", torch.__version__, "torchao", torchao.__version__)
print(f"guess: {{'torch.int8': {count}}}")
print("seen: ", stored, "| unused:", unused)
same = stored == {"torch.float32": 4 * count, "torch.int8": count} and len(unused) == 1
raise SystemExit(0 if same else "the behaviour has changed")
PY
