"""What a `.bin` verification set may hold, read from its pickle without unpickling.

A pickle is a program for a stack machine. This one knows the instructions that build lists,
tuples, booleans, integers and byte strings, and nothing else. It imports no module and calls no
function: the few constructors that real files name (uint8 and bool arrays of numpy, bytes of
Python 2) are names that it recognizes, and every other name is refused. Byte strings stay in the
file; what is kept is where they stand.
"""

import pickle
import struct
from typing import NamedTuple

# Two instructions an image would be enough; numpy arrays need about twenty.
MOST_INSTRUCTIONS = 1 << 21
LONGEST_LINE = 256

ARRAY, DTYPE, RECONSTRUCT, SCALAR, FROMBUFFER, ENCODE, BYTEARRAY = (
    "numpy ndarray",
    "numpy dtype",
    "_reconstruct",
    "scalar",
    "_frombuffer",
    "_codecs encode",
    "bytearray",
)
CONSTRUCTORS = {
    ("numpy", "ndarray"): ARRAY,
    ("numpy", "dtype"): DTYPE,
    ("_codecs", "encode"): ENCODE,
    ("builtins", "bytearray"): BYTEARRAY,
    ("__builtin__", "bytearray"): BYTEARRAY,
}
for _package in ("numpy.core", "numpy._core"):
    CONSTRUCTORS[f"{_package}.multiarray", "_reconstruct"] = RECONSTRUCT
    CONSTRUCTORS[f"{_package}.multiarray", "scalar"] = SCALAR
    CONSTRUCTORS[f"{_package}.numeric", "_frombuffer"] = FROMBUFFER


class Span(NamedTuple):
    """A byte string: bytes `start` to `stop` of the file.

    With `latin` they are UTF-8 of its Latin-1 reading, as protocol 2 of Python 3 writes it.
    """

    start: int
    stop: int
    latin: bool = False


class Text(NamedTuple):
    """A string: bytes `start` to `stop` of the file, UTF-8."""

    start: int
    stop: int


class Constructor(NamedTuple):
    """A recognized name."""

    name: str


class Dtype(NamedTuple):
    """`u1` or `b1`."""

    code: str


class Array:
    """A one-dimensional array: `code` "u1" or "b1", and its bytes."""

    def __init__(self):
        self.code = self.span = None


