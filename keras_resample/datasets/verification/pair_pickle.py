"""What a `.bin` verification set may hold, unpickled with stand-ins.

A pickle is a program for a stack machine. It is first written anew. The instructions that build
lists, tuples, booleans and integers stay. One that pushes a string becomes a request for something
from outside, by the place where the bytes stand: images are left in the file. Any other is refused.
Then Python's unpickler runs it. For the few names that real files ask for (uint8 and bool arrays of
numpy, bytes of Python 2) it is given stand-ins, never what is named, and for every other name an
error.
"""

import io
import pickle
import pickletools
from typing import NamedTuple

# Two instructions an image would be enough; numpy arrays need about twenty. So many are
# admitted always, and more in a file that has that many bytes to each, as with images it has.
MOST_INSTRUCTIONS = 1 << 21
BYTES_AN_INSTRUCTION = 16
LONGEST_LINE = 256

OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
STRINGS = {"SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
           *TEXTS}  # fmt: skip
ADMITTED = {"PROTO", "FRAME", "STOP", "MARK", "POP", "NONE", "NEWTRUE", "NEWFALSE", "INT",
            "BININT", "BININT1", "BININT2", "LONG", "LONG1", "EMPTY_LIST", "LIST", "APPEND",
            "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "PUT", "BINPUT",
            "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET", "GLOBAL", "STACK_GLOBAL",
            "REDUCE", "BUILD", *STRINGS}  # fmt: skip
# Requests what stands in for the module and name on the stack, and tells the place in the file.
NAME_OF_STACK = pickle.TUPLE2 + b"I%d\n" + pickle.TUPLE2 + pickle.BINPERSID
# Bytes of the number that tells how long an argument is.
WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


class Span(NamedTuple):
    """A string: bytes `start` to `stop` of the file.

    With `text` it is one of characters, and the bytes are its UTF-8. With `latin` it is one of
    bytes, and they are UTF-8 of its Latin-1 reading, as protocol 2 of Python 3 writes it.
    """

    start: int
    stop: int
    text: bool = False
    latin: bool = False


class Dtype(str):
    """`u1` or `b1`."""

    def __setstate__(self, state):
        """Byte order and alignment, which a byte has not."""


