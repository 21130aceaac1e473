"""Golden byte-level vocabulary and token ids for test/text/byte-bpe.test.ts.

    /work/peers/venv/bin/python scripts/golden/byte-bpe.py

Trains a small byte-level BPE on our own seeds and writes test/golden/byte-bpe/: vocab.json, merges.txt, and ids.json with
`texts` and cases. A case is a model folder: its tokenizer_config.json (`config`) and other files (`files`) beside the
two; `ids` are those of transformers' tokenizer of that folder, special tokens added, `decoded` its text with special
tokens left out (null: the text itself). "opt" is OPT's configuration (Zhang et al. 2022), "qwen" Qwen 2's.
"""
import json
import os
import shutil
import sys
import tempfile

sys.path.pop(0)  # this folder: its files would hide packages of the same name
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GPT2TokenizerFast, Qwen2TokenizerFast

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
folder = os.path.join(root, "test", "golden", "byte-bpe")
os.makedirs(folder, exist_ok=True)

lines = []
for name, most in [("en-a", 92), ("en-b", 92), ("zh", 30)]:
    with open(os.path.join(root, "assets", "seeds", f"{name}.jsonl")) as file:
        lines += [text for row in [json.loads(line) for line in file][:most] for text in (row["instruction"], row["output"])]

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
    vocab_size=700, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<|endoftext|>"]))
tokenizer.model.save(folder)
size = tokenizer.get_vocab_size()

texts = [
    "", " ", "   ", "\n\n", "\t", "a", " a", "  a", "a  ", "Hello world", " Hello  world \n", "The ferry left the harbour before sunrise.",
    "don't can't I'm WE'LL", "1234567890 3.14", "½ ² ٣", "def f(x):\n    return x ** 2  # 平方\n", "你好，世界！今天天气很好。", "русский العربية 한국어",
    "👍 👩‍👩‍👧‍👦 🇩🇪", "naïve cafe\u0301 \u212b", "\ufeffmark\u00a0\u3000wide\u0085\u0085x", "\x00\x7f", "!!!???...", "a_b-c/d\\e", "toString __proto__",
    "<s>", "</s>", "a</s>b </s> c", "<|endoftext|>next", "x<pad><pad> y", "<unk>", "#version: 0.2\n# #",
    "two<|user|> three\n<|user|>four", "left <|end|>  right",
    "### Instruction:\nGive three tips.\n\n### Response:",
]

opt = {"errors": "replace", "unk_token": "</s>", "bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>",
       "add_prefix_space": False, "add_bos_token": True, "tokenizer_class": "GPT2Tokenizer"}
token = dict(lstrip=False, normalized=False, rstrip=False, single_word=False, special=True)
cases = {
    "gpt2": (GPT2TokenizerFast, {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024}, {}),
    "prefix": (GPT2TokenizerFast, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}, {}),
    "opt": (GPT2TokenizerFast, opt, {"special_tokens_map.json": {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}}),
    "added": (GPT2TokenizerFast, {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"},
              {"special_tokens_map.json": {"eos_token": "<|end|>"}, "added_tokens.json": {"<|end|>": size + 1, "<|user|>": size}}),
    "qwen": (Qwen2TokenizerFast, {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|end|>", "pad_token": "<|endoftext|>",
              "added_tokens_decoder": {"4": dict(token, content="<|endoftext|>"), str(size): dict(token, content="<|end|>"),
                                       str(size + 1): dict(token, content="<|user|>", special=False, rstrip=True)}}, {}),
}
with open(os.path.join(folder, "ids.json"), "w") as out:
    parts = ['"texts": [\n' + ",\n".join(json.dumps(text) for text in texts) + "\n]"]
    for name, (kind, config, files) in cases.items():
        with tempfile.TemporaryDirectory() as model:
            for one in ["vocab.json", "merges.txt"]:
                shutil.copy(os.path.join(folder, one), model)
            for one, content in {"tokenizer_config.json": config, **files}.items():
                with open(os.path.join(model, one), "w") as file:
                    json.dump(content, file)
            reference = kind.from_pretrained(model)
        rows = [reference.encode(text) for text in texts]
        back = [reference.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False) for row in rows]
        listed = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        decoded = [None if a == b else b for a, b in zip(texts, back)]
        head = f'"config": {json.dumps(config)}, "files": {json.dumps(files)}, "size": {len(reference)}'
        parts.append(f'"{name}": {{{head}, "ids": [\n{listed}\n],\n"decoded": {json.dumps(decoded)}}}')
        print(name, len(reference), reference.special_tokens_map, reference.backend_tokenizer.pre_tokenizer)
    out.write("{" + ",\n".join(parts) + "}\n")
print(len(texts), "texts;", sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)), "bytes")
