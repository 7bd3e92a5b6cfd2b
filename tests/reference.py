"""An obvious interpreter of graphs in float64 NumPy, by what each operator means: the oracle of the runtime's tests."""

import numpy as np

from dcz.dcformat import OPS


def run(graph, tensors, *batches):
    """The first output for batches (N, *shape), one an input; `tensors` maps names to dense arrays."""
    values = [batch.astype(np.float64) for batch in batches]
    for node in graph.nodes:
        params = {role: np.asarray(tensors[name], dtype=np.float64) for role, name in node.params.items()}
        made = OPS[node.op].meaning(*(values[v] for v in node.inputs), **params, **node.attrs)
        values.append(made if node.inputs else np.broadcast_to(made, (len(batches[0]), *made.shape[1:])))
    return values[graph.output]
