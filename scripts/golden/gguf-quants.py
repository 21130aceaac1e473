"""Writes test/golden/gguf-quants.json: blocks of every quantised tensor type that is read, and what they decode to.

    /work/peers/venv/bin/python scripts/golden/gguf-quants.py      (numpy and the package gguf 0.19)

Bytes are random, but every float16 in them is finite (subnormal ones among them); values come from
gguf.quants.dequantize. The package cannot decode Q8_K: its values are computed here from the layout in ggml-common.h
(float32 scale, 256 signed bytes, 16 sums). Also what float32 numbers become as BF16, by gguf.quants.quantize.
All arrays are little-endian bytes in base64.
"""
import base64
import json
import os
import sys

sys.path.pop(0)  # this folder: its gguf.py would hide the package of the same name
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden")

# Type → where its float16 numbers stand in a block.
halves = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0], "Q8_K": [],
}


def blocks(name: str, rng: np.random.Generator) -> np.ndarray:
    values, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    rows = rng.integers(0, 256, (512 // values, size), dtype=np.uint8)
    for at in halves[name]:
        # An exponent of 31 is infinity or no number. The first block's numbers are of a model's size.
        exponent = rng.integers(0, 31, len(rows))
        exponent[0] = 10
        bits = rng.integers(0, 2, len(rows)) << 15 | exponent << 10 | rng.integers(0, 1024, len(rows))
        rows[:, at : at + 2] = bits.astype("<u2").view(np.uint8).reshape(-1, 2)
    if name == "Q8_K":
        rows[:, :4] = rng.standard_normal(len(rows)).astype("<f4").view(np.uint8).reshape(-1, 4)
    return rows


def decoded(name: str, rows: np.ndarray) -> np.ndarray:
    if name != "Q8_K":
        return dequantize(rows, GGMLQuantizationType[name])
    return rows[:, :4].copy().view("<f4") * rows[:, 4:260].view(np.int8).astype(np.float32)


def base(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


types = {}
for name in halves:
    rows = blocks(name, np.random.default_rng(list(name.encode())))
    values = decoded(name, rows).astype("<f4")
    assert np.isfinite(values).all(), name
    types[name] = {"bytes": base(rows), "values": base(values)}

rng = np.random.default_rng(16)
floats = np.concatenate([
    rng.standard_normal(40), [0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-40, 3.4028234e38, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20],
]).astype("<f4")
bfloat16 = {"values": base(floats), "bytes": base(quantize(floats.reshape(1, -1), GGMLQuantizationType.BF16))}

with open(os.path.join(golden, "gguf-quants.json"), "w") as out:
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in types.items())
    out.write('{"bfloat16": ' + json.dumps(bfloat16) + ', "types": {\n' + lines + "\n}}\n")
print(", ".join(types), os.path.getsize(os.path.join(golden, "gguf-quants.json")), "bytes")
