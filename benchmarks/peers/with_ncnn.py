"""ncnn on the CPU in float32, converted by pnnx. ncnn takes one sample at a time, so a batch is a loop here."""

import importlib.util
import re
import subprocess
from pathlib import Path

from worker import serve

REDUCED = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")


def prepare(path, batch, fp16=False):
    (package,) = importlib.util.find_spec("pnnx").submodule_search_locations  # its import would need torch
    made = base(path, fp16)
    outputs = {"ncnnparam": "param", "ncnnbin": "bin", "ncnnpy": "py"} | {
        f"pnnx{kind}": f"pnnx.{kind}" for kind in ("param", "bin", "py", "onnx")
    }
    options = [f"{option}={made}.{ending}" for option, ending in outputs.items()]
    subprocess.run([f"{package}/pnnx", path, f"fp16={int(fp16)}", *options], check=True)
    parameters = Path(made + ".param")
    parameters.write_text(replace_layers(parameters.read_text(), Path(made + ".pnnx.param").read_text()))


def base(path, fp16):
    """Path of the files of pnnx, without endings."""
    return f"{path}.{'fp16' if fp16 else 'fp32'}"


def replace_layers(text, pnnx):
    """Replace the two layers that pnnx does not convert by layers of ncnn.

    A strided slice is a pooling of 1x1 windows at that stride, and zeros before and after the channels are a padding.
    `text` is ncnn's file of layers, `pnnx` the one that it was made from.
    """
    lines = text.splitlines()
    for i, line in enumerate(lines):
        kind, name = [*line.split(), "", ""][:2]
        if kind not in ("Tensor.slice", "Pad"):
            continue
        known = dict(re.findall(r"(\w+)=\(([^)]*)\)", next(x for x in pnnx.splitlines() if f" {name} " in x)))
        if kind == "Pad":
            _, before, *spatial, _, after, below, right = map(int, known["pads"].split(","))
            if [*spatial, below, right] != [0, 0, 0, 0]:
                raise NotImplementedError(f"{line}: pads {known['pads']}")
            lines[i] = f"{line.replace('Pad', 'Padding', 1)} 7={before} 8={after}"
        else:
            if known["dims"] != "2,3" or known["starts"] != "0,0":
                raise NotImplementedError(f"{line}: axes {known['dims']} from {known['starts']}")
            down, across = known["steps"].split(",")
            lines[i] = f"{line.replace(kind, 'Pooling', 1)} 0=0 1=1 11=1 2={across} 12={down} 5=1"
    return "\n".join(lines) + "\n"


def load(path, threads, batch, fp16=False):
    import ncnn
    import numpy as np

    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in () if fp16 else REDUCED:
        setattr(net.opt, option, False)
    if net.load_param(base(path, fp16) + ".param") or net.load_model(base(path, fp16) + ".bin"):
        raise ValueError("ncnn does not load what pnnx made")
    (source,), (answer,) = net.input_names(), net.output_names()

    def run_one(sample):
        extractor = net.create_extractor()
        extractor.input(source, ncnn.Mat(sample))
        return np.array(extractor.extract(answer)[1])

    return lambda x: np.stack([run_one(sample) for sample in x])


if __name__ == "__main__":
    serve(load, "ncnn", prepare)
