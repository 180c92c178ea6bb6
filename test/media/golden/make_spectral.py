"""Writes sound.wav and spectral.json: a sound, and what librosa makes of it.

    python3 -m venv venv && venv/bin/pip install librosa==0.11.0 && venv/bin/python make_spectral.py

librosa 0.11 gives for these functions what 0.10 gave. The constant-Q transform is stored twice: as librosa computes it, with halved rates and
thinned filters, and as it is defined, by librosa's own filters on the sound at its own rate.
"""

import base64
import json
import pathlib
import wave

import librosa
import numpy as np

here = pathlib.Path(__file__).parent
RATE = 22050


def sound():
    """0.7 s: a detuned chord that swells, a voiced buzz with noise, silence."""
    t = np.arange(int(0.7 * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * 440 * 2 ** ((k + 0.2) / 12) * t) for k in (-9, -5, -2))
    buzz = sum(np.sin(2 * np.pi * 131 * k * t) / k for k in range(1, 25))
    noise = np.random.default_rng(0).standard_normal(len(t))
    y = np.where(t < 0.35, 0.15 * chord * np.minimum(1, t / 0.1), 0.2 * buzz + 0.01 * noise)
    y[t > 0.6] = 0
    return np.round(np.clip(y, -1, 1) * 32767).astype("<i2")


def pack(x):
    x = np.ascontiguousarray(x)
    if np.iscomplexobj(x):
        x = np.stack([x.real, x.imag])
    x = x.astype("<f4")
    return {"dtype": "float32", "shape": list(x.shape), "data": base64.b64encode(x.tobytes()).decode()}


def constant_q(y, fmin):
    freqs = fmin * 2.0 ** (np.arange(252) / 36)
    alpha = np.full(252, (2 ** (2 / 36) - 1) / (2 ** (2 / 36) + 1))
    out = []
    for octave in range(7):
        part = slice(36 * octave, 36 * (octave + 1))
        basis, lengths = librosa.filters.wavelet(freqs=freqs[part], sr=RATE, alpha=alpha[part], dtype=np.complex128)
        n = basis.shape[1]
        padded = np.pad(y.astype(np.float64), (n // 2, n))
        rows = []
        for t in range(1 + len(y) // 512):
            frame = padded[t * 512 : t * 512 + n]
            rows.append(np.abs((basis[:, ::-1] * np.roll(frame, -1)).sum(axis=1)) * np.sqrt(lengths))
        out.append(np.stack(rows, axis=1))
    return np.concatenate(out)


pcm = sound()
with wave.open(str(here / "sound.wav"), "wb") as file:
    file.setparams((1, 2, RATE, 0, "NONE", ""))
    file.writeframes(pcm.tobytes())
y = pcm.astype(np.float32) / 32768
short = y[8000:9000]
tuning = librosa.estimate_tuning(y=y, sr=RATE, bins_per_octave=36)
f = librosa.feature
small = dict(n_fft=256, win_length=200, hop_length=1000)
golden = {
    "stft": librosa.stft(y, **small),
    "stftReflect": librosa.stft(y, **small, pad_mode="reflect"),
    "stftEdge": librosa.stft(y, **small, pad_mode="edge", window="hamming"),
    "stftUncentred": librosa.stft(y, n_fft=256, hop_length=1000, center=False),
    "melFilters": librosa.filters.mel(sr=RATE, n_fft=512, n_mels=40),
    "melFiltersHtk": librosa.filters.mel(sr=16000, n_fft=400, n_mels=80, fmin=55, fmax=7600, htk=True, norm=None),
    "melSpectrogram": f.melspectrogram(y=y, sr=RATE, n_mels=40),
    "logMel": librosa.power_to_db(f.melspectrogram(y=y, sr=RATE, n_mels=40)),
    "logMelRef": librosa.amplitude_to_db(f.melspectrogram(y=y, sr=RATE, n_mels=40, power=1), ref=np.max, top_db=60),
    "mfcc": f.mfcc(y=y, sr=RATE),
    "mfccHtk": f.mfcc(y=y, sr=RATE, n_mfcc=20, htk=True),
    "mfccLifter": f.mfcc(y=y, sr=RATE, n_mfcc=13, lifter=22),
    "mfccShort": f.mfcc(y=short, sr=RATE, htk=True),
    # The hop of these is 512 whatever the window, that of stft a quarter of it.
    "melSpectrogram512": f.melspectrogram(y=y, sr=RATE, n_mels=20, n_fft=512),
    "mfcc400": f.mfcc(y=y, sr=RATE, n_mfcc=13, n_mels=20, n_fft=512, win_length=400),
    "chromaStft1024": f.chroma_stft(y=y, sr=RATE, n_fft=1024),
    "stft128": librosa.stft(y[:1000], n_fft=128, win_length=100),
    "zeroCrossingRate": f.zero_crossing_rate(y),
    "rms": f.rms(y=y),
    "rmsReflect": f.rms(y=y, pad_mode="reflect", frame_length=400, hop_length=300),
    "chromaFilters": librosa.filters.chroma(sr=RATE, n_fft=512, tuning=0.2),
    "chromaStft": f.chroma_stft(y=y, sr=RATE),
    "chromaStft0": f.chroma_stft(y=y, sr=RATE, tuning=0),
    "constantQ": constant_q(y, librosa.note_to_hz("C1"))[::5],
    "constantQShort": constant_q(short, librosa.note_to_hz("C1"))[::5],
    "librosaCqt": np.abs(librosa.cqt(y, sr=RATE, n_bins=252, bins_per_octave=36))[::5],
    "chromaCqt": f.chroma_cqt(y=y, sr=RATE),
    "chromaCqt0": f.chroma_cqt(y=y, sr=RATE, tuning=0),
}
golden = {key: pack(value) for key, value in golden.items()}
golden["tuning12"] = librosa.estimate_tuning(y=y, sr=RATE)
golden["tuning36"] = tuning
(here / "spectral.json").write_text(json.dumps(golden, indent=2) + "\n")