class PairPickle:
    """Runs a pickle of plain values.

    Args:
        data: the bytes of the file, or a memory map.
    """

    def __init__(self, data):
        self.data = data
        self.place = 0
        self.stack, self.marks, self.memo = [], [], {}

    def value(self):
        """The pickled value.

        Returns:
            None, bools, ints, lists, tuples, `Span` and `Array`.

        Raises:
            ValueError: for a truncated pickle, and for anything but plain values.
        """
        for _ in range(MOST_INSTRUCTIONS):
            start = self.place
            code = self._take(1)[0]
            if code == pickle.STOP[0]:
                return self._pop()
            run = INSTRUCTIONS.get(code)
            if run is None:
                raise ValueError(
                    f"byte {start} is the pickle instruction {bytes([code])!r}, which builds none "
                    "of lists, tuples, booleans, integers and byte strings (protocols 1 to 5)"
                )
            run(self)
        raise ValueError(f"it has more than {MOST_INSTRUCTIONS} pickle instructions")

    def _take(self, length):
        first, self.place = self.place, self.place + length
        if self.place > len(self.data):
            raise ValueError(
                f"it needs {length} bytes at byte {first}, where "
                f"{max(len(self.data) - first, 0)} are left"
            )
        return self.data[first : self.place]

    def _unsigned(self, length):
        return int.from_bytes(self._take(length), "little")

    def _line(self):
        end = self.data.find(b"\n", self.place, self.place + LONGEST_LINE)
        if end < 0:
            raise ValueError(f"the line at byte {self.place} has no end")
        return self._take(end + 1 - self.place)[:-1]

    def _pop(self):
        if not self.stack or (self.marks and len(self.stack) == self.marks[-1]):
            raise ValueError(f"the pickle stack is empty at byte {self.place}")
        return self.stack.pop()

    def _since_mark(self):
        if not self.marks:
            raise ValueError(f"a mark is missing at byte {self.place}")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def _push(self, kind, length):
        first = self.place
        if first + length > len(self.data):
            raise ValueError(
                f"it claims {length} bytes at byte {first}, where {len(self.data) - first} are left"
            )
        self.place += length
        self.stack.append(kind(first, self.place))

    def _text(self, value):
        """A short string."""
        if not isinstance(value, (Span, Text)) or value.stop - value.start > LONGEST_LINE:
            raise ValueError(f"a short string is missing at byte {self.place}")
        return self.data[value.start : value.stop].decode("latin-1")

    def _integer(self, text):
        try:
            self.stack.append(int(text))
        except ValueError as error:
            raise ValueError(f"no integer at byte {self.place}: {text[:20]!r}") from error

    def _int_line(self):
        line = self._line()
        if line in (b"00", b"01"):  # how protocol 1 writes booleans
            self.stack.append(line == b"01")
        else:
            self._integer(line)

    def _append(self, values):
        target = self._pop()
        if not isinstance(target, list):
            raise ValueError(f"it appends to what is no list at byte {self.place}")
        target.extend(values)
        self.stack.append(target)

    def _append_one(self):
        value = self._pop()
        self._append([value])

    def _tuple(self, length):
        self.stack.append(tuple(self._pop() for _ in range(length))[::-1])

    def _put(self, key):
        self.memo[key] = self.stack[-1] if self.stack else self._pop()

    def _get(self, key):
        if key not in self.memo:
            raise ValueError(f"nothing was memoized as {key}, at byte {self.place}")
        self.stack.append(self.memo[key])

    def _line_number(self):
        self._integer(self._line())
        return self.stack.pop()

    def _constructor(self, module, name):
        known = CONSTRUCTORS.get((module, name))
        if known is None:
            raise ValueError(
                f"it asks for '{module}.{name}' at byte {self.place}, and nothing but lists, "
                "booleans and byte strings is admitted"
            )
        self.stack.append(Constructor(known))

    def _stack_global(self):
        name, module = self._text(self._pop()), self._text(self._pop())
        self._constructor(module, name)

    def _reduce(self):
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Constructor) or not isinstance(arguments, tuple):
            raise ValueError(f"it calls what is no constructor at byte {self.place}")
        self.stack.append(self._built(function.name, arguments))

    def _built(self, name, arguments):
        match name, arguments:
            case "_reconstruct", (Constructor("numpy ndarray"), tuple(), Span()):
                return Array()
            case "numpy dtype", (Span() | Text() as code, *_):
                code = self._text(code).lstrip("|")
                if code in ("u1", "b1"):
                    return Dtype(code)
                raise ValueError(f"arrays must be of uint8 or bool, not {code!r}")
            case "scalar", (Dtype(code), Span() as one) if one.stop - one.start == 1:
                number = self.data[one.start]
                return bool(number) if code == "b1" else number
            case "_frombuffer", (Span() as span, Dtype(code), tuple() as shape, Text()):
                return self._array(Array(), code, shape, span)
            case "_codecs encode", (Text(start, stop), Text() as encoding):
                if self._text(encoding) in ("latin1", "latin-1"):
                    return Span(start, stop, latin=True)
            case "bytearray", (Span() as span,):
                return span
        raise ValueError(f"it calls {name!r} with other arguments than numpy does")

    def _build(self):
        state, target = self._pop(), self._pop()
        match target, state:
            case Array(), (*_, tuple() as shape, Dtype(code), bool() | int(), Span() as span):
                self._array(target, code, shape, span)
            case Dtype(), tuple():
                pass
            case _:
                raise ValueError(f"it sets the state of what is no array at byte {self.place}")
        self.stack.append(target)

    def _array(self, array, code, shape, span):
        length = span.stop - span.start
        # UTF-8 takes one or two bytes for each.
        shortest = (length + 1) // 2 if span.latin else length
        right = len(shape) == 1 and isinstance(shape[0], int)
        if not right or not shortest <= shape[0] <= length:
            raise ValueError(
                f"arrays must have one dimension, and {length} values for as many bytes, which "
                f"the one before byte {self.place} has not"
            )
        array.code, array.span = code, span
        return array


