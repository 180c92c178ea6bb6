"""Writes tiny files in the official layouts of MMSA's processed data: pickles and an .npz archive.

    python3 make_mmsa.py OUT_FOLDER

The value of an array is given by its place: 100 * utterance + 10 * row + column, utterances counted through train, valid, test.
"""

import pickle
import sys

import numpy as np

SPLITS = {"train": 3, "valid": 1, "test": 2}
LABELS = [2.4, -1.2, 0.0, 0.6, -3.0, 3.0]
TEXTS = ["GOOD FILM", "not so good", "it is a film", "fine", "bad", "\u597d"]


def values(first, n, rows, dims, dtype):
    at = np.arange(first, first + n).reshape(-1, 1, 1) * 100 + np.arange(rows).reshape(1, -1, 1) * 10 + np.arange(dims)
    return at.astype(dtype)


def splits(audio, vision, length, aligned, scale=1.0, single=False, number="f8"):
    first = 0
    out = {}
    for split, n in SPLITS.items():
        who = range(first, first + n)
        tokens = np.zeros((n, 3, length), "f4")
        for k, i in enumerate(who):
            tokens[k, 0, : 2 + i % 3] = 101 + i
            tokens[k, 1, : 2 + i % 3] = 1
        labels = np.array([LABELS[i] * scale for i in who], "f4")
        content = {
            "raw_text": np.array([TEXTS[i] for i in who], dtype=object) if aligned else [TEXTS[i] for i in who],
            "id": [f"vid{i // 2}$_${i}" for i in who],
            "text": values(first, n, length, 4, "f4"),
            "text_bert": tokens,
            "audio": values(first, n, audio[0], audio[1], number),
            "vision": values(first, n, vision[0], vision[1], number),
            "annotations": ["Negative" if x < 0 else "Positive" if x > 0 else "Neutral" for x in labels],
            "classification_labels": np.array([0 if x < 0 else 2 if x > 0 else 1 for x in labels]),
            "regression_labels": labels,
        }
        if not aligned:
            content["audio_lengths"] = [1 + i % audio[0] for i in who]
            content["vision_lengths"] = np.array([i % (vision[0] + 1) for i in who])
        if single:
            for k, letter in enumerate("TAV"):
                content[f"regression_labels_{letter}"] = (labels * 0.5 + 0.1 * k).astype("f4")
        out[split] = content
        first += n
    return out


folder = sys.argv[1]
mosi = splits((4, 5), (3, 20), 6, aligned=False)
mosi["train"]["audio"][0, 0, 1] = -np.inf
mosi["train"]["audio"][2, 0, :2] = np.nan
mosi["test"]["vision"][1, 0, 0] = 1e300  # beyond float32
with open(f"{folder}/unaligned.pkl", "wb") as f:
    pickle.dump(mosi, f, protocol=4)
with open(f"{folder}/aligned.pkl", "wb") as f:
    pickle.dump(splits((6, 5), (6, 20), 6, aligned=True, number="f4"), f, protocol=2)
sims = splits((2, 33), (1, 709), 5, aligned=False, scale=1 / 3, single=True, number="f2")
with open(f"{folder}/sims.pkl", "wb") as f:
    pickle.dump({**sims, "config": {"audio": {"tool": "librosa"}, "seed": 1}}, f, protocol=5)
np.savez(f"{folder}/set.npz", **{f"{s}/{k}": np.array(v) if k != "raw_text" else np.array(list(v)) for s, d in mosi.items() for k, v in d.items()})


def flipped(x):
    """Rows padded at the start: of n entries [n, T, D] the first i + 1 rows, moved to the end."""
    out = np.zeros_like(x)
    for i in range(len(x)):
        out[i, x.shape[1] - 1 - i :] = 1 + x[i, : i + 1]
    return out


start = splits((4, 5), (6, 20), 6, aligned=False)
for split in start.values():
    n = len(split["id"])
    del split["text_bert"]
    for name in ("audio", "vision", "text"):
        split[name] = flipped(split[name])
    split["audio_lengths"] = split["vision_lengths"] = [i + 1 for i in range(n)]
start["train"]["raw_text"][1] = None
start["test"]["raw_text"][0] = float("nan")
with open(f"{folder}/start.pkl", "wb") as f:
    pickle.dump(start, f, protocol=4)
