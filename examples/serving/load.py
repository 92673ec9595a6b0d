"""Puts load on a server, and looks at every answer.

    python -m keras_resample embed palm.keras people/ --out people.npz
    python examples/serving/load.py people.npz --model palm --requests 10000 --clients 8 --pid 4711

The file holds the right answers, computed beforehand: `embeddings` (n, dim), and of each row the
path of an image in `paths`, or its pixels in `images`; further arrays are further inputs of the
endpoint. Requests hold 1 to 64 of the rows, drawn anew for each. A share of them is hostile: one
image is damaged, cut, tells of a huge size, or is none, and the server has to refuse it, while all
others are answered as before. `--pid` is the process of the server, whose memory is looked at.

The exit status is 0 if nothing failed and nothing was wrong.
"""

import argparse
import collections
import dataclasses
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from clients import LOCAL, connect, unit, wait
from hostile import hostile
from server_error import ServerError

# Requests after which the memory of a server is what it was meant to be.
WARM_UP = 0.1


@dataclasses.dataclass
class Outcome:
    """What became of a request.

    Attributes:
        kind: "right", "wrong", "failed", or of a hostile request "refused" or "accepted".
        seconds: until the answer.
        images: number of images.
        difference: from the right answer, in units of its largest number.
        what: an error, or the kind of a hostile request.
    """

    kind: str
    seconds: float
    images: int
    difference: float = 0.0
    what: str = ""


class Load:
    """Requests to an endpoint, each of which is a function of its number.

    Args:
        new_client: function that returns a client, called once in each thread.
        endpoint: name.
        inputs: by their names arrays, or lists of the bytes of files, of all rows.
        expected: the right answers, a row for each row of the inputs.
        largest: of the batches.
        hostile_share: of the requests.
        tolerance: largest difference that is right, in units of the largest number expected.
        seed: of all draws.
    """

    def __init__(
        self,
        new_client,
        endpoint,
        inputs,
        expected,
        largest=64,
        hostile_share=0.01,
        tolerance=1e-5,
        seed=0,
    ):
        self.new_client, self.endpoint = new_client, endpoint
        self.inputs, self.expected = inputs, expected
        self.largest, self.hostile_share = largest, hostile_share
        self.tolerance, self.seed = tolerance, seed
        # Files of embeddings are scaled to length 1, as cosines want them; models are not.
        self.of_unit_length = np.allclose(np.linalg.norm(expected, axis=-1), 1, atol=1e-4)
        self._own = threading.local()

    def run(self, requests, clients):
        """Outcomes of the requests of these numbers, sent by so many clients at once."""
        with ThreadPoolExecutor(clients, initializer=self._connect) as pool:
            return list(pool.map(self._send, requests))

    def _connect(self):
        self._own.client = self.new_client()

    def _send(self, number):
        random = np.random.default_rng((self.seed, number))
        rows = random.integers(len(self.expected), size=random.integers(1, self.largest + 1))
        inputs = {name: _rows(values, rows) for name, values in self.inputs.items()}
        bad = random.random() < self.hostile_share
        what = ""
        if bad:
            what, inputs = hostile(inputs, random)
        begin = time.perf_counter()
        try:
            answer = self._own.client.predict(self.endpoint, **inputs)
        except ServerError as error:
            seconds = time.perf_counter() - begin
            if bad and error.refused:
                return Outcome("refused", seconds, len(rows), what=what)
            return Outcome("failed", seconds, len(rows), what=str(error)[:200])
        seconds = time.perf_counter() - begin
        if bad:
            return Outcome("accepted", seconds, len(rows), what=what)
        difference = self._difference(answer, self.expected[rows])
        kind = "right" if difference <= self.tolerance else "wrong"
        return Outcome(kind, seconds, len(rows), difference)

    def _difference(self, answer, expected):
        if not isinstance(answer, np.ndarray) or answer.shape != expected.shape:
            return float("inf")
        if self.of_unit_length:
            answer = unit(answer)
        difference = float(np.max(np.abs(answer - expected)) / np.max(np.abs(expected)))
        return float("inf") if np.isnan(difference) else difference


