"""Records whose pickle is sound and whose content is not: each field has its refusal."""

import pytest

from harness.errors import DataError

BUDGET = "12"
RUN = ("digits", 777)


def change(record, where, value):
    """Set, or with ``...`` delete, one entry of a record; ``where`` is the path of its keys below the budget."""
    holder = record[BUDGET]
    for key in where[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[where[-1]]
    else:
        holder[where[-1]] = value


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("arch_index",), ..., "expected the field 'arch_index', there are 'arch_str'"),
        (("arch_index",), "12", "arch_index: expected int, got '12'"),
        (("arch_index",), True, "arch_index: expected int, got a bool"),
        (("arch_str",), "|none~0|", r"expected the architecture \|.*, it holds '\|none~0\|'"),
        (("arch_str",), 3, "arch_str: expected str, got 3"),
        (("dataset_seed",), ..., "expected the field 'dataset_seed'"),
        (("all_results",), [], "all_results: expected dict, got a list"),
        (("all_results", ("digits", "777")), {}, r"all_results: expected \(dataset, seed\) as a key, got a tuple"),
        (("all_results", "digits"), {}, r"all_results: expected \(dataset, seed\) as a key, got 'digits'"),
        (("all_results", RUN), None, "digits, 777: expected a mapping, got None"),
        (("all_results", RUN, "name"), "cifar10", "the run filed there is of 'cifar10', seed '0777'"),
        (("all_results", RUN, "seed"), "0888", "the run filed there is of 'digits', seed '0888'"),
        (("all_results", RUN, "seed"), "x", "the run filed there is of 'digits', seed 'x'"),
        (("all_results", RUN, "epochs"), 0, "epochs: expected a positive number, got 0"),
        (("all_results", RUN, "epochs"), 3, "train_acc1es: expected a value of the last epoch 2"),
        (
            ("all_results", RUN, "train_acc1es", 1),
            100.5,
            r"train_acc1es: expected a percentage in \[0, 100\], got 100.5",
        ),
        (("all_results", RUN, "train_losses", 1), None, "train_losses: expected a number, got None"),
        (("all_results", RUN, "eval_acc1es", "ori-test@1"), -1.0, r"ori-test@1: expected a percentage .* got -1.0"),
        (("all_results", RUN, "eval_acc1es", "ori-test@1"), float("nan"), "expected a percentage .* got nan"),
        (("all_results", RUN, "eval_acc1es", "ori-test@1"), float("inf"), "expected a percentage .* got inf"),
        (("all_results", RUN, "eval_acc1es", "ori-test@1"), "62.5", "expected a number, got '62.5'"),
        (("all_results", RUN, "eval_acc1es", 1), 62.5, "expected names such as 'ori-test@1', got 1"),
        (("all_results", RUN, "eval_losses"), ..., "expected the field 'eval_losses'"),
        (("all_results", RUN, "params"), float("inf"), "params: expected a finite number of millions, got inf"),
        (("all_results", RUN, "params"), 10**400, "int too large"),
        (("all_results", RUN, "flop"), None, "flop: expected a number, got None"),
        (("all_results", RUN, "arch_config", "class_num"), "10", "class_num: expected int, got '10'"),
        (("all_results", RUN, "arch_config", "channel"), ..., "expected the field 'channel'"),
        (("all_results", RUN, "arch_config", "arch_str"), "x", "expected the architecture .* it holds 'x'"),
        (("all_results", RUN, "net_state_dict"), ..., "expected the field 'net_state_dict'"),
        (("all_results", RUN, "net_state_dict"), [1], "net_state_dict: expected a mapping, got a list"),
        (("all_results", RUN, "net_state_dict", "w"), 1.0, "expected tensors by name, got 1.0 under 'w'"),
    ],
)
def test_field_is_refused_by_name(folder, archive, plant, record, where, value, message):
    content = record(folder / "000012.pickle.pbz2")
    change(content, where, value)
    plant(content)
    with pytest.raises(DataError, match=rf"(?s)000012\.pickle\.pbz2: .*{message}"):
        archive.record(12)


@pytest.mark.parametrize("content", [None, [], "text", {}, {1: {}}])
def test_content_that_is_no_record(archive, plant, content):
    plant(content)
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: expected a record"):
        archive.record(12)


def test_accuracy_slightly_above_100_by_rounding(folder, archive, plant, record):
    content = record(folder / "000012.pickle.pbz2")
    change(content, ("all_results", RUN, "train_acc1es", 1), 100.00001)
    plant(content)
    assert archive.record(12).trial(*RUN, BUDGET).train_accuracy == 1.0
