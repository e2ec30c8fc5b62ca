"""Softmax with label smoothing, L-Softmax and reverse cross entropy, one number after the other."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, y: Tensor, smoothing: float) -> Tensor:
    """−Σ_k t_k log softmax(logits)_k (N,), t_k = 1 − s + s/K at y and s/K elsewhere."""
    losses = []
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        total, loss = sum(math.exp(value) for value in row), 0.0
        for k, value in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing if k == label else 0)
            loss -= target * math.log(math.exp(value) / total)
        losses.append(loss)
    return torch.tensor(losses, dtype=torch.float64)


def psi(theta: float, m: int) -> float:
    """ψ(θ) = (−1)^j cos(mθ) − 2j on [jπ/m, (j+1)π/m], by trying every interval (S)."""
    for j in range(m):
        if theta <= (j + 1) * math.pi / m:
            return (-1) ** j * math.cos(m * theta) - 2 * j
    raise AssertionError(theta)


def l_softmax_logits(z: Tensor, y: Tensor, weight: Tensor, margin: int, beta: float) -> Tensor:
    """‖w_k‖ ‖z‖ cos θ_k (N, K), for the true class ‖w_k‖ ‖z‖ (β cos θ + ψ(θ)) / (1 + β)."""
    rows = []
    for sample, label in zip(z.tolist(), y.tolist(), strict=True):
        row = []
        for k, w in enumerate(weight.tolist()):
            lengths = math.hypot(*w) * math.hypot(*sample)
            cosine = sum(a * b for a, b in zip(w, sample, strict=True)) / lengths
            theta = math.acos(max(-1.0, min(1.0, cosine)))
            row.append(
                lengths * (beta * math.cos(theta) + psi(theta, margin)) / (1 + beta)
                if k == label
                else lengths * math.cos(theta)
            )
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).reshape(len(z), len(weight))


def reverse_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−(1/(K−1)) Σ_{k≠y} log softmax(−logits)_k (N,)."""
    losses = []
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        total = sum(math.exp(-value) for value in row)
        wrong = [math.log(math.exp(-value) / total) for k, value in enumerate(row) if k != label]
        losses.append(-sum(wrong) / (len(row) - 1))
    return torch.tensor(losses, dtype=torch.float64)