def _op(code):
    return getattr(pickle, code)[0]


INSTRUCTIONS = {
    _op("PROTO"): lambda self: self._take(1),
    _op("FRAME"): lambda self: self._take(8),
    _op("MARK"): lambda self: self.marks.append(len(self.stack)),
    _op("POP"): lambda self: self._pop(),
    _op("NONE"): lambda self: self.stack.append(None),
    _op("NEWTRUE"): lambda self: self.stack.append(True),
    _op("NEWFALSE"): lambda self: self.stack.append(False),
    _op("INT"): lambda self: self._int_line(),
    _op("LONG"): lambda self: self._integer(self._line().rstrip(b"L")),
    _op("BININT"): lambda self: self.stack.append(struct.unpack("<i", self._take(4))[0]),
    _op("BININT1"): lambda self: self.stack.append(self._unsigned(1)),
    _op("BININT2"): lambda self: self.stack.append(self._unsigned(2)),
    _op("LONG1"): lambda self: self.stack.append(
        int.from_bytes(self._take(self._unsigned(1)), "little", signed=True)
    ),
    _op("EMPTY_LIST"): lambda self: self.stack.append([]),
    _op("LIST"): lambda self: self.stack.append(self._since_mark()),
    _op("APPEND"): lambda self: self._append_one(),
    _op("APPENDS"): lambda self: self._append(self._since_mark()),
    _op("EMPTY_TUPLE"): lambda self: self.stack.append(()),
    _op("TUPLE"): lambda self: self.stack.append(tuple(self._since_mark())),
    _op("TUPLE1"): lambda self: self._tuple(1),
    _op("TUPLE2"): lambda self: self._tuple(2),
    _op("TUPLE3"): lambda self: self._tuple(3),
    _op("PUT"): lambda self: self._put(self._line_number()),
    _op("BINPUT"): lambda self: self._put(self._unsigned(1)),
    _op("LONG_BINPUT"): lambda self: self._put(self._unsigned(4)),
    _op("MEMOIZE"): lambda self: self._put(len(self.memo)),
    _op("GET"): lambda self: self._get(self._line_number()),
    _op("BINGET"): lambda self: self._get(self._unsigned(1)),
    _op("LONG_BINGET"): lambda self: self._get(self._unsigned(4)),
    _op("SHORT_BINSTRING"): lambda self: self._push(Span, self._unsigned(1)),
    _op("BINSTRING"): lambda self: self._push(Span, self._unsigned(4)),
    _op("SHORT_BINBYTES"): lambda self: self._push(Span, self._unsigned(1)),
    _op("BINBYTES"): lambda self: self._push(Span, self._unsigned(4)),
    _op("BINBYTES8"): lambda self: self._push(Span, self._unsigned(8)),
    _op("BYTEARRAY8"): lambda self: self._push(Span, self._unsigned(8)),
    _op("SHORT_BINUNICODE"): lambda self: self._push(Text, self._unsigned(1)),
    _op("BINUNICODE"): lambda self: self._push(Text, self._unsigned(4)),
    _op("BINUNICODE8"): lambda self: self._push(Text, self._unsigned(8)),
    _op("GLOBAL"): lambda self: self._constructor(
        self._line().decode("latin-1"), self._line().decode("latin-1")
    ),
    _op("STACK_GLOBAL"): lambda self: self._stack_global(),
    _op("REDUCE"): lambda self: self._reduce(),
    _op("BUILD"): lambda self: self._build(),
}
