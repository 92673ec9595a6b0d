"""Embeds, verifies and searches by a server that has the model.

    python examples/serving/ask.py embed people/*/*.png --out people.npz
    python examples/serving/ask.py verify a.png b.png --threshold 0.41
    python examples/serving/ask.py search people.npz a.png --count 5

`--server grpc://host:8500` asks by gRPC, `--server http://host:8501` by REST. The endpoint takes
the bytes of image files. The exit status of `verify` is 0 for the same and 3 for different; 1 is
that of a server without an answer, 2 that of a request which cannot be answered.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from clients import LOCAL, connect, embed
from server_error import ServerError

SAME, DIFFERENT, NO_ANSWER, WRONG_REQUEST = 0, 3, 1, 2


def command_embed(client, options):
    """Writes the embeddings of image files to a file."""
    embeddings = embed(client, options.endpoint, read(options.images), options.batch_size)
    with open(options.out, "wb") as file:
        np.savez(file, paths=np.array(options.images), embeddings=embeddings)
    print(f"{options.out} holds {len(embeddings)} embeddings of {embeddings.shape[1]} numbers.")
    return 0


def command_verify(client, options):
    """Prints whether two images show one identity, which is the exit status too."""
    score = float(np.dot(*embed(client, options.endpoint, read([options.first, options.second]))))
    same = score >= options.threshold
    answer = "same" if same else "different"
    print(f"{answer}, score {score:.4f}, threshold {options.threshold:.4f}")
    return SAME if same else DIFFERENT


def command_search(client, options):
    """Prints the images of a gallery that are most alike an image, the first one most."""
    with np.load(options.gallery) as gallery:
        paths, embeddings = gallery["paths"], gallery["embeddings"]
    (probe,) = embed(client, options.endpoint, read([options.image]))
    scores = embeddings @ probe
    for place in np.argsort(-scores, kind="stable")[: options.count]:
        print(f"{scores[place]:.4f}  {paths[place]}")
    return 0


def read(paths):
    """The bytes of files."""
    return [Path(path).read_bytes() for path in paths]


def words():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="embed | verify | search")

    def add(name, run, text):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--server", default=LOCAL, help="default: %(default)s")
        command.add_argument("--model", default="model", help="its name (default: %(default)s)")
        command.add_argument("--version", type=int, help="default: the server's choice")
        command.add_argument("--endpoint", default="serve_jpeg", help="default: %(default)s")
        command.add_argument("--timeout", type=float, default=10.0, help="seconds of an answer")
        return command

    command = add("embed", command_embed, "write the embeddings of image files to an .npz file")
    command.add_argument("images", nargs="+", metavar="IMAGE")
    command.add_argument("--out", required=True, metavar="FILE")
    command.add_argument("--batch-size", type=int, default=32, help="images in a request")

    command = add("verify", command_verify, "tell whether two images show one identity")
    command.add_argument("first", metavar="FIRST")
    command.add_argument("second", metavar="SECOND")
    command.add_argument("--threshold", type=float, required=True, help="cosine of the same")

    command = add("search", command_search, "list the images of a gallery that are most alike")
    command.add_argument("gallery", metavar="GALLERY", help="file that `embed` wrote")
    command.add_argument("image", metavar="IMAGE")
    command.add_argument("--count", type=int, default=5, help="images to list")
    return parser


def main(arguments=None):
    options = words().parse_args(arguments)
    try:
        client = connect(options.server, options.model, options.version, options.timeout)
        return options.run(client, options)
    except ServerError as error:
        print(error, file=sys.stderr)
        return WRONG_REQUEST if error.refused else NO_ANSWER
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return WRONG_REQUEST


if __name__ == "__main__":
    sys.exit(main())
