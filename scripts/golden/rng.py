"""Writes test/golden/rng.json: streams of sfc32 seeded by SHA-256, written a second time in another language.

    python scripts/golden/rng.py test/golden/rng.json      (standard library only)

sfc32 (C. Doty-Humphrey, PractRand): three words of state and a counter. `bits` are the first 32-bit outputs of a key,
`uniforms` the first doubles (27 high bits of one output, then 26 of the next), `far` the 10,000th output.
"""
import hashlib
import json
import struct
import sys

WORD = 0xFFFFFFFF
KEYS = [["a"], ["b"], ["1"], [1], ["shuffle", 7, "zh"], []]


def stream(key):
    seed = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
    a, b, c = struct.unpack("<III", seed[:12])
    counter = 1
    while True:
        total = (a + b + counter) & WORD
        counter = (counter + 1) & WORD
        a = b ^ (b >> 9)
        b = (c + (c << 3)) & WORD
        c = ((c << 21 | c >> 11) + total) & WORD
        yield total


def golden(key):
    outputs = stream(key)
    bits = [next(outputs) for _ in range(10_000)]
    pairs = zip(bits[0:8:2], bits[1:8:2])
    uniforms = [((high >> 5) * 2**26 + (low >> 6)) / 2**53 for high, low in pairs]
    return {"key": key, "bits": bits[:8], "uniforms": uniforms, "far": bits[-1]}


with open(sys.argv[1], "w") as file:
    json.dump([golden(key) for key in KEYS], file, indent=1)
    file.write("\n")
