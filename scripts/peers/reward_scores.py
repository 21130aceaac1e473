"""Rewards that transformers gives to the answers of a reward model's held-out.jsonl: template, tokens and scores all its own.

reward_scores.py MODEL_FOLDER HELD_OUT_JSONL: a JSON list, answers in the order of the rows.
"""
import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder, held_out = sys.argv[1:3]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
scores = []
with torch.no_grad(), open(held_out, encoding="utf-8") as file:
    for line in file:
        row = json.loads(line)
        for answer in row["answers"]:
            turns = [*row["prompt"], {"role": "assistant", "content": answer["content"]}]
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            scores.append(model(input_ids=ids).logits.item())
print(json.dumps(scores))
