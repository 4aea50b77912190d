"""Loading trained weights into a network, all or nothing, with a message that says what does not fit."""

from collections.abc import Mapping

from torch import Tensor, nn

from harness.errors import EvaluationError

_N_SHOWN = 3


def load_weights(net: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy weights into a network; its keys and shapes must be exactly those of the weights.

    Args:
        net: The network; it is changed only if everything fits.
        state_dict: Tensor of each key.

    Raises:
        EvaluationError: Keys are missing or unexpected, or shapes differ; the message names the first of each.
    """
    wanted = net.state_dict()
    missing = [key for key in wanted if key not in state_dict]
    unexpected = [key for key in state_dict if key not in wanted]
    misshapen = [
        f"{key} (expected {tuple(tensor.shape)}, got {tuple(state_dict[key].shape)})"
        for key, tensor in wanted.items()
        if key in state_dict and state_dict[key].shape != tensor.shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    found = [f"{len(keys)} {fault}: {_first(keys)}" for fault, keys in faults.items() if keys]
    if found:
        raise EvaluationError(
            f"expected weights with the {len(wanted)} keys of the network, got {'; '.join(found)}. "
            "Check that space, architecture, number of classes, channels and cells are those of the weights"
        )
    net.load_state_dict(dict(state_dict), strict=True)


def _first(keys: list[str]) -> str:
    n_more = len(keys) - _N_SHOWN
    return ", ".join(keys[:_N_SHOWN]) + (f" and {n_more} more" if n_more > 0 else "")
