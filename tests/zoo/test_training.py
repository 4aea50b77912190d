"""Training by the recipe: against the same training written out in NumPy, and piece by piece."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from harness.datasets import Library
from harness.zoo import OPTIMISERS, SCHEDULES
from harness.zoo.augmentation import Mixed, augmented, mixed, mixed_loss
from harness.zoo.training import initialised, train_network

SEED = 777


@pytest.fixture(scope="module")
def images():
    return Library().load("digits", "train").subset(torch.arange(100))


@pytest.fixture
def linear_recipe(recipe):
    """A recipe for a linear network: two epochs of steps of 32 images, of which the last of an epoch has 4."""
    return replace(recipe, batch_size=32, learning_rate=0.01, weight_decay=0.01, schedule="cosine")


def linear_network():
    """A softmax regression on normalised pixels; its gradient is known in closed form."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 10, bias=False))
    nn.init.zeros_(network[1].weight)
    return network


def rates_by_hand(recipe, steps):
    """The learning rate and the momentum of every step, from the closed forms."""
    at = np.arange(steps)
    if recipe.schedule == "cosine":
        return recipe.learning_rate * (1 + np.cos(math.pi * at / steps)) / 2, np.full(steps, 0.9)
    top, last = 0.3 * steps - 1, steps - 1

    def cycle(start, middle, end):
        up = middle + (start - middle) * (1 + np.cos(math.pi * at / top)) / 2
        down = end + (middle - end) * (1 + np.cos(math.pi * (at - top) / (last - top))) / 2
        return np.where(at <= top, up, down)

    peak = recipe.learning_rate
    return cycle(peak / 25, peak, peak / 25 / 1e4), cycle(0.95, 0.85, 0.95)


def trained_by_hand(recipe, images):
    """The weights and the losses of the epochs of a softmax regression, in float64."""
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in images.normalisation)
    inputs = ((images.images.numpy() / 255 - mean) / std).reshape(len(images), -1)
    targets = np.eye(10)[images.labels.numpy()] * (1 - recipe.label_smoothing) + recipe.label_smoothing / 10
    generator, shares = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    weights, first, second = np.zeros((10, 192)), np.zeros((10, 192)), np.zeros((10, 192))
    rates, momenta = rates_by_hand(recipe, recipe.epochs * math.ceil(len(images) / recipe.batch_size))
    step, losses = 0, []
    for _ in range(recipe.epochs):
        order, total = torch.randperm(len(images), generator=generator).numpy(), 0.0
        for batch in np.split(order, range(recipe.batch_size, len(images), recipe.batch_size)):
            x, y = inputs[batch], targets[batch]
            if recipe.mixup:
                drawn = shares.beta(recipe.mixup, recipe.mixup)
                share, partners = max(drawn, 1 - drawn), torch.randperm(len(batch), generator=generator).numpy()
                x, y = share * x + (1 - share) * x[partners], share * y + (1 - share) * y[partners]
            logits = x @ weights.T
            log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            total -= (y * log_probs).sum()
            gradient = (np.exp(log_probs) - y).T @ x / len(batch)
            rate, momentum, decay = rates[step], momenta[step], recipe.weight_decay
            step += 1
            if recipe.optimiser == "sgd":
                gradient += decay * weights
                first = momentum * first + gradient
                weights = weights - rate * (gradient + momentum * first)
            else:
                first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
                corrected = np.sqrt(second / (1 - 0.999**step)) + 1e-8
                weights = weights * (1 - rate * decay) - rate * first / (1 - 0.9**step) / corrected
        losses.append(total / len(images))
    return weights, losses


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"optimiser": "adamw"},
        {"schedule": "one_cycle", "epochs": 4},
        {"label_smoothing": 0.1},
        {"mixup": 0.4},
        {"optimiser": "adamw", "label_smoothing": 0.2, "mixup": 1.0, "epochs": 3},
    ],
    ids=str,
)
def test_training_is_what_it_is_on_paper(linear_recipe, images, choice):
    recipe, network = replace(linear_recipe, **choice), linear_network()
    curve = train_network(network, images, recipe, SEED)
    weights, losses = trained_by_hand(recipe, images)
    np.testing.assert_allclose(network[1].weight.detach().numpy(), weights, rtol=1e-3, atol=2e-5)
    np.testing.assert_allclose(curve.loss, losses, rtol=1e-5)
    assert len(curve.accuracy) == len(curve.time_s) == recipe.epochs


