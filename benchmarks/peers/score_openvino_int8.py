"""OpenVINO quantised by NNCF on images: writes the network that ``openvino int8`` then times, and its answers.

Called as ``python SCRIPT MODEL.onnx CALIBRATION.npy TEST.npy ANSWERS.npy``.
"""

import sys

import numpy as np


def batches(images, size):
    """Images in batches, the last one filled up with its first image."""
    for start in range(0, len(images), size):
        part = images[start : start + size]
        yield np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])


def main(model_path, calibration, test, answers):
    import nncf
    import openvino

    core, test = openvino.Core(), np.load(test)
    model = core.read_model(model_path)
    size = model.inputs[0].shape[0]
    data = list(batches(np.load(calibration), size))
    quantised = nncf.quantize(model, nncf.Dataset(data), subset_size=len(data))
    openvino.save_model(quantised, model_path + ".int8.xml")
    compiled = core.compile_model(quantised, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1})
    np.save(answers, np.concatenate([compiled(batch)[0] for batch in batches(test, size)])[: len(test)])


if __name__ == "__main__":
    main(*sys.argv[1:])
