"""The names of what is compared."""

HIGH, MULTI = "high", "multi"
SCRATCH, PRETRAINED, INFLUENCE = "scratch", "pretrained", "influence"
FIXED_TRUNK, BTNET, ADAPTER = "fixed-trunk", "btnet", "adapter"
# One network for all resolutions, of images that are enlarged; then one for each.
TRUNKS = {
    HIGH: "high resolution",
    MULTI: "multi-resolution",
}
BRANCHES = {
    SCRATCH: "own network, from scratch",
    PRETRAINED: "own network, pretrained",
    INFLUENCE: "own network, pretrained, influence loss",
    FIXED_TRUNK: "branch, fixed trunk",
    BTNET: "branch, fixed trunk, distillation (BTNet)",
    ADAPTER: "low-rank adapter, influence loss",
}
TITLES = TRUNKS | BRANCHES
METHODS = tuple(TITLES)
# Losses that a classifier is trained with, and their margins.
HEADS = {
    "arcface": ("ArcFace", 0.5),
    "cosface": ("CosFace", 0.35),
    "curricularface": ("CurricularFace", 0.5),
}
# The high resolution network once more, its small images enlarged another way than bilinear.
BICUBIC = "bicubic"
SHOWN = {HIGH: TITLES[HIGH], f"{HIGH} {BICUBIC}": "high resolution, enlarged by bicubic", **TITLES}