@pytest.mark.parametrize(("schedule", "steps"), [("cosine", 1), ("cosine", 7), ("one_cycle", 20), ("one_cycle", 101)])
def test_learning_rates_follow_the_closed_form(recipe, schedule, steps):
    recipe = replace(recipe, schedule=schedule, learning_rate=0.3)
    optimiser = OPTIMISERS["sgd"]([nn.Parameter(torch.zeros(1))], recipe)
    schedule_ = SCHEDULES[schedule](optimiser, recipe, steps)
    found = []
    for _ in range(steps):
        found.append((optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["momentum"]))
        optimiser.step()
        schedule_.step()
    np.testing.assert_allclose(found, np.transpose(rates_by_hand(recipe, steps)), rtol=1e-9)
    if schedule == "cosine":
        assert optimiser.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_a_single_step_is_trained_under_either_schedule(linear_recipe, images):
    for schedule in SCHEDULES:
        recipe = replace(linear_recipe, schedule=schedule, epochs=1, batch_size=1000)
        assert len(train_network(linear_network(), images, recipe, SEED).loss) == 1


def test_the_loss_of_mixed_images_by_hand():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))
    mix = Mixed(torch.zeros(2, 3, 1, 1), torch.tensor([2, 2]), 0.75)
    expected = -(0.75 * (math.log(0.7) + math.log(0.25)) + 0.25 * (math.log(0.1) + math.log(0.5))) / 2
    assert float(mixed_loss(logits, torch.tensor([0, 1]), mix, 0.0)) == pytest.approx(expected, rel=1e-6)
    smooth = 0.7 * expected + 0.3 * -(math.log(0.7 * 0.2 * 0.1) + math.log(0.25 * 0.25 * 0.5)) / 6
    assert float(mixed_loss(logits, torch.tensor([0, 1]), mix, 0.3)) == pytest.approx(smooth, rel=1e-6)


def test_mixed_images_are_what_their_shares_say():
    inputs, labels = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 2, 2).contiguous(), torch.arange(5)
    for seed in range(20):
        generator, shares = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
        mix = mixed(inputs, labels, 0.3, generator, shares)
        assert 0.5 <= mix.share <= 1
        assert sorted(mix.others.tolist()) == list(range(5)), "every image is the other one of one"
        expected = mix.share * inputs + (1 - mix.share) * inputs[mix.others]
        torch.testing.assert_close(mix.inputs, expected)


def windows(image, border):
    """Every crop of an image from itself with a black border."""
    height, width = image.shape[-2:]
    padded = np.pad(image, ((0, 0), (border, border), (border, border)))
    shifts = range(2 * border + 1)
    return [padded[:, i : i + height, j : j + width] for i in shifts for j in shifts]


@pytest.mark.parametrize(("crop", "flip"), [(0, False), (2, False), (0, True), (2, True)])
def test_crops_and_mirroring_apart(images, crop, flip):
    pixels = images.images[:40]
    seen = augmented(pixels, crop, flip, torch.Generator().manual_seed(1)).numpy()
    drawn = set()
    for before, after in zip(pixels.numpy(), seen, strict=True):
        possible = windows(before, crop)
        straight = [np.array_equal(after, window) for window in possible]
        mirrored = [flip and np.array_equal(after, window[:, :, ::-1]) for window in possible]
        assert any(straight) or any(mirrored)
        drawn.add((int(np.argmax(np.logical_or(straight, mirrored))), any(straight)))
    assert len(drawn) == 1 if (crop, flip) == (0, False) else len(drawn) > 1, "crops and mirroring vary"


@pytest.mark.parametrize(
    "choice",
    [
        {"optimiser": "adamw", "learning_rate": 0.002},
        {"schedule": "cosine"},
        {"crop": 1},
        {"flip": True},
        {"label_smoothing": 0.1},
        {"mixup": 0.2},
        {"seeds": (888,)},
        {"precision": "bfloat16"},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_the_same_recipe_gives_the_same_weights_and_another_one_others(recipe, images, choice):
    def weights(of, seed=SEED):
        network = initialised("sss", "8:8:8:8:8", 10, of, seed)
        train_network(network, images, of, seed)
        return torch.cat([tensor.flatten().float() for tensor in network.state_dict().values()])

    base = replace(recipe, epochs=1)
    other = replace(base, **choice)
    once, again, plain = weights(other, other.seeds[0]), weights(other, other.seeds[0]), weights(base)
    assert torch.equal(once, again)
    assert not torch.equal(once, plain)
    if other.precision != base.precision:
        torch.testing.assert_close(once, plain, rtol=0.1, atol=0.1)


def test_label_smoothing_is_that_of_the_definition():
    logits, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0, 1])
    targets = 0.85 * F.one_hot(labels, 4) + 0.15 / 4
    mix = Mixed(torch.zeros(6, 3, 1, 1), labels, 1.0)
    expected = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(mixed_loss(logits, labels, mix, 0.15), expected)


def test_a_part_of_the_training_images_is_the_same_for_every_network(recipe):
    library = Library()
    part, again = (replace(recipe, train_images=50, epochs=n).training_images(library) for n in (1, 9))
    everything = recipe.training_images(library)
    assert (len(part), len(everything)) == (50, 897)
    assert torch.equal(part.images, again.images)
    assert torch.equal(part.labels, again.labels)
    assert len(set(part.labels.tolist())) == 10
    rows = {image.numpy().tobytes() for image in everything.images}
    assert {image.numpy().tobytes() for image in part.images} <= rows
