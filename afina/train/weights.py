"""The weights that move: kept in float32, worked with in the precision of the run, moved by AdamW.

Knows nothing of models: only named parameters, gradients and rates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from afina.recipe import Train
from afina.types import Move

SLANT = 32
"""How much lower the slanted triangular schedule begins and ends (ULMFiT, arXiv 1801.06146)."""


class Weights:
    """Float32 masters of the trained parameters, with their gradients and AdamW's two means.

    Where a parameter is float32 already it is its own master. The parameters are brought to
    ``dtype``. ``moves`` says which of them move otherwise than usual: at another rate, without
    decay, or from a later epoch on.
    """

    def __init__(
        self,
        trained: Mapping[str, nn.Parameter],
        train: Train,
        dtype: torch.dtype,
        moves: Mapping[str, Move] | None = None,
    ) -> None:
        self.working = dict(trained)
        self.moves = {name: (moves or {}).get(name, Move()) for name in self.working}
        self.masters: dict[str, nn.Parameter] = {}
        for name, parameter in self.working.items():
            if _keeps_float32(name) or dtype == torch.float32:
                parameter.data = parameter.data.float()
                self.masters[name] = parameter
            else:
                self.masters[name] = nn.Parameter(parameter.detach().float().clone())
                parameter.data = parameter.data.to(dtype)
        self.train = train
        self.optimizer = torch.optim.AdamW(
            self._groups(), lr=0.0, betas=train.betas, eps=train.epsilon, fused=True
        )

    def _groups(self) -> list[dict[str, object]]:
        """Weights of one rate and decay together; usually biases and norms have no decay."""
        groups: dict[tuple[bool, bool, float], list[nn.Parameter]] = {}
        for name, master in self.masters.items():
            move = self.moves[name]
            decays = master.ndim >= 2 if move.decays is None else move.decays
            key = (name.startswith("head."), decays, move.rate)
            groups.setdefault(key, []).append(master)
        train = self.train
        return [
            {
                "params": parameters,
                "weight_decay": train.weight_decay if decays else 0.0,
                "peak": rate
                * float((train.head_learning_rate if head else train.learning_rate) or 0),
            }
            for (head, decays, rate), parameters in groups.items()
        ]

    def begin(self, epoch: int | None = None) -> None:
        """Ask for the gradients of what moves in this epoch (None: of everything that ever moves)."""
        for name, parameter in self.working.items():
            parameter.requires_grad_(epoch is None or self.moves[name].from_epoch <= epoch)

    def collect_gradients(self) -> None:
        """Add the working parameters' gradients to the masters', in float32, and clear them."""
        for name, parameter in self.working.items():
            master = self.masters[name]
            if master is parameter or parameter.grad is None:
                continue
            gradient = parameter.grad.float()
            master.grad = gradient if master.grad is None else master.grad.add_(gradient)
            parameter.grad = None

    def gradient_norm(self) -> float:
        """Euclidean norm over all trained weights."""
        norms = [m.grad.norm() for m in self.masters.values() if m.grad is not None]
        return float(torch.stack(norms).norm()) if norms else 0.0

    def step(self, share: float, norm: float) -> None:
        """Clip, move by AdamW at ``share`` of the peak rates, and refresh the working weights.

        What has no gradient (it begins in a later epoch) stays, and AdamW counts no step of it.
        """
        clip = self.train.gradient_clip
        if clip is not None and norm > clip:
            for master in self.masters.values():
                if master.grad is not None:
                    master.grad.mul_(clip / norm)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._refresh()

    def _refresh(self) -> None:
        with torch.no_grad():
            for name, parameter in self.working.items():
                if self.masters[name] is not parameter:
                    parameter.copy_(self.masters[name])

    # ------------------------------------------------------------------ state

    def tensors(self) -> dict[str, torch.Tensor]:
        """The masters by name."""
        return {n: m.detach() for n, m in self.masters.items()}

    def optimizer_tensors(self) -> dict[str, torch.Tensor]:
        """AdamW's means by name; empty before the first step."""
        result: dict[str, torch.Tensor] = {}
        for name, master in self.masters.items():
            for key, value in self.optimizer.state.get(master, {}).items():
                result[f"{key}:{name}"] = value.detach().cpu()
        return result

    def restore(
        self, tensors: Mapping[str, torch.Tensor], optimizer: Mapping[str, torch.Tensor] | None
    ) -> None:
        """Put saved masters back, and AdamW's means unless None."""
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[name])
        self._refresh()
        if optimizer is None:
            return
        for name, master in self.masters.items():
            found = {
                key.partition(":")[0]: value.to(master.device if key[:4] != "step" else "cpu")
                for key, value in optimizer.items()
                if key.partition(":")[2] == name
            }
            if found:
                self.optimizer.state[master] = found

    def first_not_finite(self) -> str | None:
        """Name of a trained weight that is not finite, if there is one."""
        return next((n for n, m in self.masters.items() if not bool(m.isfinite().all())), None)


def _keeps_float32(name: str) -> bool:
    return name.startswith("head.")


def rate_share(schedule: str, step: int, steps: int, warmup_steps: int) -> float:
    """The share of the peak rate at step ``step`` (from 0) of ``steps``."""
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    if schedule == "slanted":
        height = step / warmup_steps if step < warmup_steps else 1.0 - done
        return (1.0 + height * (SLANT - 1)) / SLANT
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1.0 - done


def sha256_of(tensors: Mapping[str, torch.Tensor] | Iterable[tuple[str, torch.Tensor]]) -> str:
    """One hash over named tensors: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(dict(tensors).items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        if flat.numel():
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
