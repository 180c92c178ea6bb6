"""Writes small computational sequences (.csd) as the CMU-MultimodalSDK lays them out, with h5py.

    python3 make_csd.py OUT_FOLDER

/<root name>/data/<video>/features [m, D] and intervals [m, 2] (seconds), gzip; /<root name>/metadata/<key>: shape (1,), text holding JSON.
"""

import json
import sys

import h5py
import numpy as np

KEYS = ["root name", "computational sequence description", "dimension names", "computational sequence version", "alignment compatible",
        "dataset name", "dataset version", "creator", "contact", "featureset bib citation", "dataset bib citation"]


def write(path, root, videos, **metadata):
    with h5py.File(path, "w") as f:
        data = f.create_group(f"{root}/data")
        for video, (features, intervals) in videos.items():
            g = data.create_group(video)
            g.create_dataset("features", data=features, compression="gzip")
            g.create_dataset("intervals", data=np.asarray(intervals, "f8"), compression="gzip")
        meta = f.create_group(f"{root}/metadata")
        for key in KEYS:
            text = json.dumps(metadata.get(key.replace(" ", "_"), root if key == "root name" else "none"))
            d = meta.create_dataset(key, (1,), dtype=h5py.special_dtype(vlen=str))
            d[0] = text


out = sys.argv[1]
# Two videos. Words with a pause ("sp"); sound every 0.5 s with a hole, a NaN and a -inf; labels of two segments and of one.
words_a = [b"good", b"sp", b"film", b"bad", b"end"]
times_a = [[0, 1], [1, 1.5], [1.5, 3], [4, 5], [5, 6]]
write(f"{out}/words.csd", "words", {
    "vidA": (np.array(words_a, "S32").reshape(-1, 1), times_a),
    "vidB": (np.array([b"fine"], "S32").reshape(-1, 1), [[0.25, 0.75]]),
}, computational_sequence_version="1.0", dimension_names=["words"])
sound = np.arange(22, dtype="f4").reshape(11, 2)
sound[2, 0], sound[9, 1] = np.nan, -np.inf
write(f"{out}/sound.csd", "COVAREP", {
    "vidA": (sound, [[t / 2, t / 2 + 0.5] for t in (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]),
    "vidB": (np.array([[5, 6], [7, 8]], "f4"), [[0, 0.5], [0.5, 1]]),
}, computational_sequence_version="1.1", dimension_names=["F0", "VUV"])
write(f"{out}/labels.csd", "Opinion Segment Labels", {
    "vidA": (np.array([[2.4], [-1.2]], "f4"), [[0, 3], [4, 6]]),
    "vidB": (np.array([[0.5]], "f4"), [[0, 1]]),
})
# Labels that are none (NaN, infinite), or beyond 3.
write(f"{out}/faulty-labels.csd", "Opinion Segment Labels", {
    "vidA": (np.array([[np.nan], [-3.5]], "f4"), [[0, 3], [4, 6]]),
    "vidB": (np.array([[np.inf]], "f8"), [[0, 1]]),
})
# What else readers may meet: every number type, big endian, an unlinked group, links to this and other files.
with h5py.File(f"{out}/types.h5", "w") as f:
    for t in "i1 u1 i2 u2 i4 u4 i8 f2 f4 f8".split():
        f.create_dataset(t, data=np.array([[1, 2], [3, 4]], t))
    f.create_dataset("big", data=np.array([1, -2, 300], ">i4"))
    f.create_dataset("u8", data=np.array([1], "u8"))
    f.create_dataset("complex", data=np.array([1j]))
    f.create_dataset("scalar", data=2.5)
    f.create_dataset("none", data=np.zeros((0, 3), "f4"))
    f.create_dataset("texts", data=["one", "z\u00e9ro"], dtype=h5py.string_dtype())
    f.create_dataset("huge", shape=(2**40,), dtype="f8", chunks=(1024,))
    f["soft"] = h5py.SoftLink("/f4")
    f["outside"] = h5py.ExternalLink("words.csd", "/words")
    layout = h5py.VirtualLayout(shape=(2,), dtype="f4")
    layout[:] = h5py.VirtualSource("sound.csd", "x", shape=(2,))
    f.create_virtual_dataset("virtual", layout)
    raw = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    raw.set_external(b"/etc/hostname", 0, 4)
    h5py.h5d.create(f.id, b"raw", h5py.h5t.NATIVE_INT8, h5py.h5s.create_simple((4,)), raw)
