"""LiteRT (once TensorFlow Lite) on the CPU, with XNNPACK; converted from torch's exported program by litert-torch."""

from worker import serve


def prepare(path, batch):
    import litert_torch
    import torch

    module = torch.export.load(path).module()
    litert_torch.convert(module, (torch.from_numpy(batch),)).export(path + ".tflite")


def load(path, threads, batch):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path + ".tflite", num_threads=threads)
    interpreter.allocate_tensors()
    (source,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x):
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(answer["index"])

    return run


if __name__ == "__main__":
    serve(load, "ai_edge_litert.interpreter", prepare)
