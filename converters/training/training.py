"""The training loop: one loop for dense training, pruning, retraining and trained quantization."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import ConversionError
from ...core.progress import progress_bar
from ...dcformat.preprocess import Preprocess
from .checkpoints import save
from .constraints import Constraint, Masks
from .data.batches import AUGMENTATIONS, ordered_batches, training_batches
from .data.datasets import Split
from .folding import NORMS

log = logging.getLogger(__name__)

SCHEDULES = ("onecycle", "cosine", "step", "constant")
OPTIMIZERS = ("sgd", "adam")
LIMITS = {
    "epochs": (0, 10_000),
    "batch": (1, 1 << 20),
    "lr": (0, math.inf),
    "codebook_lr": (0, math.inf),
    "bias_lr": (0, math.inf),
    "warmup": (0, 0.99),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 1),
    "label_smoothing": (0, 0.99),
    "mixup": (0, 1e3),
    "distill": (0, 1),
    "temperature": (1e-3, 1e3),
}


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    Attributes
    ----------
    epochs, batch : int
    optimizer : {"sgd", "adam"}
        SGD has Nesterov momentum.
    lr : float
        The highest learning rate.
    codebook_lr : float
        Learning rate of codebooks, as a multiple of `lr`.
    bias_lr : float
        Learning rate of the biases of batch norm, as a multiple of `lr`. These learn slowly: 16 to 64 shortens a
        training from scratch (Jordan 2024, arXiv 2404.00498, section 3.3).
    schedule : {"onecycle", "cosine", "step", "constant"}
        "onecycle" warms up over a quarter of the steps and then falls as a cosine; "step" divides by 10 after a half
        and after three quarters.
    warmup : float
        Share of the steps during which the rate rises from zero; for "onecycle" at least a quarter.
    momentum, weight_decay : float
        Decay applies to weights only, not to biases, normalisation and codebooks.
    label_smoothing : float
    augment : {"none", "mnist", "cifar"}
    mixup : float
        Pairs of a batch's pictures are mixed, with shares drawn from Beta(`mixup`, `mixup`) (Zhang et al. 2018, arXiv
        1710.09412, section 2); 0: none. With a teacher, the student learns its answers between the pictures too
        (Beyer et al. 2022, arXiv 2106.05237).
    distill : float
        Share of the loss for agreement with the teacher; 0 needs no teacher.
    temperature : float
        Softmax temperature of student and teacher (Hinton et al. 2015).
    frozen : bool
        Train the codebooks only; all other state is fixed.
    bf16 : bool
        Compute in bfloat16 where that is safe (autocast); weights stay float32.
    """

    epochs: int = 10
    batch: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    codebook_lr: float = 1.0
    bias_lr: float = 1.0
    schedule: str = "onecycle"
    warmup: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    augment: str = "none"
    mixup: float = 0.0
    distill: float = 0.0
    temperature: float = 4.0
    frozen: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS), ("augment", tuple(AUGMENTATIONS))):
            if getattr(self, name) not in known:
                raise ConversionError(f"unknown {name}", expected=", ".join(known), found=repr(getattr(self, name)))
        for name, (low, high) in LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise ConversionError(f"{name} out of range", expected=f"{low} to {high}", found=getattr(self, name))

    def rate(self, progress: float) -> float:
        """Learning rate, as a share of the highest, when `progress` (0 to 1) of the steps are done."""
        warmup = max(self.warmup, 0.25) if self.schedule == "onecycle" else self.warmup
        if progress < warmup:
            return (progress + 1e-3) / (warmup + 1e-3)
        rest = (progress - warmup) / (1 - warmup)
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "step":
            return 1.0 if rest < 0.5 else 0.1 if rest < 0.75 else 0.01
        return 0.5 * (1 + math.cos(math.pi * rest))


@dataclass(frozen=True)
class Score:
    """Score of a network on a split: accuracy, and mean cross entropy in nats."""

    accuracy: float
    loss: float


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, preprocess: Preprocess) -> Score:
    """Score a network on every image of a split, in float32."""
    model.eval()
    right, loss = 0, 0.0
    for images, labels in ordered_batches(split, preprocess):
        logits = model(images)
        right += int((logits.argmax(1) == labels).sum())
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
    return Score(right / len(split), loss / len(split))


