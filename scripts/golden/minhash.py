"""Prints the table in test/data/minhash.test.ts: bands and rows that datasketch 2.0.0 chooses for 128 permutations.

    python scripts/golden/minhash.py      (pip install datasketch==2.0.0)

One line for each weight of misses: threshold to [bands, rows].
"""
import json

from datasketch.lsh import _optimal_param

for miss_weight in (0.5, 0.9):
    table = {t: _optimal_param(t, 128, 1 - miss_weight, miss_weight) for t in (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)}
    print(miss_weight, json.dumps(table))
