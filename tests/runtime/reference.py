"""An obvious interpreter of graphs in float64 NumPy: the oracle of the runtime's tests."""

from itertools import product
from math import ceil, floor

import numpy as np


def run(graph, tensors, batch):
    """Run a graph on a batch (N, *input_shape); `tensors` maps names to dense arrays."""
    values = [batch.astype(np.float64)]
    for node in graph.nodes:
        params = {role: np.asarray(tensors[name], dtype=np.float64) for role, name in node.params.items()}
        values.append(OPS[node.op](*(values[v] for v in node.inputs), **params, **node.attrs))
    return values[graph.output]


def _channels(vector, x):
    return vector.reshape(1, -1, *(1,) * (x.ndim - 2))


def conv2d(x, weight, stride, padding, dilation, groups, bias=None):
    n, _, height, width = x.shape
    out_channels, per_group, kh, kw = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    oh = (height + 2 * padding[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + 2 * padding[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((n, out_channels, oh, ow))
    for o in range(out_channels):
        first = o // (out_channels // groups) * per_group
        for c, i, j in product(range(per_group), range(kh), range(kw)):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (oh - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (ow - 1) * stride[1] + 1, stride[1])
            out[:, o] += weight[o, c, i, j] * x[:, first + c, rows, columns]
    return out if bias is None else out + _channels(bias, out)


def linear(x, weight, bias=None):
    return x @ weight.T + (0 if bias is None else bias)


def batch_norm(x, running_mean, running_var, eps, weight=None, bias=None):
    y = (x - _channels(running_mean, x)) / np.sqrt(_channels(running_var, x) + eps)
    y = y if weight is None else y * _channels(weight, x)
    return y if bias is None else y + _channels(bias, x)


def relu(x):
    return np.where(x < 0, 0, x)


def relu6(x):
    return np.where(x > 6, 6, relu(x))


def _windows(size, kernel, stride, padding, dilation, ceil_mode):
    """Positions of each window along one axis, unclipped."""
    steps = (size + 2 * padding - dilation * (kernel - 1) - 1) / stride
    count = (ceil(steps) if ceil_mode else floor(steps)) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return [[i * stride - padding + k * dilation for k in range(kernel)] for i in range(count)]


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    rows, columns = (_windows(x.shape[2 + a], kernel[a], stride[a], padding[a], dilation[a], ceil_mode) for a in (0, 1))
    out = np.full((*x.shape[:2], len(rows), len(columns)), -np.inf)
    for (i, ys), (j, xs) in product(enumerate(rows), enumerate(columns)):
        for y, z in product(ys, xs):
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                out[:, :, i, j] = np.maximum(out[:, :, i, j], x[:, :, y, z])  # NaN wins
    return out


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad):
    height, width = x.shape[2:]
    rows, columns = (_windows(x.shape[2 + a], kernel[a], stride[a], padding[a], 1, ceil_mode) for a in (0, 1))
    out = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for (i, ys), (j, xs) in product(enumerate(rows), enumerate(columns)):
        inside = [(y, z) for y, z in product(ys, xs) if 0 <= y < height and 0 <= z < width]
        padded = [(y, z) for y, z in product(ys, xs) if y < height + padding[0] and z < width + padding[1]]
        for y, z in inside:
            out[:, :, i, j] += x[:, :, y, z]
        out[:, :, i, j] /= len(padded if count_include_pad else inside)
    return out


def _adaptive(x, output, reduce):
    out = np.empty((*x.shape[:2], *output))
    for i, j in product(range(output[0]), range(output[1])):
        (top, bottom), (left, right) = (
            (floor(k * size / n), ceil((k + 1) * size / n))
            for k, size, n in zip((i, j), x.shape[2:], output, strict=True)
        )
        out[:, :, i, j] = reduce(x[:, :, top:bottom, left:right], axis=(2, 3))
    return out


def adaptive_avg_pool2d(x, output):
    return _adaptive(x, output, np.mean)


def adaptive_max_pool2d(x, output):
    return _adaptive(x, output, np.max)


def add(a, b):
    return a + b


def concat(*inputs, axis):
    return np.concatenate(inputs, axis=axis + 1)


def flatten(x):
    return x.reshape(len(x), -1)


def softmax(x, axis, log):
    shifted = x - x.max(axis=axis + 1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=axis + 1, keepdims=True))
    return logs if log else np.exp(logs)


def slice_(x, axis, start, stop, step):
    return np.take(x, range(start, stop, step), axis=axis + 1)


def pad(x, before, after):
    return np.pad(x, [(0, 0), *zip(before, after, strict=True)])


OPS = {
    "conv2d": conv2d,
    "linear": linear,
    "batch_norm": batch_norm,
    "relu": relu,
    "relu6": relu6,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_max_pool2d": adaptive_max_pool2d,
    "add": add,
    "concat": concat,
    "flatten": flatten,
    "softmax": softmax,
    "slice": slice_,
    "pad": pad,
}