class Array:
    """A one-dimensional array: `code` "u1" or "b1", and the `span` of its bytes."""

    code = span = None

    def __setstate__(self, state):
        match state:
            case (*_, tuple((int() as count,)), Dtype() as code, bool() | int(), Span() as span):
                self.fill(count, code, span)
            case _:
                raise ValueError("arrays must be of uint8 or bool and of one dimension")

    def fill(self, count, code, span):
        """Takes its `count` values."""
        length = span.stop - span.start
        # UTF-8 takes one or two bytes for each.
        if not ((length + 1) // 2 if span.latin else length) <= count <= length or span.text:
            raise ValueError(f"an array of {count} values has {length} bytes at byte {span.start}")
        self.code, self.span = code, span


class PairPickle(pickle.Unpickler):
    """Unpickles plain values.

    Args:
        data: the bytes of the file, or a memory map.

    Raises:
        ValueError: for a truncated pickle, and for instructions that build no plain value.
    """

    def __init__(self, data):
        super().__init__(io.BytesIO(rewritten(data)))
        self.data = data

    def value(self):
        """The pickled value.

        Returns:
            None, bools, ints, lists, tuples, `Span` and `Array`.

        Raises:
            ValueError: for anything but plain values.
        """
        try:
            return self.load()
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(f"it is no sound pickle ({type(error).__name__}: {error})") from error

    def persistent_load(self, request):
        """A string, or what stands in for a name that lay on the stack."""
        if isinstance(request, str):
            start, stop, text = (int(number) for number in request.split())
            return Span(start, stop, bool(text))
        words, place = request
        module, name = (self._word(word) for word in words)
        _check_name(module, name, place)
        return self.find_class(module, name)

    def find_class(self, module, name):
        """What stands in for a name, which has been checked."""
        return getattr(self, STAND_INS[module, name])

    def _word(self, value):
        if not isinstance(value, Span) or value.stop - value.start > LONGEST_LINE:
            raise ValueError("a short string is missing")
        return self.data[value.start : value.stop].decode("latin-1")

    def _array(self, kind, shape, code):
        if kind != self._array_type:
            raise ValueError("it reconstructs what is no array")
        return Array()

    def _array_type(self):
        raise ValueError("it makes an array otherwise than numpy does")

    def _dtype(self, code, *_):
        code = self._word(code).lstrip("|")
        if code not in ("u1", "b1"):
            raise ValueError(
                f"arrays must be of uint8 or bool, not {code!r}: store labels as booleans, such as "
                "`same.astype(bool)`, and an image as its encoded bytes"
            )
        return Dtype(code)

    def _array_of_buffer(self, span, code, shape, order):
        array = Array()
        array.__setstate__((shape, code, False, span))
        return array

    def _scalar(self, code, span):
        if not isinstance(code, Dtype) or span.stop - span.start != 1 or span.text:
            raise ValueError("a scalar must be one uint8 or bool")
        number = self.data[span.start]
        return bool(number) if code == "b1" else number

    def _encoded(self, span, encoding):
        if not span.text or self._word(encoding) not in ("latin1", "latin-1"):
            raise ValueError("it encodes what is no Latin-1 text")
        return Span(span.start, span.stop, latin=True)

    def _bytearray(self, span):
        if not isinstance(span, Span) or span.text:
            raise ValueError("it makes a bytearray of what is no byte string")
        return span


# Names that real files ask for, by the method that stands in.
STAND_INS = {
    ("numpy", "ndarray"): "_array_type",
    ("numpy", "dtype"): "_dtype",
    ("_codecs", "encode"): "_encoded",
    ("builtins", "bytearray"): "_bytearray",
    ("__builtin__", "bytearray"): "_bytearray",
}
for _package in ("numpy.core", "numpy._core"):
    STAND_INS[f"{_package}.multiarray", "_reconstruct"] = "_array"
    STAND_INS[f"{_package}.multiarray", "scalar"] = "_scalar"
    STAND_INS[f"{_package}.numeric", "_frombuffer"] = "_array_of_buffer"


def rewritten(data):
    """A pickle with requests in place of its strings and names.

    Raises:
        ValueError: where it is truncated or too long, or has an instruction that is not admitted.
    """
    parts, start = bytearray(), 0
    most = max(MOST_INSTRUCTIONS, len(data) // BYTES_AN_INSTRUCTION)
    for _ in range(most):
        opcode = OPCODES.get(data[start : start + 1])
        first, end = _argument(data, start, opcode)
        if end > len(data):
            raise ValueError(
                f"it needs {end - start} bytes at byte {start}, where {len(data) - start} are left"
            )
        if opcode.name in STRINGS:
            parts += b"P%d %d %d\n" % (first, end, opcode.name in TEXTS)
        elif opcode.name == "STACK_GLOBAL":
            parts += NAME_OF_STACK % end
        elif opcode.name != "FRAME":
            if opcode.name == "GLOBAL":
                _check_name(*data[first:end].decode("latin-1").split("\n")[:2], end)
            elif opcode.name == "PUT":
                _check_memo(int(data[first:end]), most)
            elif opcode.name == "LONG_BINPUT":
                _check_memo(int.from_bytes(data[first:end], "little"), most)
            parts += data[start:end]
        if opcode.name == "STOP":
            return bytes(parts)
        start = end
    raise ValueError(f"it has more than {most} pickle instructions")


def _argument(data, start, opcode):
    """Where the argument of an instruction begins and ends; its length, if told, is before it."""
    if start == len(data):
        raise ValueError(f"it ends at byte {start}, where an instruction is missing")
    if opcode is None or opcode.name not in ADMITTED:
        raise ValueError(
            f"at byte {start} stands the pickle instruction {data[start : start + 1]!r}, which "
            "builds none of lists, tuples, booleans, integers and byte strings (protocols 1 to 5)"
        )
    length = opcode.arg.n if opcode.arg else 0
    if length == pickletools.UP_TO_NEWLINE:
        end = _line_end(data, start + 1)
        return start + 1, _line_end(data, end) if opcode.name == "GLOBAL" else end
    first = start + 1 + WIDTHS.get(length, 0)
    if length < 0:
        length = int.from_bytes(data[start + 1 : first], "little")
    return first, first + length


def _line_end(data, first):
    end = data.find(b"\n", first, first + LONGEST_LINE) + 1
    if end == 0:
        raise ValueError(f"the line at byte {first} has no end")
    return end


def _check_name(module, name, place):
    if (module, name) not in STAND_INS:
        raise ValueError(
            f"it asks for '{module}.{name}' at byte {place}, and nothing but lists, booleans and "
            "byte strings is admitted"
        )


def _check_memo(number, most):
    """The unpickler's memo is a list as long as the largest number in it."""
    if number > most:
        raise ValueError(f"it memoizes something as number {number}")
