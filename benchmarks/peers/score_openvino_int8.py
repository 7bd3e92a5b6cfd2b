"""OpenVINO quantised by NNCF on images: writes the network that ``openvino int8`` then times, and its answers.

Called as ``python SCRIPT MODEL.onnx CALIBRATION.npy TEST.npy ANSWERS.npy``; the network takes one sample.
"""

import sys

import numpy as np


def main(model_path, calibration, test, answers):
    import nncf
    import openvino

    images = [image[None] for image in np.load(calibration)]
    core = openvino.Core()
    quantised = nncf.quantize(core.read_model(model_path), nncf.Dataset(images), subset_size=len(images))
    openvino.save_model(quantised, model_path + ".int8.xml")
    compiled = core.compile_model(quantised, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1})
    np.save(answers, np.concatenate([compiled(image[None])[0] for image in np.load(test)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
