"""Writes test/golden/novelty.json: what the novelty filter keeps, decided by Google's rouge_score 0.1.2 in exact fractions.

    python scripts/golden/novelty.py test/golden/novelty.json      (pip install rouge_score==0.1.2)

`texts`: instructions in order; `rejected`: threshold to [row, row it is most similar to (the earliest of equals), 2 · LCS,
tokens of both]. A row is rejected where ROUGE-L F against a kept row is above the threshold; F exactly at it is kept.
Near copies are made just under, exactly at and just over both thresholds. Seeded: the same every time. All texts are ours.
"""
import json
import random
import sys
from fractions import Fraction

from rouge_score import rouge_scorer, tokenizers

THRESHOLDS = [Fraction("0.7"), Fraction("0.5")]
SYLLABLES = "ba ke lo mi nu ra se to vi zu cha fro gli ple sta".split()


class Words:
    """Invented words, each once."""

    def __init__(self, rng):
        self.rng, self.used = rng, set()

    def take(self, count):
        found = []
        while len(found) < count:
            word = "".join(self.rng.choices(SYLLABLES, k=self.rng.randrange(2, 5)))
            if word not in self.used:
                self.used.add(word)
                found.append(word)
        return found


def near_copy(rng, words, base, lcs, length):
    """`length` words of which `lcs` are those of `base`, in order; the others are new."""
    kept = [base[i] for i in sorted(rng.sample(range(len(base)), lcs))]
    for word in words.take(length - lcs):
        kept.insert(rng.randrange(len(kept) + 1), word)
    return kept


def around(threshold, m, n):
    """The common lengths just under, exactly at (where there is one) and just over the threshold."""
    at = threshold * (m + n) / 2
    lengths = {at.numerator // at.denominator, at.numerator // at.denominator + 1}
    if at.denominator == 1:
        lengths.add(int(at) - 1)
    return sorted(l for l in lengths if 0 < l <= min(m, n))


def spell(rng, tokens):
    """The same tokens, as people write them."""
    text = rng.choice([" ", " ", " ", ", ", " - ", "\n"]).join(tokens)
    return rng.choice([text, text.capitalize(), text.upper(), f"{text}.", f"“{text}”?", f"  {text}!"])


def make_texts(rng):
    words = Words(rng)
    texts = []
    for m in (3, 5, 7, 10, 13, 20, 29, 32, 33, 61):
        for threshold in THRESHOLDS:
            # A tie needs an even sum for 0.5, one that 20 divides for 0.7.
            for n in sorted({m - 1, min((n for n in range(m // 2, 2 * m + 20) if (m + n) % 20 == 0), key=lambda n: abs(n - m))}):
                for lcs in around(threshold, m, n):
                    # A base for each, so that one verdict does not hide another.
                    base = words.take(m)
                    texts += [base, near_copy(rng, words, base, lcs, n)]
    # Few words, many repetitions: common words in another order, chains of similar texts.
    few = words.take(9)
    texts += [rng.choices(few, k=rng.randrange(1, 16)) for _ in range(100)]
    # Sentences of one pattern.
    places, verbs, things = words.take(8), words.take(5), words.take(8)
    for _ in range(60):
        texts.append(f"please {rng.choice(verbs)} the {rng.choice(things)} and the {rng.choice(things)} "
                     f"that you can see in {rng.choice(places)} in {rng.randrange(1990, 1999)}".split())
    texts += [base[::-1] for base in texts[:20:4]]
    rng.shuffle(texts)
    return [spell(rng, tokens) for tokens in texts] + ["", "...", "é", "Élan café", "elan cafe", "lan caf"]


def similarity(a, b):
    """ROUGE-L F as a fraction, held against rouge_score's own number."""
    lcs = rouge_scorer._lcs_table(a, b)[len(a)][len(b)] if a and b else 0
    numerator, denominator = 2 * int(lcs), len(a) + len(b)
    f = rouge_scorer._score_lcs(a, b).fmeasure
    assert abs(f - (numerator / denominator if lcs else 0)) < 1e-12
    return numerator, denominator


def novelty(tokens, threshold):
    kept, rejected = [], []
    for row, candidate in enumerate(tokens):
        best = None
        for other in kept:
            numerator, denominator = similarity(tokens[other], candidate)
            if numerator and (best is None or numerator * best[2] > best[1] * denominator):
                best = [other, numerator, denominator]
        if best and Fraction(best[1], best[2]) > threshold:
            rejected.append([row, *best])
        else:
            kept.append(row)
            if best and Fraction(best[1], best[2]) == threshold:
                novelty.ties += 1
    return rejected


def main(target):
    texts = make_texts(random.Random(5))
    tokenizer = tokenizers.DefaultTokenizer(use_stemmer=False)
    tokens = [tokenizer.tokenize(text) for text in texts]
    rejected = {}
    for threshold in THRESHOLDS:
        novelty.ties = 0
        name = str(float(threshold))
        rejected[name] = novelty(tokens, threshold)
        print(name, len(texts), "texts,", len(rejected[name]), "rejected,", novelty.ties, "kept with F exactly there")
    with open(target, "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(text) for text in texts)
        file.write(f'{{"texts": [\n{lines}\n],\n"rejected": {json.dumps(rejected)}}}\n')


main(sys.argv[1])
