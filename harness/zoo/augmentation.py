"""What is done to training images before a network sees them: crops, mirroring, and mixup."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F


def augmented(
    images: UInt8[Tensor, "n 3 h w"], crop: int, flip: bool, generator: torch.Generator
) -> UInt8[Tensor, "n 3 h w"]:
    """Return each image cropped at random from itself with black pixels around it, and mirrored half of the time.

    Args:
        images: Pixels.
        crop: Width of the black border; 0 for no crops. NATS-Bench has 4 around images of 32 pixels.
        flip: Whether to mirror.
        generator: Decides crops and mirroring.
    """
    cropped = _cropped(images, crop, generator) if crop else images
    if not flip:
        return cropped
    mirrored = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), cropped.flip(-1), cropped)


def _cropped(images: UInt8[Tensor, "n 3 h w"], border: int, generator: torch.Generator) -> UInt8[Tensor, "n 3 h w"]:
    n, height, width = len(images), images.shape[-2], images.shape[-1]
    rows, columns = torch.randint(0, 2 * border + 1, (2, n), generator=generator).to(images.device)
    padded = F.pad(images, (border, border, border, border))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (n, 3, rows, columns, height, width), a view
    return windows[torch.arange(n, device=images.device), :, rows, columns]


class Mixed(NamedTuple):
    """Inputs of which each is a mixture of two.

    Attributes:
        inputs: ``share * own + (1 - share) * other``.
        others: The label of the other one of each.
        share: The share of an input's own, in [0.5, 1].
    """

    inputs: Float32[Tensor, "n 3 h w"]
    others: Int64[Tensor, " n"]
    share: float


def mixed(
    inputs: Float32[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    alpha: float,
    generator: torch.Generator,
    shares: np.random.Generator,
) -> Mixed:
    """Return each input mixed with another one of its batch: mixup.

    The share of a batch is drawn from Beta(alpha, alpha); the larger of the two parts is an input's own, which changes
    nothing but the names of the two, as the other one is drawn at random.

    Args:
        inputs: Normalised images.
        labels: Their classes.
        alpha: Parameter of the distribution, positive.
        generator: Decides who is mixed with whom.
        shares: Draws the share.

    Reference:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, section 2.
    """
    drawn = float(shares.beta(alpha, alpha))
    share = max(drawn, 1 - drawn)
    partners = torch.randperm(len(inputs), generator=generator).to(inputs.device)
    return Mixed(share * inputs + (1 - share) * inputs[partners], labels[partners], share)


def mixed_loss(
    logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], mix: Mixed, label_smoothing: float
) -> Float32[Tensor, ""]:
    """Return the mean cross-entropy of mixed inputs: that of both labels, by their shares; logits can have 16 bits."""
    own, other = (F.cross_entropy(logits, of, label_smoothing=label_smoothing) for of in (labels, mix.others))
    return mix.share * own + (1 - mix.share) * other
