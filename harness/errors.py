"""The exceptions of the harness: what a user can be told to mend, by where the fault lies.

Bad arguments of a function stay ``ValueError`` and ``TypeError``; everything here ends a command with a message.
"""


class HarnessError(Exception):
    """A fault that the harness recognised; its message says what was expected, what came, and the remedy."""


class ConfigError(HarnessError):
    """The configuration asks for something unknown, contradictory or impossible."""


class DataError(HarnessError):
    """An input file (archive, record, data set, predictions) is missing, damaged, hostile or not what it should be."""


class MissingTrialError(DataError):
    """An archive holds no such record, data set, budget or seed: an absence, not damage."""


class EvaluationError(HarnessError):
    """A network could not be evaluated: its weights do not fit or its outputs cannot be measured."""


class TrainingError(HarnessError):
    """A network could not be trained: its loss, its weights or its logits are no finite numbers."""


class StoreError(HarnessError):
    """The store of results cannot be read or written, or holds what it must not hold."""


class WorkerLostError(HarnessError):
    """Something beside the work itself is gone that it needs, such as another worker: it is to be tried again."""


class StoppedEarlyError(HarnessError):
    """A run ended before its plan was done, with everything committed kept; running it again resumes."""
