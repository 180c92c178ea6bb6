"""Writes golden.json: values of the sentiment formulas by NumPy and SciPy, float64, in code of its own.

Run: python3 make_golden.py   (NumPy and SciPy; then format golden.json with `npm run format`)
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20240511)


def alignment():
    a, b, c = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)) * [1, 2, 0.5, 3] + 1, rng.normal(size=(5, 4))

    def loss(x, y, statistic):
        return float(np.sum((statistic(x, rowvar=False) - statistic(y, rowvar=False)) ** 2) / (4 * x.shape[1] ** 2))

    pairs = {"a-b": (a, b), "a-c": (a, c), "b-c": (b, c)}
    return {
        "matrices": {"a": a.tolist(), "b": b.tolist(), "c": c.tolist()},
        "covariance": {name: loss(x, y, np.cov) for name, (x, y) in pairs.items()},
        "correlation": {name: loss(x, y, np.corrcoef) for name, (x, y) in pairs.items()},
    }


def ulgm(exclude_zero, warmup):
    """Six samples, batches of two, four epochs; the generator as published: labels, then features, then centres."""
    heads = {"multimodal": 3, "text": 2, "audio": 2}
    original = np.array([2.0, -1.5, 0.5, 0.0, -2.5, 1.0])
    labels = {name: original.copy() for name in heads}
    features = {name: np.full((6, width), np.nan) for name, width in heads.items()}
    centres = {}
    steps = []
    for epoch in range(1, 5):
        order = rng.permutation(6)
        for batch in order.reshape(3, 2):
            pull = original[batch][:, None]
            fresh = {name: (rng.normal(size=(2, width)) + pull).round(3) for name, width in heads.items()}
            if epoch > warmup:
                alpha = {}
                for name in heads:
                    positive, negative = centres[name]
                    assert not np.isnan(centres[name]).any()
                    near = np.linalg.norm(fresh[name] - positive, axis=1)
                    far = np.linalg.norm(fresh[name] - negative, axis=1)
                    alpha[name] = (far - near) / (near + 1e-8)
                for name in ("text", "audio"):
                    y = original[batch]
                    new = 0.5 * alpha[name] / (alpha["multimodal"] + 1e-8) * y
                    new = new + 0.5 * (y + alpha[name] - alpha["multimodal"])
                    new = np.clip(new, -3, 3)
                    labels[name][batch] = (epoch - 1) / (epoch + 1) * labels[name][batch] + 2 / (epoch + 1) * new
            for name in heads:
                features[name][batch] = fresh[name]
            for name in heads:
                positive = labels[name] > 0 if exclude_zero else labels[name] >= 0
                seen = ~np.isnan(features[name][:, 0])
                groups = [features[name][seen & positive], features[name][seen & (labels[name] < 0)]]
                centres[name] = [g.mean(axis=0) if len(g) else np.full(heads[name], np.nan) for g in groups]
            steps.append({
                "epoch": epoch,
                "batch": batch.tolist(),
                "features": {name: x.tolist() for name, x in fresh.items()},
                "labels": {name: y.tolist() for name, y in labels.items()},
                "centres": {name: np.nan_to_num(c, nan=0.0).tolist() for name, c in centres.items()},
            })
    return {"original": original.tolist(), "excludeZero": exclude_zero, "warmup": warmup, "steps": steps}


def weighted_f1(truth, predicted):
    total = 0.0
    for c in np.unique(truth):
        hits = np.sum((truth == c) & (predicted == c))
        precision = hits / max(1, np.sum(predicted == c))
        recall = hits / np.sum(truth == c)
        f1 = 0.0 if hits == 0 else 2 * precision * recall / (precision + recall)
        total += f1 * np.mean(truth == c)
    return float(total)


def mosi():
    truth = (rng.integers(-15, 16, size=200) / 5.0).clip(-3, 3)
    predicted = (truth + rng.normal(size=200)).round(1)
    keep = truth != 0
    out = {"mae": np.abs(truth - predicted).mean(), "corr": np.corrcoef(truth, predicted)[0, 1]}
    for name, limit in (("acc7", 3), ("acc5", 2), ("acc3", 1)):
        out[name] = np.mean(np.round(truth.clip(-limit, limit)) == np.round(predicted.clip(-limit, limit)))
    out["acc2Has0"] = np.mean((truth >= 0) == (predicted >= 0))
    out["f1Has0"] = weighted_f1(truth >= 0, predicted >= 0)
    out["acc2Non0"] = np.mean((truth[keep] > 0) == (predicted[keep] > 0))
    out["f1Non0"] = weighted_f1(truth[keep] > 0, predicted[keep] > 0)
    metrics = {name: float(x) for name, x in out.items()}
    return {"truth": truth.tolist(), "predicted": predicted.tolist(), "metrics": metrics}


def sims():
    truth = rng.integers(-5, 6, size=200) / 5.0
    predicted = (truth + 0.4 * rng.normal(size=200)).round(2)
    y, p = truth.clip(-1, 1), predicted.clip(-1, 1)
    weak = np.abs(y) <= 0.4

    def classes(x, edges):
        return np.digitize(x, edges, right=True)

    out = {"mae": np.abs(y - p).mean(), "corr": np.corrcoef(y, p)[0, 1]}
    for name, edges in (("acc2", [0]), ("acc3", [-0.1, 0.1]), ("acc5", [-0.7, -0.1, 0.1, 0.7])):
        out[name] = np.mean(classes(y, edges) == classes(p, edges))
    out["f1"] = weighted_f1(y > 0, p > 0)
    out["acc2Weak"] = np.mean((y[weak] > 0) == (p[weak] > 0))
    out["r2"] = 1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2)
    metrics = {name: float(x) for name, x in out.items()}
    return {"truth": truth.tolist(), "predicted": predicted.tolist(), "metrics": metrics}


def statistics():
    samples = [
        ([0.713, 0.721, 0.698, 0.735, 0.709], [0.742, 0.751, 0.728, 0.739, 0.760]),
        ([27.5, 21.0, 19.0, 23.6, 17.0, 17.9], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0]),
        ([1.0, 2.0], [10.0, 10.5, 11.0]),
        (rng.normal(size=30).tolist(), (rng.normal(size=12) * 4 + 0.5).tolist()),
        ([1e-9, 2e-9, 3e-9], [5.0, 5.0 + 1e-7, 5.0 - 1e-7]),
    ]
    welch = []
    for a, b in samples:
        test = stats.ttest_ind(a, b, equal_var=False)
        interval = test.confidence_interval(0.95)
        welch.append({
            "a": a, "b": b, "t": float(test.statistic), "df": float(test.df), "p": float(test.pvalue),
            "interval": [float(interval.low), float(interval.high)],
        })
    tails = [
        {"t": t, "df": df, "p": float(2 * stats.t.sf(abs(t), df))}
        for df in (1, 1.7, 2, 4.37, 8, 29.5, 120, 4000, 1e6)
        for t in (1e-6, 0.1, -0.9, 1.96, 5, 40, -300)
    ]
    quantiles = [
        {"probability": q, "df": df, "t": float(stats.t.ppf(q, df))}
        for df in (1, 2.5, 8, 200)
        for q in (0.001, 0.3, 0.5, 0.9, 0.975, 0.9999)
    ]
    return {"welch": welch, "tails": tails, "quantiles": quantiles}


golden = {
    "alignment": alignment(),
    "ulgm": [ulgm(True, 1), ulgm(False, 1), ulgm(True, 2)],
    "mosi": mosi(),
    "sims": sims(),
    "statistics": statistics(),
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden))
