"""The images of several requests in one run of a network, in TensorFlow's graph."""

import functools
import uuid

import tensorflow as tf

# A batch is filled up to one of these lengths: a compiler makes no programs of others.
LENGTHS = (1, 2, 4, 8, 16, 32, 64)
# One batch runs while the next one is put together.
NUM_THREADS = 2
# None waits for company, so the longest batches are those of a busy server.
MICROSECONDS = 0
# Batches that wait before a request is refused.
MOST_WAITING = 1_000


def batched(embed):
    """`embed`, which takes the images of requests that come at the same time together.

    What is wrong with a request has to be found before: an error inside is that of all of them.

    Args:
        embed: a traced function of a dict of inputs to one of outputs, a row for each image.
    """
    specs = embed.get_concrete_function().structured_outputs

    def together(inputs):
        names = list(inputs)

        @tf.nondifferentiable_batch_function(
            NUM_THREADS, LENGTHS[-1], MICROSECONDS, LENGTHS, MOST_WAITING, autograph=False
        )
        def run(*values):
            return embed(dict(zip(names, values, strict=True)))

        # TensorFlow joins what is batched by the same name, also of two functions.
        with tf.name_scope(f"requests_{uuid.uuid4().hex}"):
            outputs = run(*inputs.values())
        return tf.nest.map_structure(tf.ensure_shape, outputs, _shapes(specs))

    def embed_batched(inputs):
        count = tf.shape(next(iter(inputs.values())))[0]
        fits = (count > 0) & (count <= LENGTHS[-1])
        # A request that fills a batch needs no company.
        alone = functools.partial(embed, inputs)
        return tf.cond(fits, functools.partial(together, inputs), alone)

    return embed_batched


def _shapes(specs):
    return tf.nest.map_structure(lambda spec: spec.shape, specs)
