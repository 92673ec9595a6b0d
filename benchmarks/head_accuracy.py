"""Every margin head on unseen identities, with and without FlowWarp at a half and a quarter.

    python benchmarks/head_accuracy.py --out docs/results/heads_palms
    python benchmarks/head_accuracy.py --images faces.npz --epochs 20 --out docs/results/heads_faces

Half of the identities train the small encoder of `python -m keras_resample compare` behind each
front end, the other half are verified in all pairs. All heads share the encoder, the images, the
seeds and the schedule; their own arguments are the published ones, but for the scale, 32, which
suits a hundred identities. Sampling is antialiased in both columns of a factor. A run that was
stopped goes on: finished trainings are kept in OUT/results.json. It is no task of `compare`: of 180
trainings two numbers each are wanted, and no model, checkpoint or picture.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness
import keras
import numpy as np

import keras_resample as kr
from keras_resample.compare.recognition.front_ends import SMALL
from keras_resample.files import whole

SCALE = {"scale": 32.0}
HEADS = {
    "MarginHead": ("MarginHead", SCALE),
    "NormFace": ("NormFace", SCALE),
    "A-Softmax": ("SphereFace", {}),
    "SphereFace": ("SphereFace", {"margin": 1.5, "annealing": None, "keep_length": False} | SCALE),
    "CosFace": ("CosFace", SCALE),
    "ArcFace": ("ArcFace", SCALE),
    "Combined": ("CombinedMargin", {"m1": 1.0, "m2": 0.3, "m3": 0.2} | SCALE),
    "CurricularFace": ("CurricularFace", SCALE),
    "MV-Arc": ("MVSoftmax", {"kind": "arc"} | SCALE),
    "MV-AM": ("MVSoftmax", {"kind": "am"} | SCALE),
    "MagFace": ("MagFace", SCALE),
    "AdaFace": ("AdaFace", SCALE),
}
FACTORS = (0.5, 0.25)
FAR = 1e-2
BATCH = 32


def front_ends():
    """Name and sampler: the full image, then uniform and FlowWarp at each factor."""
    yield "full", None
    for factor in FACTORS:
        for name, cls in (
            ("uniform", kr.layers.UniformDownsample),
            ("FlowWarp", kr.layers.FlowWarpDownsample),
        ):
            yield f"{name} {factor:g}", cls(factor, antialias=True, data_format="channels_last")


def verify(train, test, head, sampler, seed, epochs):
    """EER and TAR, in percent, of one training."""
    keras.utils.set_random_seed(seed)
    name, arguments = HEADS[head]
    images = keras.Input(train.image_shape)
    x = images if sampler is None else sampler(images)
    x = kr.models.IResNet(input_shape=tuple(x.shape[1:]), **SMALL)(x)
    head = getattr(kr.heads, name)(train.num_classes, **arguments)
    model = kr.models.Recognizer(keras.Model(images, x), head)
    train.seed, train.epoch = seed, 0
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, epochs * len(train))
    model.compile(keras.optimizers.Adam(schedule))
    model.fit(train, epochs=epochs, shuffle=False, verbose=0, callbacks=[train.epoch_callback()])
    scores, same = kr.metrics.all_pairs(model.embed(test[0], batch_size=256), test[1])
    (tar,) = kr.metrics.tar_at_far(scores, same, [FAR])
    return [100 * float(kr.metrics.eer(scores, same)), 100 * float(tar)]


def table(results, names, seeds):
    """Markdown: mean and standard deviation over the seeds of EER and TAR."""
    rows = []
    for title, position in (("EER, %", 0), (f"TAR at FAR {FAR:g}, %", 1)):
        rows += [f"## {title}", "", "| head | " + " | ".join(names) + " |"]
        rows += ["|---" * (len(names) + 1) + "|"]
        for head in HEADS:
            cells = []
            for name in names:
                found = [results.get(f"{head}, {name}, {seed}") for seed in seeds]
                values = [pair[position] for pair in found if pair is not None]
                spread = f" +- {np.std(values):.2f}" if len(values) > 1 else ""
                cells.append(f"{np.mean(values):.2f}{spread}" if values else "")
            if any(cells):
                rows.append(f"| {head} | " + " | ".join(cells) + " |")
        rows.append("")
    return "\n".join(rows)


def dataset_of(options):
    if options.images:
        return kr.datasets.npz(options.images, batch_size=BATCH), options.images
    palms = kr.datasets.bezier_palms(80, 16, size=(32, 32), batch_size=BATCH, seed=1)
    return palms, "80 synthetic palms of 32x32 pixels, 16 images each"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", help=".npz of images and labels (default: synthetic palms)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--out", default="runs/head_accuracy", help="folder of the results")
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    record = out / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}
    data, description = dataset_of(options)
    train, test = kr.datasets.half_identities(data)
    images, labels = train.arrays()
    train = kr.datasets.from_arrays(images, labels, batch_size=BATCH)
    test = test.arrays()
    names = [name for name, _ in front_ends()]
    wanted = [(h, n, s) for s in options.seeds for h in options.heads for n in names]
    bar = keras.utils.Progbar(len(wanted), unit_name="training")
    for done, (head, name, seed) in enumerate(wanted, start=1):
        key = f"{head}, {name}, {seed}"
        if key not in results:
            sampler = dict(front_ends())[name]
            results[key] = verify(train, test, head, sampler, seed, options.epochs)
            with whole(record) as (path,):
                path.write_text(json.dumps(results, indent=1))
        bar.update(done)
    page = [
        "# Every head, with and without FlowWarp",
        "",
        f"`{harness.command_line()}`",
        "",
        f"* {description}; half of the identities train ({train.num_images} images), half are "
        f"verified ({len(test[1])} images), seeds {options.seeds}, {options.epochs} epochs",
        f"* {harness.machine()}, {platform.system()}",
        "",
        table(results, names, options.seeds),
    ]
    with whole(out / "results.md") as (path,):
        path.write_text("\n".join(page))
    print(f"Written: {out / 'results.md'}")


if __name__ == "__main__":
    main()
