"""The names of the networks and of the transforms that are compared."""

# The encodings of Fig. 1, rotary encoding, and a plain network behind an alignment.
TITLES = {
    "absolute": "absolute (Abs-PE)",
    "absolute-drawn": "absolute, keypoints drawn (Abs-PE*)",
    "relative": "relative (RPE)",
    "irpe": "iRPE",
    "rotary": "rotary (RoPE-Mixed)",
    "keypoint": "keypoints (KP-RPE)",
    "aligned": "absolute, images aligned",
}
METHODS = tuple(TITLES)
# Those that are told the keypoints.
WITH_KEYPOINTS = ("absolute-drawn", "keypoint", "aligned")
# What every other network is set against, seed by seed.
BASELINES = ("absolute", "aligned")
TRANSFORMS = ("rotation", "scale", "translation", "shear", "all")
