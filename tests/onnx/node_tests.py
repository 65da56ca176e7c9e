#!/usr/bin/env python3
"""node_tests.py FOLDER: writes the node tests of the installed Python package onnx to FOLDER/node, as libonnx-testdata
has those of its version.  Then: ATLED_ONNX_DATA=FOLDER build/tests/test_onnx_backend."""

import os
import sys

import numpy
import onnx.backend.test.case.node as node
from onnx import TensorProto, numpy_helper


def tensor_of(value, name):
    return value if isinstance(value, TensorProto) else numpy_helper.from_array(numpy.asarray(value), name)


def write(folder, case):
    data = os.path.join(folder, case.name, "test_data_set_0")
    inputs, outputs = case.data_sets[0]
    tensors = {}
    sides = (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output))
    for kind, values, ports in sides:
        for i, (value, port) in enumerate(zip(values, ports)):
            tensors["%s_%d.pb" % (kind, i)] = tensor_of(value, port.name).SerializeToString()
    os.makedirs(data, exist_ok=True)
    tensors[os.path.join("..", "model.onnx")] = case.model.SerializeToString()
    for name, content in tensors.items():
        with open(os.path.join(data, name), "wb") as file:
            file.write(content)


def main():
    folder = os.path.join(sys.argv[1], "node")
    written = 0
    for case in node.collect_testcases(None):
        try:
            write(folder, case)
            written += 1
        except (NotImplementedError, TypeError, ValueError) as error:  # sequences and optional values
            print("not written: %s: %s" % (case.name, error), file=sys.stderr)
    print("%d tests of onnx" % written)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
