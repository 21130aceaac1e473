"""Golden SentencePiece models and token ids for test/text/sentencepiece.test.ts.

    /work/peers/venv/bin/python scripts/golden/sentencepiece.py      (pip install sentencepiece protobuf)

Trains small models on our own seeds and writes test/golden/sentencepiece/: NAME.model, and ids.json with `texts` and,
for every case, `ids` and `decoded` (null: the text itself) of each text, or null for a text that the case leaves out.

llama*   BPE with LLaMA's options (Touvron et al. 2023: bytes, single digits). Reference: the tokenizer that transformers'
         LlamaConverter describes (`legacy` true: "llama") and LlamaTokenizerFast itself (`legacy` false: "llama-new").
prefixless  the same without a prefix space, with a control and a user-defined piece; reference: LlamaConverter.
spaces   BPE as SentencePiece trains it when nothing is said: spaces collapsed, a character map, no bytes.
unigram  as T5's: no bos, pad 0, eos 1, unk 2, spaces collapsed, a character map.
bytes    unigram with bytes, otherwise as LLaMA's.
The last three have SentencePiece itself as reference: transformers' converters leave one of their options out each.
Of the others the script says at which texts without special tokens SentencePiece differs: for "llama-new", those that
begin with a space (it has no second one put before it), for the rest none.
"""
import hashlib
import io
import json
import os
import sys
import tempfile
from types import SimpleNamespace

sys.path.pop(0)  # this folder: this file would hide the package of the same name
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import sentencepiece
from tokenizers import AddedToken, Tokenizer, models
from transformers import LlamaTokenizerFast
from transformers.convert_slow_tokenizer import LlamaConverter, SentencePieceExtractor
from transformers.tokenization_utils_base import generate_merges

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
folder = os.path.join(root, "test", "golden", "sentencepiece")
os.makedirs(folder, exist_ok=True)

lines = []
for name, most in [("en-a", 92), ("en-b", 92), ("zh", 8)]:
    with open(os.path.join(root, "assets", "seeds", f"{name}.jsonl")) as file:
        for row in [json.loads(line) for line in file][:most]:
            lines += [row["instruction"], *row["output"].split("\n")]
lines += ["    indented by four", "        by eight, 1234567890", "a  b   c"]

# The models remember the path of the rules: the same everywhere.
rules = "rules.tsv"
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
with open(rules, "w") as file:
    table = {"\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\u200b": "", "\ufb01": "fi", "\u2026": "...",
             "e\u0301": "\u00e9", "\uff21": "A", "\u2460": "1", "\uff0c": ",", "\u2581": " "}
    for source, target in table.items():
        file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")

llama = dict(model_type="bpe", byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True,
             normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.99995)
plain = dict(normalization_rule_tsv=rules, character_coverage=0.99995)
options = {
    "llama": dict(llama, vocab_size=900),
    "prefixless": dict(llama, vocab_size=850, add_dummy_prefix=False, control_symbols=["<|im_end|>"],
                       user_defined_symbols=["<sep>"]),
    "spaces": dict(plain, model_type="bpe", vocab_size=600),
    "unigram": dict(plain, model_type="unigram", vocab_size=500, pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    "bytes": dict(llama, model_type="unigram", vocab_size=750),
}
for name, one in options.items():
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=writer, num_threads=1,
                                             minloglevel=2, **one)
    with open(os.path.join(folder, f"{name}.model"), "wb") as file:
        file.write(writer.getvalue())
os.chdir(root)

special = ["<s>", "</s>", "<unk>", "<|im_end|>", "<sep>"]
texts = [
    "", " ", "  ", "   ", "\n", "\t", "\n\n\n", " \n ", "a", " a", "  a", "a ", "a  ", "   a   b   ",
    "Hello", " Hello world", "Hello  world", "The ferry left the harbour before sunrise.",
    "Name three primary colours.", "in the end they went on and on", "\tindented\twith tabs\n\tand lines\n",
    "one\ntwo\r\nthree", "    four\n        eight\n                sixteen", "x" * 40, "a" * 9, "thethethethe", "ababababab",
    "1234567890", "3.14159, 2024-02-29, 1e-5", "½ ² ٣ ①", "$12.50 (50%)", "def f(x):\n    return x ** 2  # 平方\n",
    "今天天气很好。", "你好，世界！", "這是繁體中文，有些字不認識：齉龘", "中文 and English 混在一起", "日本語のテキスト", "한국어", "русский язык", "العربية",
    "👍", "👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽", "emoji 🙂 inside", "naïve café résumé", "cafe\u0301 e\u0301", "\ufb01ne … A B,C",
    "\u00a0no-break\u3000wide", "zero\u200bwidth", "\ufeffmark", "a\ufeffb", "\x00\x01\x7f", "\x85", "\U0001d54f \ue000",
    "▁", "a▁b", "<0x0A>", "<0x41> not a byte", "toString constructor __proto__", "don't can't I'm",
    "https://example.org/a?b=c&d=e#f", "!!!???...,,,", "{\"key\": [1, 2, null]}",
    "<s>", "</s>", "a<s>b", "<s> Hello</s>", "Hello</s> world", "[INST] Hi [/INST] Hello </s><s>[INST] Bye [/INST]",
    "<unk> unknown", "<s></s>", " <s>  two", "x<|im_end|>\ny", "left<sep>right <sep> ",
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nGive three tips for staying healthy.\n\n### Response:",
]


