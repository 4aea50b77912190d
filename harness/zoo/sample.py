"""The architectures of the embedded zoo: a fixed sample that covers what the search spaces hold.

Topologies are given as the six operations of a cell in the order of its edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2:
N = none, S = skip_connect, 1 = nor_conv_1x1, 3 = nor_conv_3x3, P = avg_pool_3x3.
"""

from harness import spaces
from harness.spaces.cell import format_cell

_OPERATIONS = {"N": "none", "S": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "P": "avg_pool_3x3"}

_TOPOLOGIES = {
    "333333": "convolutions 3x3 only, the largest cell",
    "111111": "convolutions 1x1 only",
    "3N3NN3": "a chain of three convolutions",
    "3NNSN3": "unreached node 2 feeds a convolution: a learned constant",
    "33S3S3": "convolutions with identity edges",
    "S33S33": "residual form",
    "1S3S13": "mixed sizes of convolution",
    "3SSSS3": "one convolution on each end of identities",
    "13P3P1": "convolutions and pooling",
    "3PP1PS": "pooling between convolutions",
    "NNN3NN": "a single convolution 3x3",
    "NNN1NN": "a single convolution 1x1",
    "NNNSNN": "a single identity: the cell does nothing",
    "SSSSSS": "identities only",
    "PPPPPP": "pooling only",
    "NNNPNN": "a single pooling",
    "SPSPSP": "identities and pooling",
    "PSNPSN": "pooling, identities and absent edges, no convolution",
    "NNNNNN": "fully disconnected: the network is a constant predictor",
    "3N3NNN": "two convolutions that never reach the output: a constant predictor with dead edges",
    "N333N3": "dead edges on one side",
    "33NNN3": "a dead branch beside a live one",
    "3NN3NN": "a live convolution, and one that never reaches the output",
    "1P3S1P": "every operation but none",
}

_WIDTHS = {
    "8:8:8:8:8": "narrowest",
    "64:64:64:64:64": "widest",
    "16:16:16:16:16": "uniform",
    "8:16:32:48:64": "growing",
    "64:48:32:16:8": "shrinking",
    "8:64:8:64:8": "alternating",
    "32:8:8:8:32": "waist",
    "16:32:64:32:16": "belly",
}

_TWO_SEED_TOPOLOGIES = ("333333", "S33S33", "13P3P1", "NNN1NN", "PPPPPP", "NNNNNN")
_TWO_SEED_WIDTHS = ("16:16:16:16:16", "64:48:32:16:8")


def topology(code: str) -> str:
    """Return the architecture string of a six-letter code.

    Example:
        >>> topology("3N3NN1")
        '|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_1x1~2|'
    """
    return format_cell(tuple(_OPERATIONS[letter] for letter in code))


TSS_SAMPLE: dict[str, str] = {topology(code): what for code, what in _TOPOLOGIES.items()}
"""The 24 topologies of the sample: architecture string -> what it stands for."""

SSS_SAMPLE: dict[str, str] = dict(_WIDTHS)
"""The 8 sizes of the sample: architecture string -> what it stands for."""

TWO_SEEDS: frozenset[str] = frozenset((*map(topology, _TWO_SEED_TOPOLOGIES), *_TWO_SEED_WIDTHS))
"""The architecture strings that are trained with both seeds of the recipe; the others have its first."""


def sample_indices(space: str) -> tuple[int, ...]:
    """Return the indices of the sample of a space, ascending."""
    strings = {"tss": TSS_SAMPLE, "sss": SSS_SAMPLE}[space]
    return tuple(sorted(spaces.get(space).arch_index(string) for string in strings))
