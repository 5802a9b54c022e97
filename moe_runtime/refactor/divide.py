"""Which neurons of a feed-forward block every token uses, and how the others form experts. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

#: Rounds of the clustering, and tokens whose activations describe a neuron.
ROUNDS = 12
PROFILE_TOKENS = 2048


def divided(inner: torch.Tensor, down: torch.Tensor, shared: int, experts: int, seed: int) -> torch.Tensor:
    """For each neuron its expert, or `experts` when it is shared: [I].

    `inner` [T, I] are activations, `down` [H, I] the output weights. Shared are the neurons that contribute most over
    all tokens (rms of the activation times the norm of its output column); the others are grouped by the tokens on
    which they contribute, in groups of equal size.
    """
    contribution = inner.float().abs() * down.float().norm(dim=0)
    strength = contribution.pow(2).mean(dim=0)
    order = strength.argsort(descending=True)
    owner = torch.full((inner.shape[1],), experts, dtype=torch.long)
    routed = order[shared:].sort().values
    step = max(1, len(inner) // PROFILE_TOKENS)
    owner[routed] = torch.from_numpy(balanced(contribution[::step, routed].T.numpy(), experts, seed))
    return owner


def balanced(profiles: npt.NDArray[np.float32], groups: int, seed: int) -> npt.NDArray[np.int64]:
    """Balanced spherical k-means: the group of each row, groups of equal size. O(ROUNDS * rows * groups)."""
    unit = profiles / np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    draw = np.random.default_rng(seed)
    centres = unit[draw.choice(len(unit), groups, replace=False)]
    group = np.zeros(len(unit), np.int64)
    for _ in range(ROUNDS):
        group = filled(unit @ centres.T)
        centres = np.stack([unit[group == one].mean(axis=0) for one in range(groups)])
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    return group


def filled(likeness: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Rows to columns, the most alike pair first, each column taking rows / columns of them."""
    rows, columns = likeness.shape
    room = [rows // columns] * columns
    group = np.full(rows, -1, np.int64)
    for pair in np.argsort(-likeness, axis=None, kind="stable").tolist():
        row, column = divmod(pair, columns)
        if group[row] < 0 and room[column]:
            group[row] = column
            room[column] -= 1
    return group
