import builtins
import io
import os
import pickle
import struct
import time
import tracemalloc

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets
from keras_resample.datasets.verification import pair_pickle
from keras_resample.datasets.verification.pair_pickle import MOST_INSTRUCTIONS, PairPickle

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 10, 8, 3), dtype="uint8")
STANDARD = (PIXELS / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
SAME = [True, False, True]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


ENCODED = [png(pixels) for pixels in PIXELS]


def read(path, **kwargs):
    defaults = {"data_format": "channels_last", "value_range": (-1, 1)}
    return datasets.verification_pairs(path, **{**defaults, **kwargs})


def check(path):
    pairs = read(path)
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD)
    assert pairs.same.dtype == bool and pairs.same.tolist() == SAME and len(pairs) == 3


def test_round_trip(tmp_path):
    datasets.write_verification_pairs(tmp_path / "lfw.bin", PIXELS, SAME)
    check(tmp_path / "lfw.bin")
    with open(tmp_path / "lfw.bin", "rb") as file:
        assert pickle.load(file) == (ENCODED, SAME)
    pairs = read(tmp_path / "lfw.bin", batch_size=4, value_range=(0, 1), channels=1, size=(5, 4))
    assert isinstance(pairs.images, keras.utils.PyDataset) and len(pairs.images) == 2
    assert pairs.images[1].shape == (2, 5, 4, 1)
    copied = pickle.loads(pickle.dumps(pairs))
    np.testing.assert_array_equal(copied.images[0], pairs.images[0])
    first = read(tmp_path / "lfw.bin", data_format="channels_first")
    assert first.images.image_shape == (3, 10, 8)


@pytest.mark.every_backend
def test_an_encoder_takes_the_images(tmp_path):
    datasets.write_verification_pairs(tmp_path / "lfw.bin", PIXELS, SAME)
    pairs = read(tmp_path / "lfw.bin", batch_size=4, workers=2)
    encoder = keras.Sequential([keras.Input((10, 8, 3)), keras.layers.Flatten()])
    embeddings = encoder.predict(pairs.images, verbose=0)
    np.testing.assert_allclose(embeddings, STANDARD.reshape(6, -1), atol=1e-6)


BYTES = {
    "bytes": bytes,
    "bytearray": bytearray,
    "numpy, read only": lambda data: np.frombuffer(data, "uint8"),
    "numpy": lambda data: np.frombuffer(data, "uint8").copy(),
}
BOOLEANS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "list of numpy": lambda same: [np.bool_(one) for one in same],
    "integers": lambda same: [int(one) for one in same],
}


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", BYTES)
def test_what_python_3_writes(tmp_path, protocol, kind):
    images = [BYTES[kind](data) for data in ENCODED]
    for booleans in BOOLEANS.values():
        for outer in (tuple, list):
            content = outer([images, booleans(SAME)])
            (tmp_path / "a.bin").write_bytes(pickle.dumps(content, protocol))
            check(tmp_path / "a.bin")


def python_2(images, same):
    """What `cPickle.dump((images, same), file, 2)` of Python 2 writes."""
    parts = [b"\x80\x02", b"]q\x01("]
    for number, image in enumerate(images):
        parts += [b"T", struct.pack("<I", len(image)), image, b"r", struct.pack("<I", 9 + number)]
    parts += [b"e]q\x02(", *(b"\x88" if one else b"\x89" for one in same), b"e\x86q\x03."]
    return b"".join(parts)


def test_what_python_2_writes(tmp_path):
    data = python_2(ENCODED, SAME)
    assert pickle.loads(data, encoding="bytes") == (ENCODED, SAME)
    (tmp_path / "a.bin").write_bytes(data)
    check(tmp_path / "a.bin")


def test_names_of_old_and_new_numpy(tmp_path):
    content = pickle.dumps([[np.frombuffer(d, "uint8") for d in ENCODED], np.array(SAME)], 2)
    assert b"numpy._core.multiarray" in content or b"numpy.core.multiarray" in content
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        renamed = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (tmp_path / "a.bin").write_bytes(renamed.replace(b"numpy.core.multiarray", name))
        check(tmp_path / "a.bin")


# Hostile files.


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Dictionary(dict):
    pass


def chain(target):
    return Call(getattr, Call(getattr, os.path, "os"), "system")