def path(name: str) -> str:
    return os.path.join(folder, f"{name}.model")


def converted(name: str, **settings) -> Tokenizer:
    """LlamaConverter's tokenizer. Its own tokenizer() does not run in transformers 5; the parts it is made of do."""
    described = SentencePieceExtractor(path(name)).extract(models.BPE)
    tokenizer = Tokenizer(models.BPE(described["vocab"], described["merges"], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_tokens(described["additional_special_tokens"])
    tokenizer.add_special_tokens([AddedToken("<unk>", normalized=False, special=True)])
    converter = LlamaConverter.__new__(LlamaConverter)
    converter.original_tokenizer = SimpleNamespace(**settings)
    tokenizer.normalizer = converter.normalizer(None)
    tokenizer.decoder = converter.decoder("▁", settings["add_prefix_space"])
    return tokenizer


def merges(name: str) -> str:
    """A digest of the merges; by the pieces' order and by their scores they are the same."""
    pieces = SentencePieceExtractor(path(name)).proto.pieces
    vocab = {piece.piece: i for i, piece in enumerate(pieces)}
    by_order = generate_merges(vocab)
    by_score = generate_merges(vocab, {piece.piece: piece.score for piece in pieces})
    assert sorted(by_order) == sorted(by_score)
    return hashlib.sha256(json.dumps(by_order, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def by_transformers(encode, decode) -> dict:
    ids = [encode(text) for text in texts]
    back = [decode(row) for row in ids]
    return {"ids": ids, "decoded": [None if a == b else b for a, b in zip(texts, back)]}


def by_sentencepiece(name: str) -> dict:
    """
    Special tokens in the text are text to SentencePiece, and so are names of bytes, which a unigram model of tokenizers
    takes for the bytes: left out. Its decoder writes the unknown in a way of its own: ids only.
    """
    processor = sentencepiece.SentencePieceProcessor(model_file=path(name))
    out = [*special, "<0x"] if name == "bytes" else special
    return {"ids": [None if any(token in text for token in out) else processor.encode(text) for text in texts]}


described = SentencePieceExtractor(path("llama")).extract(models.BPE)
new = LlamaTokenizerFast(vocab=described["vocab"], merges=described["merges"])
old, bare = converted("llama", legacy=True, add_prefix_space=True), converted("prefixless", legacy=True, add_prefix_space=False)
cases = {
    "llama": by_transformers(lambda text: old.encode(text, add_special_tokens=False).ids,
                             lambda ids: old.decode(ids, skip_special_tokens=False)),
    "llama-new": by_transformers(lambda text: new.encode(text, add_special_tokens=False),
                                 lambda ids: new.decode(ids, clean_up_tokenization_spaces=False)),
    "prefixless": by_transformers(lambda text: bare.encode(text, add_special_tokens=False).ids,
                                  lambda ids: bare.decode(ids, skip_special_tokens=False)),
    **{name: by_sentencepiece(name) for name in ["spaces", "unigram", "bytes"]},
}
for name in ["llama", "llama-new", "prefixless"]:
    truth = by_sentencepiece("llama" if name == "llama-new" else name)["ids"]
    print(name, "differs from SentencePiece:", [text for text, a, b in zip(texts, cases[name]["ids"], truth) if b is not None and a != b])
for name in ["llama", "prefixless"]:
    cases[name]["merges"] = merges(name)

with open(os.path.join(folder, "ids.json"), "w") as out:
    parts = ['"texts": [\n' + ",\n".join(json.dumps(text) for text in texts) + "\n]"]
    for name, case in cases.items():
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in case.pop("ids"))
        rest = "".join(f',\n"{key}": {json.dumps(value)}' for key, value in case.items())
        parts.append(f'"{name}": {{"ids": [\n{rows}\n]{rest}}}')
    out.write("{" + ",\n".join(parts) + "}\n")
print(len(texts), "texts;", sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)), "bytes")
