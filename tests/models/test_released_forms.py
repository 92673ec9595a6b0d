"""The tables of keypoints that CVLface's networks share or not, by `convert.from_torch`."""

from pathlib import Path

import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "kprpe_vit.npz")
WEIGHTS = {name[2:]: GOLDENS[name] for name in GOLDENS.files if name.startswith("P/")}
DEPTH, HEADS = 2, 3
MEASURES = {"width": 24, "depth": DEPTH, "num_heads": HEADS, "mlp_ratio": 3}
# How many depths and heads have tables of their own.
FORMS = {
    "rel_keypoint": ((1, 1), {"mode": "relative"}),
    "rel_keypoint_unshared": ((DEPTH, 1), {"mode": "relative", "share_depth": False}),
    "rel_keypoint_splithead": ((1, HEADS), {"share_depth": True}),
    "rel_keypoint_splithead_unshared": ((DEPTH, HEADS), {}),
}
RANDOM = np.random.default_rng(0)
INPUTS = {
    "images": RANDOM.normal(size=(2, 32, 32, 3)).astype("float32"),
    "keypoints": RANDOM.uniform(0, 1, (2, 5, 2)).astype("float32"),
}
pytestmark = pytest.mark.in_turn


def with_tables(weight, bias):
    """The weights with tables (depths, heads, 49, 10) and (depths, heads, 49)."""
    tables = {"weight": weight.reshape(-1, 10), "bias": bias.reshape(-1)}
    return {**WEIGHTS, **{f"keypoint_linear.{leaf}": table for leaf, table in tables.items()}}


def random_tables(*shape):
    random = np.random.default_rng(1)
    shapes = (*shape, 49, 10), (*shape, 49)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def network(**options):
    return kr.models.KeypointViT(MEASURES, (32, 32, 3), embedding_dim=12, **options)


def loaded(weights, model=None):
    return kr.models.convert.from_torch(weights, "cvlface", model)


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_each_form_has_the_numbers_of_the_tables_written_out(form):
    shape, options = FORMS[form]
    tables = random_tables(*shape)
    each = [np.broadcast_to(table, (DEPTH, HEADS, *table.shape[2:])) for table in tables]
    model = loaded(with_tables(*tables), network(**options))
    whole = loaded(with_tables(*each), network())
    assert_close(model.predict(INPUTS, verbose=0), whole.predict(INPUTS, verbose=0))


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_another_form_is_refused(form):
    shape, _ = FORMS[form]
    for other, (_, options) in FORMS.items():
        if other != form:
            with pytest.raises(ValueError, match=f"are .*'{form}' for .* model with '{other}'"):
                loaded(with_tables(*random_tables(*shape)), network(**options))


@pytest.mark.parametrize(("tables", "heads", "share_depth"), [(2 * 8, 8, False), (3, 3, True)])
def test_a_small_network_is_built_where_its_tables_say_how_many_heads_there_are(
    tables, heads, share_depth
):
    """A width of 24 is not that of 16 heads, and 3 tables are not of 2 depths."""
    built = loaded(with_tables(*random_tables(1, tables)))
    shapes = {tensor.name: tensor.shape for tensor in built.inputs}
    assert shapes == {"images": (None, 32, 32, 3), "keypoints": (None, 5, 2)}
    assert built.get_layer("blocks_1_attn").num_heads == heads
    assert built.get_layer("keypoint_linear").share_depth is share_depth


@pytest.mark.parametrize(
    ("tables", "forms"),
    [
        (1, {"keypoint", "rel_keypoint"}),
        (DEPTH, {"rel_keypoint_unshared"}),
        (DEPTH * HEADS, {"rel_keypoint_splithead_unshared", "rel_keypoint_splithead"}),
        (5, set()),
    ],
)
def test_tables_that_do_not_say_the_heads_want_a_model(tables, forms):
    """Six tables are of 3 heads in each of 2 depths, or of 6 heads in both."""
    with pytest.raises(ValueError, match="`model` must be given for tables") as error:
        loaded(with_tables(*random_tables(1, tables)))
    assert all(repr(form) in str(error.value) for form in forms)
    assert forms or "none of the released forms" in str(error.value)


def test_tables_that_change_nothing_in_the_released_network_are_not_used():
    """Of one token, a bias is the same for all keys."""
    model = network(mode="absolute")
    tables = random_tables(1, 1)
    with pytest.raises(ValueError, match="`model` must be of another mode than 'absolute'"):
        loaded(with_tables(*tables), model)
    loaded(with_tables(*(0 * table for table in tables)), model)
    assert_close(model.get_layer("pos_embed").embedding, WEIGHTS["pos_embed"])
    with pytest.raises(ValueError, match="model with none of the released forms"):
        loaded(
            with_tables(*random_tables(1, 3)),
            network(mode="absolute", share_heads=False),
        )
