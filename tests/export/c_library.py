"""Runs a SavedModel by TensorFlow's C API, without TensorFlow's Python.

A script for a process of its own: `python -P c_library.py LIBRARY FOLDER`. The standard input is a
list of requests in JSON: the names of the tensors of an `input` and an `output`, and `images`,
either nested lists of floats or of files `{"b64": ...}`. The standard output becomes the list of
the answers: nested lists, or the number of an error.
"""

import base64
import ctypes
import json
import sys

import numpy as np

FLOAT, STRING = 1, 7
BYTES_OF_STRING = 24  # of the struct `TF_TString`
ADDRESS, NUMBER, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
SIZE, DIMENSION = ctypes.c_size_t, ctypes.c_int64


class Output(ctypes.Structure):
    """The struct `TF_Output`: a tensor of the graph."""

    _fields_ = [("operation", ADDRESS), ("index", NUMBER)]


FUNCTIONS = {
    "NewStatus": (ADDRESS,),
    "GetCode": (NUMBER, ADDRESS),
    "Message": (TEXT, ADDRESS),
    "NewSessionOptions": (ADDRESS,),
    "NewGraph": (ADDRESS,),
    "LoadSessionFromSavedModel": (ADDRESS, ADDRESS, ADDRESS, TEXT, ctypes.POINTER(TEXT), NUMBER,
                                  ADDRESS, ADDRESS, ADDRESS),
    "GraphOperationByName": (ADDRESS, ADDRESS, TEXT),
    "AllocateTensor": (ADDRESS, NUMBER, ctypes.POINTER(DIMENSION), NUMBER, SIZE),
    "TensorData": (ADDRESS, ADDRESS),
    "TensorByteSize": (SIZE, ADDRESS),
    "NumDims": (NUMBER, ADDRESS),
    "Dim": (DIMENSION, ADDRESS, NUMBER),
    "DeleteTensor": (None, ADDRESS),
    "StringInit": (None, ADDRESS),
    "StringCopy": (None, ADDRESS, TEXT, SIZE),
    "SessionRun": (None, ADDRESS, ADDRESS, ctypes.POINTER(Output), ctypes.POINTER(ADDRESS), NUMBER,
                   ctypes.POINTER(Output), ctypes.POINTER(ADDRESS), NUMBER, ADDRESS, NUMBER,
                   ADDRESS, ADDRESS),
    "CloseSession": (None, ADDRESS, ADDRESS),
    "DeleteSession": (None, ADDRESS, ADDRESS),
}  # fmt: skip


class Model:
    """A session of a SavedModel."""

    def __init__(self, path, folder):
        library = ctypes.CDLL(path)
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, f"TF_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.status, self.graph = self.NewStatus(), self.NewGraph()
        self.session = self.LoadSessionFromSavedModel(
            self.NewSessionOptions(),
            None,
            folder.encode(),
            (TEXT * 1)(b"serve"),
            1,
            self.graph,
            None,
            self.status,
        )
        if self.GetCode(self.status):
            sys.exit(self.Message(self.status).decode())

    def run(self, input, output, images):
        """Nested lists, or the number of an error."""
        sent, received = ADDRESS(self.tensor(images)), ADDRESS()
        self.SessionRun(
            self.session,
            None,
            self.place(input),
            ctypes.byref(sent),
            1,
            self.place(output),
            ctypes.byref(received),
            1,
            None,
            0,
            None,
            self.status,
        )
        self.DeleteTensor(sent)
        code = self.GetCode(self.status)
        return code or self.values(received).tolist()

    def place(self, name):
        operation, _, index = name.partition(":")
        found = self.GraphOperationByName(self.graph, operation.encode())
        assert found, f"{operation} is not in the graph"
        return Output(found, int(index))

    def tensor(self, images):
        if not isinstance(images[0], dict):
            array = np.array(images, "float32")
            return self.allocate(FLOAT, array.shape, array.nbytes, array.tobytes())
        files = [base64.b64decode(image["b64"]) for image in images]
        tensor = self.allocate(STRING, (len(files),), BYTES_OF_STRING * len(files))
        for number, file in enumerate(files):
            place = self.TensorData(tensor) + BYTES_OF_STRING * number
            self.StringInit(place)
            self.StringCopy(place, file, len(file))
        return tensor

    def allocate(self, dtype, shape, size, content=None):
        tensor = self.AllocateTensor(dtype, (DIMENSION * len(shape))(*shape), len(shape), size)
        if content:
            ctypes.memmove(self.TensorData(tensor), content, size)
        return tensor

    def values(self, tensor):
        shape = [self.Dim(tensor, axis) for axis in range(self.NumDims(tensor))]
        content = ctypes.string_at(self.TensorData(tensor), self.TensorByteSize(tensor))
        self.DeleteTensor(tensor)
        return np.frombuffer(content, "float32").reshape(shape)

    def close(self):
        self.CloseSession(self.session, self.status)
        self.DeleteSession(self.session, self.status)


def main(library, folder):
    model = Model(library, folder)
    answers = [model.run(**request) for request in json.load(sys.stdin)]
    model.close()
    assert "tensorflow" not in sys.modules
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
