"""Normalisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..step import OnnxNode
from .table import axis_of, translates


@translates("BatchNormalization")
def _batch_norm(n: OnnxNode) -> Tensor:
    n.require(not n.attribute("training_mode", 0), "batch norm is in training mode; export it in inference mode")
    n.require(bool(n.attribute("spatial", 1)), "batch norm with a mean for each pixel is not supported")
    x, scale, bias, mean, variance = n.tensors()
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, n.attribute("epsilon", 1e-5))


@translates("InstanceNormalization")
def _instance_norm(n: OnnxNode) -> Tensor:
    x, scale, bias = n.tensors()
    return F.instance_norm(x, weight=scale, bias=bias, eps=n.attribute("epsilon", 1e-5))


@translates("LayerNormalization")
def _layer_norm(n: OnnxNode) -> Tensor:
    n.require(not (n.wants(1) or n.wants(2)), "the mean and deviation of a layer norm are not supported as outputs")
    x, scale, bias = n.tensor(0), n.tensor(1), n.optional(2)
    shape = x.shape[axis_of(n, x.dim(), -1) :]
    scale, bias = scale.expand(shape), bias if bias is None else bias.expand(shape)
    return F.layer_norm(x, shape, scale, bias, n.attribute("epsilon", 1e-5))


@translates("RMSNormalization")
def _rms_norm(n: OnnxNode) -> Tensor:
    x, scale = n.tensor(0), n.tensor(1)
    shape = x.shape[axis_of(n, x.dim(), -1) :]
    return F.rms_norm(x, shape, scale.expand(shape), n.attribute("epsilon", 1e-5))


@translates("GroupNormalization")
def _group_norm(n: OnnxNode) -> Tensor:
    x, scale, bias = n.tensors()
    groups = n.attribute("num_groups")
    if n.opset < 21:  # one number a group, where newer ones have one a channel
        scale, bias = (t.repeat_interleave(x.shape[1] // groups) for t in (scale, bias))
    return F.group_norm(x, groups, scale, bias, n.attribute("epsilon", 1e-5))


@translates("LRN")
def _lrn(n: OnnxNode) -> Tensor:
    size = n.attribute("size")
    n.require(size % 2 == 1, "a local response norm over an even number of channels is not supported")
    alpha, beta = n.attribute("alpha", 1e-4), n.attribute("beta", 0.75)
    return F.local_response_norm(n.tensor(0), size, alpha, beta, n.attribute("bias", 1.0))


@translates("LpNormalization")
def _lp_norm(n: OnnxNode) -> Tensor:
    x, p = n.tensor(0), n.attribute("p", 2)
    axis = axis_of(n, x.dim(), -1)
    length: Tensor = torch.linalg.vector_norm(x, p, [axis], keepdim=True)
    return x / length


@translates("MeanVarianceNormalization")
def _mean_variance_norm(n: OnnxNode) -> Tensor:
    x, axes = n.tensor(0), n.attribute("axes", [0, 2, 3])
    centred = x - x.mean(axes, keepdim=True)
    return centred / (torch.sqrt((centred * centred).mean(axes, keepdim=True)) + 1e-9)