def train(
    model: nn.Module,
    split: Split,
    preprocess: Preprocess,
    settings: Settings,
    *,
    constraint: Constraint | None = None,
    teacher: nn.Module | None = None,
    validation: Split | None = None,
    checkpoint: Path | None = None,
    seed: int = 0,
    origin: str = "",
    title: str = "train",
) -> None:
    """Train a network in place.

    Batches and dropout of an epoch depend on the seed and the epoch only, so a resumed run gives the same result as an
    uninterrupted one.

    Parameters
    ----------
    model : nn.Module
    split : Split
        Training images.
    preprocess : Preprocess
    settings : Settings
    constraint : Constraint, optional
        Constraint on the weights.
    teacher : nn.Module, optional
        Teacher for ``settings.distill > 0``.
    validation : Split, optional
        Scored after each epoch, for the log only.
    checkpoint : Path, optional
        Written after each epoch; if it exists, the training resumes from it.
    seed : int
    origin : str
        Everything else that affects the result; a checkpoint of another origin is refused.
    title : str
        Name in the log and on the progress bar.

    Raises
    ------
    ConversionError
        The loss is no longer finite, or the checkpoint belongs to a run with other settings.
    """
    constraint = constraint if constraint is not None else Masks({})
    if settings.distill > 0 and teacher is None:
        raise ConversionError("distillation needs a teacher", hint="give one, or set distill = 0")
    for network in (model, teacher) if teacher is not None else (model,):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(model, settings, constraint)
    run = {"settings": asdict(settings), "seed": seed, "pictures": len(split), "origin": origin}
    first = _resume(checkpoint, run, model, optimizer, constraint)
    steps = len(split) // settings.batch
    shown: dict[str, Any] = {}
    with progress_bar(total=settings.epochs * steps, initial=first * steps, desc=title, unit="step") as bar:
        for epoch in range(first, settings.epochs):
            torch.manual_seed(seed * 10_007 + epoch)  # for dropout; batches have their own generator
            model.train(not settings.frozen)
            total = 0.0
            batches = training_batches(split, preprocess, settings.batch, settings.augment, (seed, epoch))
            for step, (images, labels) in enumerate(batches):
                progress = (epoch * steps + step) / (settings.epochs * steps)
                for group in optimizer.param_groups:
                    group["lr"] = settings.lr * settings.rate(progress) * group["scale"]
                loss = _loss(model, images, labels, teacher, settings)
                if not math.isfinite(value := float(loss.detach())):
                    where = f"{title}, epoch {epoch + 1}, step {step + 1}"
                    raise ConversionError("the loss is not finite", where=where, found=value, hint="lower lr")
                model.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                constraint.before_step(model)
                optimizer.step()
                constraint.after_step(model, optimizer, (epoch * steps + step + 1) / (settings.epochs * steps))
                total += value
                bar.update()
                bar.set_postfix(shown | {"epoch": epoch + 1, "loss": f"{value:.3f}"}, refresh=False)
            note = f"loss {total / steps:.4f}"
            if validation is not None:
                shown["accuracy"] = f"{evaluate(model, validation, preprocess).accuracy:.2%}"
                note += f", validation {shown['accuracy']}"
            log.info("%s: epoch %d of %d: %s", title, epoch + 1, settings.epochs, note)
            _save(checkpoint, run, epoch + 1, model, optimizer, constraint)


def _loss(model: nn.Module, images: Tensor, labels: Tensor, teacher: nn.Module | None, settings: Settings) -> Tensor:
    share = 1.0
    if settings.mixup > 0:
        share = float(torch.distributions.Beta(settings.mixup, settings.mixup).sample())
        images = share * images + (1 - share) * images.flip(0)
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
        logits = model(images)
        if teacher is not None and settings.distill > 0:
            with torch.no_grad():
                wanted = teacher(images)
    logits = logits.float()
    loss = share * F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    if share < 1:
        loss = loss + (1 - share) * F.cross_entropy(logits, labels.flip(0), label_smoothing=settings.label_smoothing)
    if teacher is None or settings.distill == 0:
        return loss
    heat = settings.temperature
    soft = F.kl_div(
        F.log_softmax(logits / heat, 1), F.log_softmax(wanted.float() / heat, 1), reduction="batchmean", log_target=True
    )
    return (1 - settings.distill) * loss + settings.distill * heat**2 * soft


def _optimizer(model: nn.Module, settings: Settings, constraint: Constraint) -> torch.optim.Optimizer:
    replaced = constraint.replaces()
    own = [(name, p) for name, p in model.named_parameters() if name not in replaced]
    if settings.frozen:
        own = []
    vectors = [(name, p) for name, p in own if p.dim() <= 1]
    shifts = {f"{name}.bias" for name, module in model.named_modules() if isinstance(module, NORMS)}
    groups = [
        {"params": [p for _, p in own if p.dim() > 1], "weight_decay": settings.weight_decay, "scale": 1.0},
        {"params": [p for name, p in vectors if name not in shifts], "weight_decay": 0.0, "scale": 1.0},
        {"params": [p for name, p in vectors if name in shifts], "weight_decay": 0.0, "scale": settings.bias_lr},
        {"params": list(replaced.values()), "weight_decay": 0.0, "scale": settings.codebook_lr},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ConversionError("nothing to train", hint="frozen = true needs shared weights")
    if settings.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=settings.lr)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.momentum > 0)


def _save(
    path: Path | None,
    run: dict[str, Any],
    epoch: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    constraint: Constraint,
) -> None:
    if path is None:
        return
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "constraint": constraint.state_dict()}
    save({"run": run, "epoch": epoch, **state}, path)


def _resume(
    path: Path | None,
    run: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    constraint: Constraint,
) -> int:
    """Restore a checkpoint, and return the number of its completed epochs."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["run"] != run:
        raise ConversionError("the checkpoint belongs to other settings", path=path, hint="delete it to start afresh")
    model.load_state_dict(state["model"])
    constraint.load_state_dict(state["constraint"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])
