"""Writes reference pickles and what Python reads from them, as JSON lines.

    python3 make_pickles.py values  OUT.jsonl    # every kind of value in every protocol
    python3 make_pickles.py mutated OUT.jsonl    # 500 seeded faults in them, with the answer of Python's own unpickler

Each line: {"name", "pickle": base64, "value"}; "value" is null where Python, allowed the same names as our reader, refuses.
Values are spelled: null, true, "text", {"i": "12"}, {"f": "0x1.8p+0"}, {"b": base64}, [list], {"t": [tuple]}, {"d": [[key, value]]},
{"set": [members]}, {"a": [dtype, shape, base64 of row-major little endian]}, {"o": [shape, [values]]}, {"dtype": "<f8"}.
"""

import base64
import io
import json
import os
import pickle
import random
import resource
import sys

import numpy as np

NAMES = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    *((m, n) for m in ("numpy.core.multiarray", "numpy._core.multiarray") for n in ("_reconstruct", "scalar")),
    *((m, "_frombuffer") for m in ("numpy.core.numeric", "numpy._core.numeric")),
    *((m, n) for m in ("builtins", "__builtin__") for n in ("set", "frozenset", "bytearray", "bytes")),
}


class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"refused {module}.{name}")
        return super().find_class(module, name)


def spell(v):
    if v is None or isinstance(v, (bool, np.bool_)):
        return None if v is None else bool(v)
    if isinstance(v, (int, np.integer)):
        return {"i": str(int(v))}
    if isinstance(v, (float, np.floating)):
        return {"f": float(v).hex()}
    if isinstance(v, str):
        return str(v)
    if isinstance(v, (bytes, bytearray)):
        return {"b": base64.b64encode(v).decode()}
    if type(v) is list:
        return [spell(x) for x in v]
    if type(v) is tuple:
        return {"t": [spell(x) for x in v]}
    if type(v) is dict:
        return {"d": [[spell(k), spell(x)] for k, x in v.items()]}
    if type(v) in (set, frozenset):
        return {"set": sorted((spell(x) for x in v), key=json.dumps)}
    if isinstance(v, np.dtype):
        return {"dtype": v.str}
    if type(v) is np.ndarray:
        if v.dtype.kind in "OUS":
            return {"o": [list(v.shape), [spell(x) for x in v.reshape(-1).tolist()]]}
        wide = {"uint16": "int32", "uint32": "int64"}.get(v.dtype.name, v.dtype.name)
        if wide not in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"):
            raise TypeError(wide)
        data = np.ascontiguousarray(v.astype(np.dtype(wide).newbyteorder("<"))).tobytes()
        return {"a": [wide, list(v.shape), base64.b64encode(data).decode()]}
    raise TypeError(type(v))


def values():
    shared = ["once"]
    yield "plain", [None, True, False, 0, 1, 255, 256, 65536, -1, -(2**31), 2**31, 2**53, -(2**70), 10**30, 1.5, -0.0, float("inf")]
    yield "text", ["", "a\nb\\c\\u0041", "\u00e9\u4f60\U0001f600", "it's", "x" * 300]
    yield "bytes", [b"", b"\x00\xff\n'", bytearray(b"\x80ab"), b"y" * 300]
    yield "nested", {"list": [1, [2, []]], "tuple": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), "dict": {1: {}, "k": None, 2.5: 1}}
    yield "sets", {"set": {1, "a", None}, "frozen": frozenset([2.5, 3]), "empty": set()}
    yield "shared", [shared, shared, {"again": shared}]
    yield "floats", {"x": np.arange(6, dtype=np.float64).reshape(2, 3) / 4, "y": np.array([[1.5, -2]], np.float32)}
    for t in "i1 u1 i2 u2 i4 u4 i8 f2 f4 f8 ?".split():
        yield f"array {t}", np.arange(5).astype(t)
    yield "big endian", np.array([[1, -2], [300, 4]], ">i4")
    yield "fortran", np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3))
    yield "view", np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1::2]
    yield "empty arrays", [np.zeros((0, 3)), np.zeros((2, 0), np.int32), np.array(7.5)]
    yield "text arrays", [np.array(["a", "b\u00e9\U0001f600", ""]), np.array([b"xy", b""]), np.array(["p", "q"], ">U2")]
    yield "objects", np.array(["one", None, 3, 2.5, ("t",)], dtype=object)
    yield "object matrix", np.array([["a", "b"], ["c", "d"]], dtype=object)
    yield "scalars", [np.float64(1.5), np.float32(0.1), np.float16(-2.5), np.int64(-(2**62)), np.uint8(7), np.bool_(True), np.str_("s\u00e9"), np.bytes_(b"z")]
    yield "dtypes", [np.dtype("f8"), np.dtype(">i2"), np.dtype("U3"), np.dtype("O"), np.dtype("?")]
    yield "set of MMSA's form", {
        s: {
            "raw_text": [f"TEXT {s}", "GOOD"],
            "audio": np.arange(n, dtype=np.float64).reshape(2, 2, -1),
            "audio_lengths": [1, 2],
            "id": np.array(["v$_$1", "v$_$2"]),
            "annotations": np.array(["Positive", "Negative"], dtype=object),
            "regression_labels": np.array([1.0, -2.4], np.float32),
        }
        for s, n in (("train", 8), ("test", 4))
    }


def line(name, data, value):
    return json.dumps({"name": name, "pickle": base64.b64encode(data).decode(), "value": value}, separators=(",", ":"))


def pickles():
    for name, value in values():
        for protocol in range(6):
            yield f"{name}, protocol {protocol}", pickle.dumps(value, protocol), value


def mutate(data, rng):
    data = bytearray(data)
    gentle = rng.random() < 0.6  # one changed byte, which often leaves a value to be read
    for _ in range(1 if gentle else rng.choice((1, 2, 3))):
        at = rng.randrange(len(data))
        kind = rng.choice((0, 0, 1, 6)) if gentle else rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            data = data[: max(1, at)]
        elif kind == 3:
            data[at:at] = bytes([rng.randrange(256)] * rng.randrange(1, 5))
        elif kind == 4:
            del data[at : at + rng.randrange(1, 4)]
        elif kind == 5:
            data[at : at + 4] = b"\xff\xff\xff\x7f"
        else:  # an opcode where one may be
            data[at] = rng.choice(b"(.0125BCFGIJKLMNPQRSTUVXabcdeghijlopqrstu]})\x80\x81\x82\x85\x86\x87\x88\x8a\x8c\x8e\x8f\x90\x91\x92\x93\x94\x95")
        if len(data) == 0:
            data = bytearray(b".")
    return bytes(data)


def python_reads(data):
    """In a child, since a damaged pickle may take memory or time, or bring NumPy down."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        os.close(2)
        result = "null"
        try:
            stream = io.BytesIO(data)
            value = Restricted(stream).load()
            if stream.tell() == len(data) and len(text := json.dumps(spell(value), separators=(",", ":"))) < 4000:
                result = text
        except BaseException:
            pass
        os.write(into, result.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text or b"null")


def main(kind, path):
    with open(path, "w") as out:
        if kind == "values":
            for name, data, value in pickles():
                out.write(line(name, data, spell(value)) + "\n")
        else:
            rng = random.Random(20240607)
            bases = [data for _, data, _ in pickles() if len(data) < 330]
            for i in range(500):
                data = mutate(rng.choice(bases), rng)
                out.write(line(f"mutated {i}", data, python_reads(data)) + "\n")


main(*sys.argv[1:])