ATTACKS = {
    "os.system": lambda target: Call(os.system, f"touch {target}"),
    "eval": lambda target: Call(builtins.eval, f"open({target!r}, 'w')"),
    "exec": lambda target: Call(builtins.exec, f"open({target!r}, 'w')"),
    "open": lambda target: Call(open, target, "w"),
    "getattr": lambda target: Call(getattr, Call(open, target, "w"), "close"),
    "import": lambda target: Call(__import__, "this"),
    "numpy load": lambda target: Call(np.load, target),
    "numpy fromfile": lambda target: Call(np.fromfile, target),
    "numpy object dtype": lambda target: np.array([Call(open, target, "w")], dtype=object),
    "numpy frombuffer call": lambda target: Call(np.frombuffer, b"12"),
    "codecs decode": lambda target: Call(__import__("codecs").decode, b"x", "zip"),
    "bytes of a size": lambda target: Call(bytearray, 1 << 33),
    "a class": lambda target: Dictionary(a=1),
    "a dict": lambda target: {"a": 1},
    "a set": lambda target: {1},
    "a float": lambda target: 1.0,
    "text": lambda target: "text",
    "an array of integers": lambda target: np.zeros(3, "int64"),
    "a matrix": lambda target: np.zeros((2, 3), "uint8"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_anything_but_plain_values_is_refused_and_not_run(tmp_path, name, protocol):
    target = tmp_path / "attacked"
    attack = ATTACKS[name](str(target))
    for content in (attack, ([ENCODED[0], attack], [True]), (ENCODED, [True, False, attack])):
        (tmp_path / "a.bin").write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(ValueError, match="`path` must be a pickle of a list.*a.bin"):
            read(tmp_path / "a.bin")
        assert not target.exists()


def test_the_refusal_names_what_was_asked_for(tmp_path):
    (tmp_path / "a.bin").write_bytes(pickle.dumps(Call(builtins.eval, "1"), 4))
    with pytest.raises(ValueError, match="asks for 'builtins.eval' at byte"):
        read(tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="asks for 'os.system' at byte 11"):
        read(tmp_path / "a.bin")


INSTRUCTIONS = {
    "persistent id": b"Pos.system\n.",
    "binary persistent id": b"K\x01Q.",
    "extension": b"\x82\x01.",
    "instance": b"(ios\nsystem\n.",
    "object": b"(cos\nsystem\no.",
    "new object": b"cnumpy\ndtype\n)\x81.",
    "next buffer": b"\x97.",
    "dtype of an object": b"cnumpy\ndtype\n(C\x01O\x89\x88tR.",
    "state of a list": b"](K\x01tb.",
    "call of a list": b"])R.",
    "name from a list": b"]]\x93.",
    "append to a tuple": b")K\x01a.",
    "empty stack": b"0.",
    "stack below a mark": b"](0.",
    "no mark": b"e.",
    "unknown memo": b"h\x05.",
    "unknown instruction": b"\xff.",
    "bad integer": b"Ix\n.",
    "endless line": b"I" + b"1" * 5000,
    "huge integer": b"\x8b\xff\xff\xff\x7f.",
    "4 GB of bytes": b"B\xff\xff\xff\xff.",
    "2**64 bytes": b"\x8e" + b"\xff" * 8 + b".",
    "2**64 bytes in a bytearray": b"\x96" + b"\xff" * 8 + b".",
    "a string of 4 GB": b"X\xff\xff\xff\xff.",
    "a Python 2 string of 4 GB": b"T\xff\xff\xff\xff.",
    "no stop": b"\x80\x04]",
    "nothing but stop": b".",
    "deep tuple": b")" + b"\x85" * 100000 + b".",
    "deep list": b"]" * 100000 + b"a" * 99999 + b".",
    "list in itself": b"]q\x00h\x00a.",
    "deep shape": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01"
    + b")"
    + b"\x85" * 100000
    + b"cnumpy\ndtype\n(C\x02u1\x89\x88tR\x89C\x01atb.",
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_hostile_instructions(tmp_path, name):
    (tmp_path / "a.bin").write_bytes(INSTRUCTIONS[name])
    with pytest.raises(ValueError, match="`path` must be a pickle of a list.*a.bin"):
        read(tmp_path / "a.bin")


def test_the_file_is_not_read_into_memory(tmp_path):
    # Whatever follows the end of a PNG is not looked at.
    images = [data + bytes(4 << 20) for data in ENCODED]
    datasets.write_verification_pairs(tmp_path / "a.bin", images, SAME)
    tracemalloc.start()
    pairs = read(tmp_path / "a.bin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert os.path.getsize(tmp_path / "a.bin") > 24 << 20
    # One image, for the size of all.
    assert peak < 10 << 20
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD)


def test_a_memo_number_reserves_nothing():
    # An array of that many entries would take 32 GB.
    for number in (b"r\xff\xff\xff\xff", b"p4294967295\n"):
        tracemalloc.start()
        with pytest.raises(ValueError, match="memoizes something as number 4294967295"):
            PairPickle(b"]" + number + b"j\xff\xff\xff\xff\x86.").value()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_a_flood_of_instructions_is_stopped(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"(" + b"N" * (MOST_INSTRUCTIONS + 10) + b"l.")
    start = time.perf_counter()
    with pytest.raises(ValueError, match=f"more than {MOST_INSTRUCTIONS} pickle instructions"):
        read(tmp_path / "a.bin")
    assert time.perf_counter() - start < 60


def test_every_prefix_of_a_file_is_refused():
    for protocol in (2, 4, 5):
        content = ([b"12", np.frombuffer(b"34", "uint8")], [np.bool_(True)])
        data = pickle.dumps(content, protocol)
        PairPickle(data).value()
        for length in range(len(data)):
            with pytest.raises(ValueError):
                PairPickle(data[:length]).value()


def test_noise_never_does_anything_but_raise_valueerror():
    random = np.random.default_rng(1)
    data = np.frombuffer(pickle.dumps((ENCODED[:2], np.array([True])), 4), "uint8")
    for _ in range(500):
        noisy = data.copy()
        noisy[random.integers(0, len(data), 3)] = random.integers(0, 256, 3)
        try:
            PairPickle(noisy.tobytes()).value()
        except ValueError:
            continue


CONTENTS = {
    "one part": [ENCODED],
    "three parts": (ENCODED, SAME, 1),
    "no list": (ENCODED[0], SAME),
    "no image": ([], []),
    "none among the images": ([*ENCODED[:5], None], SAME),
    "no booleans": (ENCODED, None),
    "other numbers": (ENCODED, [0, 1, 2]),
    "fewer booleans": (ENCODED, SAME[:2]),
    "more booleans": (ENCODED, [*SAME, True]),
    "odd number": (ENCODED[:5], SAME),
    "booleans as images": (np.array(SAME), SAME),
    "images of booleans": ([np.array([True])] * 6, SAME),
    "bytes as booleans": (ENCODED, b"\x01\x00\x01"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_wrong_contents(tmp_path, name):
    (tmp_path / "a.bin").write_bytes(pickle.dumps(CONTENTS[name], 4))
    with pytest.raises(ValueError, match="`path` must be a pickle of a list.*a.bin"):
        read(tmp_path / "a.bin")


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.bin"):
        read(tmp_path / "nowhere.bin")
    (tmp_path / "empty.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="empty.bin"):
        read(tmp_path / "empty.bin")


@pytest.mark.parametrize("bad", [b"", b"hello", ENCODED[3][:-200], ENCODED[3][:20]])
def test_a_damaged_image_is_named_or_its_pair_skipped(tmp_path, bad):
    images = [*ENCODED[:3], bad, *ENCODED[4:]]
    (tmp_path / "a.bin").write_bytes(pickle.dumps((images, SAME), 4))
    with pytest.raises(ValueError, match="Image 3 of .*a.bin.*cannot be read"):
        read(tmp_path / "a.bin").images.arrays()
    with pytest.raises(ValueError, match="Image 3 of .*a.bin"):
        read(tmp_path / "a.bin", verify=True)
    with pytest.warns(UserWarning, match="1 images, and their pairs, were skipped"):
        pairs = read(tmp_path / "a.bin", on_error="skip")
    assert pairs.same.tolist() == [True, True]
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[0, 1, 4, 5]])
    [(file, reason)] = pairs.skipped
    assert file.endswith("a.bin") and reason.startswith("image 3: ")


def test_images_keep_their_numbers_when_others_are_skipped(tmp_path):
    images = [*ENCODED[:3], b"hello", ENCODED[4], ENCODED[5]]
    (tmp_path / "a.bin").write_bytes(pickle.dumps((images, SAME), 4))
    with pytest.warns(UserWarning, match="1 images"):
        pairs = read(tmp_path / "a.bin", on_error="skip")
    pairs.images.load.size = (5, 8)
    with pytest.raises(ValueError, match="Image 5 of .*10 x 8, not 5 x 8"):
        pairs.images.image(3)


def test_an_image_of_another_size_is_found_at_construction(tmp_path):
    images = [*ENCODED[:5], png(PIXELS[5, :5])]
    (tmp_path / "a.bin").write_bytes(pickle.dumps((images, SAME), 4))
    with pytest.raises(ValueError, match="Image 5 of .*5 x 8, not 10 x 8.*verify=True. Received"):
        read(tmp_path / "a.bin").images.arrays()
    with pytest.raises(ValueError, match="Image 5 of .*5 x 8, not 10 x 8"):
        read(tmp_path / "a.bin", verify=True)
    with pytest.warns(UserWarning, match="1 images.*image 5: ValueError: it is 5 x 8"):
        pairs = read(tmp_path / "a.bin", on_error="skip")
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[:4])
    assert read(tmp_path / "a.bin", size=(4, 4), verify=True).images.num_images == 6


@pytest.mark.parametrize(
    ("small", "skipped", "kept"), [([0], "1 images", [2, 3, 4, 5]), ([0, 1, 3], "3 images", [0, 1])]
)
def test_most_images_say_the_size(tmp_path, small, skipped, kept):
    """Not the first one, unless as many have its size."""
    pixels = [PIXELS[i, :5] if i in small else PIXELS[i] for i in range(6)]
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([png(image) for image in pixels], SAME), 4))
    with pytest.warns(UserWarning, match=skipped):
        pairs = read(tmp_path / "a.bin", on_error="skip", value_range=(0, 255))
    np.testing.assert_array_equal(pairs.images.arrays(), [pixels[i] for i in kept])


def test_many_numpy_arrays_are_no_flood(tmp_path, monkeypatch):
    """As many instructions as there is room for, at twenty and more an image."""
    images = [np.frombuffer(data + bytes(400), "uint8") for data in ENCODED * 20]
    data = pickle.dumps((images, SAME * 20), 4)
    (tmp_path / "a.bin").write_bytes(data)
    monkeypatch.setattr(pair_pickle, "MOST_INSTRUCTIONS", 100)
    assert len(read(tmp_path / "a.bin")) == 60
    (tmp_path / "a.bin").write_bytes(b"(" + b"N" * len(data) + b"l.")
    with pytest.raises(ValueError, match=f"more than {len(data) // 16} pickle instructions"):
        read(tmp_path / "a.bin")


def test_labels_of_another_type_are_told_what_to_do(tmp_path):
    content = (ENCODED, np.array(SAME, "int64"))
    (tmp_path / "a.bin").write_bytes(pickle.dumps(content, 4))
    with pytest.raises(ValueError, match=r"not 'i8': .*`same.astype\(bool\)`.*Received: path="):
        read(tmp_path / "a.bin")


@pytest.mark.filterwarnings("ignore:Image size")
def test_decompression_bomb(tmp_path, monkeypatch):
    datasets.write_verification_pairs(tmp_path / "a.bin", PIXELS, SAME)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10 * 8 - 1)
    with pytest.raises(ValueError, match="Image 0 of .*DecompressionBomb"):
        read(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"same": [1, 0, 1]}, "`same`.*int64"),
        ({"same": [True]}, "6 images"),
        ({"images": [], "same": np.zeros(0, bool)}, "0 images"),
        ({"images": PIXELS.astype("float32")}, "`images`.*float32 for image 0"),
    ],
)
def test_wrong_writes(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        datasets.write_verification_pairs(
            **{"path": tmp_path / "a.bin", "images": PIXELS, "same": SAME, **kwargs}
        )
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="a.bin"):
        datasets.write_verification_pairs(tmp_path / "nowhere" / "a.bin", PIXELS, SAME)