def _rows(values, rows):
    return [values[row] for row in rows] if isinstance(values, list) else values[rows]


def read(path):
    """`(inputs, expected)` of a file of right answers."""
    with np.load(path) as file:
        inputs = {name: file[name] for name in file.files if name not in ("paths", "embeddings")}
        if "paths" in file.files:
            inputs["images"] = [Path(image).read_bytes() for image in file["paths"]]
        return inputs, file["embeddings"]


def memory_of(pid):
    """Memory of a process in MiB, on Linux."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


def report(outcomes, seconds):
    """Lines that say what became of the requests."""
    kinds = collections.Counter(outcome.kind for outcome in outcomes)
    answered = [outcome for outcome in outcomes if outcome.kind in ("right", "wrong")]
    refused = [outcome for outcome in outcomes if outcome.kind == "refused"]
    if answered:
        times = [1000 * outcome.seconds for outcome in answered]
        images = sum(outcome.images for outcome in answered)
        yield "p50 {:.1f} ms, p99 {:.1f} ms".format(*np.percentile(times, [50, 99]))
        yield f"{len(outcomes) / seconds:.1f} requests/s, {images / seconds:.1f} images/s"
    largest = max((outcome.difference for outcome in answered), default=0.0)
    yield f"{kinds['right']} right, {kinds['wrong']} wrong; the largest difference is {largest:.2g}"
    if refused or kinds["accepted"]:
        slowest = max((1000 * outcome.seconds for outcome in refused), default=0.0)
        yield (
            f"hostile: {kinds['refused']} refused, the slowest after {slowest:.1f} ms; "
            f"{kinds['accepted']} accepted"
        )
    yield f"{kinds['failed']} failed"
    for kind in ("failed", "accepted"):
        for what, count in collections.Counter(
            outcome.what for outcome in outcomes if outcome.kind == kind
        ).most_common(5):
            yield f"  {kind} {count} times: {what}"


def words():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answers", metavar="ANSWERS", help=".npz file of images and embeddings")
    parser.add_argument("--server", default=LOCAL, help="default: %(default)s")
    parser.add_argument("--model", default="model", help="its name (default: %(default)s)")
    parser.add_argument("--endpoint", default="serve_jpeg", help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=8, help="at once (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=64, help="batch (default: %(default)s)")
    parser.add_argument("--hostile", type=float, default=0.01, help="share (default: %(default)s)")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="default: %(default)s")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds of an answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pid", type=int, help="process of the server, to look at its memory")
    return parser


def main(arguments=None):
    options = words().parse_args(arguments)

    def new_client():
        return connect(options.server, options.model, timeout=options.timeout)

    try:
        wait(new_client(), options.timeout)
        inputs, expected = read(options.answers)
    except (ServerError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    load = Load(
        new_client,
        options.endpoint,
        inputs,
        expected,
        options.largest,
        options.hostile,
        options.tolerance,
        options.seed,
    )
    begin = time.perf_counter()
    first = int(options.requests * WARM_UP)
    # Alone: each endpoint of a server without warm-up prepares its graph now.
    outcomes = load.run(range(1), 1)
    outcomes += load.run(range(1, first), options.clients)
    before = memory_of(options.pid) if options.pid else None
    outcomes += load.run(range(max(first, 1), options.requests), options.clients)
    seconds = time.perf_counter() - begin
    print(
        f"{len(outcomes)} requests of 1 to {options.largest} images by {options.clients} clients "
        f"in {seconds:.1f} s"
    )
    for line in report(outcomes, seconds):
        print(line)
    if options.pid:
        after = memory_of(options.pid)
        print(f"memory {before:.0f} MiB after {first} requests, {after:.0f} MiB at the end")
    return int(any(outcome.kind in ("wrong", "failed", "accepted") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
