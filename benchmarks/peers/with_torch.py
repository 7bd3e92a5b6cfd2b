"""torch, eager, from a file of dense weights (``torch.save``) and the network's code."""

from worker import serve


def prepare(path, batch):
    import torch

    from dcz.converters.torch.baseline import dense_module

    torch.save(dense_module(path).state_dict(), path + ".pt")


def load(path, threads, batch):
    import torch

    from dcz.converters.torch.module import GraphModule
    from dcz.dcformat import open

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    weights = torch.load(path + ".pt", weights_only=True)
    with open(path) as container:
        graph = container.graph
    names = graph.tensor_names()
    module = GraphModule(graph, {name: weights[f"tensor_{i}"].numpy() for i, name in enumerate(names)}).eval()
    return lambda x: module(torch.from_numpy(x)).numpy()


if __name__ == "__main__":
    serve(load, "torch", prepare)
