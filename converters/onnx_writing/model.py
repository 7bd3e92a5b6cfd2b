"""A container's graph as an ONNX model."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, helper

from ...dcformat import Container, ConversionError, Dense, Graph, Input, infer_shapes
from .builder import OnnxBuilder
from .operators import WRITERS, Use

OPSET = 17
IR_VERSION = 8
"""What goes with the operator set: every reader since 2022 knows both."""
MAX_BYTES = (1 << 31) - (1 << 20)
"""A protobuf holds 2 GiB; the rest is for the graph."""


def to_onnx(container: Container, graph: Graph, batch: int | None = None, sparse: bool = False) -> ModelProto:
    """Make an ONNX model of a container.

    Parameters
    ----------
    container : Container
        For the tensors and metadata.
    graph : Graph
        The container's.
    batch : int, optional
        Fixed batch size; any by default.
    sparse : bool
        Store tensors as sparse initializers where that is smaller.

    Returns
    -------
    ModelProto
        Of operator set 17. Its tensors are those that the graph names, bit for bit, under their names.

    Raises
    ------
    ConversionError
        The weights are too large for an ONNX file.
    UnsupportedOpError
        An operator, or a form of one, that ONNX does not have.
    """
    names = graph.tensor_names()
    b = OnnxBuilder(names, sparse)
    tensors = {name: b.tensor(name, Dense(container.tensor(name), container.entries[name].dtype)) for name in names}
    if b.nbytes > MAX_BYTES:
        hint = "--sparse may make it smaller; .safetensors, .pt and .pt2 have no limit"
        what = "the weights are too large for an ONNX file"
        raise ConversionError(what, expected=f"at most {MAX_BYTES:,} bytes", found=f"{b.nbytes:,}", hint=hint)
    stored = {name: container.entries[name].shape for name in names}
    shapes = infer_shapes(graph, stored)
    given, answers = [b.name(each.name) for each in graph.inputs], [b.name(each.name) for each in graph.outputs]
    b.input, values = given[0], [_as_float(b, *pair) for pair in zip(given, graph.inputs, strict=True)]
    for index, node in enumerate(graph.nodes):
        inputs, params = [values[i] for i in node.inputs], {role: tensors[name] for role, name in node.params.items()}
        param_shapes = {role: stored[name] for role, name in node.params.items()}
        input_shapes = [shapes[i] for i in node.inputs]
        use = Use(index, node, inputs, params, param_shapes, input_shapes, shapes[graph.value_of(index)])
        values.append(_write(b, use))
    for name, value in zip(answers, graph.answers, strict=True):
        b.add("Identity", [values[value]], name)
    size = "N" if batch is None else batch
    kinds = [TensorProto.INT64 if each.dtype == "I64" else TensorProto.FLOAT for each in graph.inputs]
    kinds += [TensorProto.FLOAT] * len(answers)
    places = [*range(len(given)), *graph.answers]
    ends = [
        helper.make_tensor_value_info(name, kind, [size, *shapes[value]])
        for name, kind, value in zip([*given, *answers], kinds, places, strict=True)
    ]
    first, last = ends[: len(given)], ends[len(given) :]
    made = helper.make_graph(b.nodes, "network", first, last, b.initializers, sparse_initializer=b.sparse_initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="dcz")
    helper.set_model_props(model, dict(container.metadata))
    return model


def _as_float(b: OnnxBuilder, name: str, given: Input) -> str:
    """The value that is an input, in fp32."""
    if given.dtype != "I64":
        return name
    value = b.add("Cast", [name], to=TensorProto.FLOAT)
    b.integers[value] = name
    return value


def _write(b: OnnxBuilder, use: Use) -> str:
    if use.node.op not in WRITERS:
        raise use.refusal("ONNX has no such operator")
    return WRITERS[use.node.op](b, use)
