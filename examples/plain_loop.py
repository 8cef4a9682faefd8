"""LoRA fine-tuning with torch, transformers and peft alone, to read beside Afina's own loop.

    python examples/plain_loop.py BASE_FOLDER rows.jsonl OUT_FOLDER [--steps 30]

``rows.jsonl`` holds {"prompt": …, "completion": …}. It does what `afina train` does without what
Afina adds: no plan, no exact resume, no best checkpoint, no evaluation, no gate, no speed. Both give
the same losses on the same batches (a test of the project holds them together).
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

IGNORED = -100


def render(tokenizer, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    """Token ids of one conversation and the targets: the answer up to its end token."""
    asked = [{"role": "user", "content": prompt}]
    told = [*asked, {"role": "assistant", "content": completion}]
    before = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    after = tokenizer.apply_chat_template(told, tokenize=False)
    question = tokenizer.encode(before, add_special_tokens=False)
    answer = tokenizer.encode(after[len(before) :], add_special_tokens=False)
    end = len(answer) - answer[::-1].index(tokenizer.eos_token_id)
    targets = [IGNORED] * len(question) + answer[:end] + [IGNORED] * (len(answer) - end)
    return question + answer, targets


def pad(rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids and targets; a causal model never looks at what comes after."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([i + [0] * (width - len(i)) for i, _ in rows])
    targets = torch.tensor([t + [IGNORED] * (width - len(t)) for _, t in rows])
    return ids, targets


def mean_loss(model, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the tokens of the answers."""
    logits = model(input_ids=ids).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=IGNORED
    )


def train(
    base: Path,
    pairs: list[tuple[str, str]],
    out: Path | None,
    *,
    steps: int = 30,
    batch_size: int = 8,
    rank: int = 16,
    learning_rate: float = 1e-3,
    warmup: int = 2,
    seed: int = 7,
) -> list[float]:
    """Train and return the loss of each step; the adapter is written to ``out`` unless None."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = [render(tokenizer, prompt, completion) for prompt, completion in pairs]
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, config)
    model.train()
    moving = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=0.0, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    order: list[int] = []
    shuffle = random.Random(seed)
    losses: list[float] = []
    for step in range(steps):
        if len(order) < batch_size:
            order += shuffle.sample(range(len(rows)), len(rows))
        batch, order = order[:batch_size], order[batch_size:]
        loss = mean_loss(model, *pad([rows[i] for i in batch]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moving, 1.0)
        done = (step - warmup) / max(1, steps - warmup)
        share = (step + 1) / warmup if step < warmup else 1.0 - done
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * share
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    if out is not None:
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    lines = arguments.rows.read_text(encoding="utf-8").splitlines()
    values = [json.loads(line) for line in lines if line.strip()]
    pairs = [(value["prompt"], value["completion"]) for value in values]
    losses = train(arguments.base, pairs, arguments.out, steps=arguments.steps)
    for step, loss in enumerate(losses, 1):
        print(f"{step:5d}  {loss:.4f}")


if __name__ == "__main__":
    main()
