"""Every calibrator: what fitting and applying it cost beside the measurements that follow."""

from functools import partial

import numpy as np
from timing import best_ms, print_progress, print_table, random_logits

from harness.calibrators import get, names
from harness.metrics import measure, softmax

N_FIT, N_APPLY = 2000, 8000


def cells_of(name: str, protocol: str, n_classes: int) -> list[str]:
    print_progress(f"calibrator {name} of {protocol}, K = {n_classes}")
    logits, labels = random_logits(N_FIT + N_APPLY, n_classes)
    logits = logits.astype(np.float32)  # as networks give them
    probs, rest = softmax(logits[N_FIT:]), logits[N_FIT:]
    fit = partial(get(name, protocol).fit, logits[:N_FIT], labels[:N_FIT])
    fitted = fit()
    fit_ms, apply_ms, phase_ms = best_ms(fit, partial(fitted.apply, rest), partial(measure, probs, labels[N_FIT:]))
    return [f"{time_ms / phase_ms:.2f}x" for time_ms in (fit_ms, apply_ms)]


def each_calibrator() -> None:
    print_table(
        f"Every calibrator: fitted on {N_FIT:,} samples and applied to {N_APPLY:,},\n"
        f"as multiples of measure(probs, labels) of the {N_APPLY:,}",
        ("calibrator", "protocol", "fit, K = 10", "apply", "fit, K = 100", "apply"),
        [
            [name, protocol, *cells_of(name, protocol, 10), *cells_of(name, protocol, 100)]
            for protocol in ("clean", "paper")
            for name in names(protocol)
        ],
    )
