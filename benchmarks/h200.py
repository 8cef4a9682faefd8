"""LoRA of models of 8 and 13 thousand million weights on one GPU: tokens a second, three ways.

    python benchmarks/h200.py [--shapes llama-8b,llama-13b] [--steps 10] [--folder FOLDER]

Random weights of the real shapes (no download), LoRA of rank 16 on every linear layer, bfloat16, rows of
1,024 tokens, 4 to a step, nothing worked twice where memory allows it. Afina, a plain loop of
Transformers and PEFT, and TRL's SFTTrainer as it comes, one after the other on the same card, each
freed before the next. Equality comes first: float32, a tiny shape, loss and gradient of one batch,
Afina against PEFT. Without a GPU only that runs, with a dry run of every arm, and the result says "not
measured".
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bench
import torch
from datasets import Dataset
from growth import SMALL, Steps, base_folder, draw_rows
from lora_against_trl import _Clock
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

RANK, ROWS, LENGTH = 16, 4, 1024
SHAPES: dict[str, dict[str, int]] = {
    "llama-8b": {
        "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
    },
    "llama-13b": {
        "vocab_size": 32_000, "hidden_size": 5120, "intermediate_size": 13_824,
        "num_hidden_layers": 40, "num_attention_heads": 40, "num_key_value_heads": 40,
        "max_position_embeddings": 4096,
    },
}  # fmt: skip
TARGETS = {"llama-8b": 18_500, "llama-13b": 11_400}
ARTICLE_TOKENS = 21_000_000
"""Tokens of the articles' example, 13B with LoRA in five hours on an A100."""


def lora() -> LoraConfig:
    return LoraConfig(
        r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def peft_model(folder: Path, dtype: torch.dtype, device: str) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map={"": device})
    torch.manual_seed(7)
    return get_peft_model(model, lora(), autocast_adapter_dtype=dtype != torch.float32)


def equality(folder: Path) -> dict[str, float]:
    """Float32 on the CPU: loss and gradient of one batch, with the same adapter."""
    ours, theirs = Steps(folder, RANK), peft_model(folder, torch.float32, "cpu")
    own = dict(ours.model.network.named_parameters())
    for name, parameter in theirs.named_parameters():
        if parameter.requires_grad:
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
            own[f"module.{name}"].data.copy_(parameter.data)
    drawn = draw_rows(2, 64)
    loss = ours.backward(ours.rows(2, 64))
    ids = torch.tensor(drawn)
    other = theirs(input_ids=ids, labels=ids).loss
    other.backward()
    worst = 0.0
    for name, parameter in theirs.named_parameters():
        if parameter.grad is not None:
            found, wanted = own[f"module.{name}"].grad, parameter.grad
            worst = max(worst, float((found - wanted).abs().max() / wanted.abs().max()))
    difference = abs(loss - float(other.detach())) / float(other.detach())
    return {"loss_relative_difference": difference, "gradient_worst_relative_difference": worst}


def afina_seconds(folder: Path, arguments: argparse.Namespace, device: str) -> list[float]:
    steps = Steps(folder, RANK, dtype=torch.bfloat16, device=device)
    rows = steps.rows(ROWS, arguments.length)
    return [_timed(lambda: steps.step(rows), device) for _ in range(arguments.steps + 2)][2:]


def peft_seconds(folder: Path, arguments: argparse.Namespace, device: str) -> list[float]:
    model = peft_model(folder, torch.bfloat16, device)
    moved = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(moved, lr=1e-4, fused=True)
    ids = torch.tensor(draw_rows(ROWS, arguments.length), device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(moved, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    model.train()
    return [_timed(step, device) for _ in range(arguments.steps + 2)][2:]


def trl_seconds(folder: Path, arguments: argparse.Namespace, device: str) -> list[float]:
    drawn = draw_rows(ROWS * (arguments.steps + 2), arguments.length)
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            use_cpu=device == "cpu",
            bf16=device != "cpu",
            per_device_train_batch_size=ROWS,
            max_steps=arguments.steps + 2,
            max_length=arguments.length,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16),
            args=config,
            train_dataset=Dataset.from_dict({"input_ids": drawn}),
            processing_class=AutoTokenizer.from_pretrained(folder),
            peft_config=lora(),
        )
        clock = _Clock()
        trainer.add_callback(clock)
        trainer.train()
    return clock.times[2:]


ARMS = {"afina": afina_seconds, "transformers + peft": peft_seconds, "trl": trl_seconds}


def _timed(step: Any, device: str) -> float:
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(folder: Path, arguments: argparse.Namespace, device: str) -> dict[str, Any]:
    """Seconds a step of every arm, and on a GPU its most memory; an arm that fails says why."""
    found: dict[str, Any] = {}
    for name, arm in ARMS.items():
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            seconds = statistics.median(arm(folder, arguments, device))
        except torch.OutOfMemoryError as error:
            found[name] = {"failed": str(error).splitlines()[0]}
        else:
            speed = ROWS * arguments.length / seconds
            found[name] = {"seconds_per_step": seconds, "tokens_per_second": speed}
            if device == "cuda":
                found[name]["peak_memory_bytes"] = torch.cuda.max_memory_allocated()
        print(f"    {name:20s} {found[name]}", flush=True)
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
    return found


def on_gpu(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    limit = bench.matmul_gflops(torch.bfloat16, "cuda") * 1e9
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "matmul_tflops_bfloat16": limit / 1e12,
    }
    for name in arguments.shapes.split(","):
        shape = SHAPES[name]
        print(name)
        folder = base_folder(scratch / name, shape, torch.bfloat16)
        found = measure(folder, arguments, "cuda")
        found["target_tokens_per_second"] = TARGETS[name]
        speed = found["afina"].get("tokens_per_second")
        if speed:
            found["share_of_matmul"] = speed * 4 * weights_of(shape) / limit
            found["minutes_for_the_articles_tokens"] = ARTICLE_TOKENS / speed / 60
        result[name] = found
        for file in folder.glob("*.safetensors"):  # the disk is to hold one of them
            file.unlink()
    return result


def weights_of(shape: dict[str, int]) -> int:
    """Weights that take part in a product: the layers and the head."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    narrow = hidden * shape["num_key_value_heads"] // shape["num_attention_heads"]
    layer = 2 * hidden * hidden + 2 * hidden * narrow + 3 * hidden * inner
    return shape["num_hidden_layers"] * layer + shape["vocab_size"] * hidden


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="llama-8b,llama-13b")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--folder", type=Path, help="where 26 GB of weights may lie for a while")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": bench.machine(2), "rows": ROWS, "rank": RANK}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        small = base_folder(Path(scratch) / "small", SMALL)
        result["equality"] = equality(small)
        print("equality (float32):", result["equality"])
        assert result["equality"]["loss_relative_difference"] < 1e-5, "losses differ"
        assert result["equality"]["gradient_worst_relative_difference"] < 1e-3, "gradients differ"
        if torch.cuda.is_available():
            result |= {"length": arguments.length, "gpu": on_gpu(arguments, Path(scratch))}
        else:
            arguments.steps, arguments.length = 2, 64
            print("dry run on the CPU, a small shape:")
            measure(small, arguments, "cpu")
            result["gpu"] = "not measured: no GPU here"
            print(result["gpu"])
    bench.write("h200", result)


if __name__ == "__main__":
    main()
