"""Spread over seeds and isomorphs, and what is known of architectures beside rows."""

import statistics

import pytest

from harness import spaces
from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.writer import write_measurements

TSS = spaces.get("tss")
TWICE = TSS.arch_index("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|")
PAIR = TSS.arch_index("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|")
OTHER = TSS.arch_index("|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|")


def row(index=PAIR, seed=777, ece=0.1, **columns):
    return {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "cifar100", "hp": "12", "seed": seed,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "ECE_15": ece, "acc": 0.5, "gate": "pass",
        "families": ["study@1"], "fingerprint": "f" * 32, "run_id": "r",
    } | columns  # fmt: skip


@pytest.fixture
def store(tmp_path):
    def make(*rows):
        root = StoreRoot.create(tmp_path / "store")
        write_measurements(root, list(rows), "r")
        return open_store(str(root.path))

    return make


def test_seed_spread(store):
    eces = [0.1, 0.2, 0.6]
    found = store(
        *(row(seed=seed, ece=ece) for seed, ece in zip((777, 888, 999), eces, strict=True)),
        row(calibrator="temperature", ece=0.05),
        row(OTHER, ece=None, reasons={"ECE_15": "none"}),
    )
    spread = found.seed_spread("ECE_15", "acc").df().set_index(["measurement", "arch_index", "calibrator"])
    assert "seed" not in spread.columns
    values = ["n_seeds", "mean", "sd", "min", "max"]
    expected = [3, statistics.mean(eces), statistics.stdev(eces), 0.1, 0.6]
    assert spread.loc[("ECE_15", PAIR, "none"), values].tolist() == pytest.approx(expected)
    assert spread.loc[("acc", PAIR, "none"), values].tolist() == [3, 0.5, 0.0, 0.5, 0.5]
    alone = spread.loc[("ECE_15", PAIR, "temperature")]
    assert alone["n_seeds"] == 1
    assert alone[["sd"]].isna().all()
    assert ("ECE_15", OTHER, "none") not in spread.index, "a value that is undefined is no seed"
    assert found.seed_spread("ECE_15", seed=[777, 888], calibrator="none").df()["mean"].tolist() == pytest.approx(
        [0.15]
    )


def test_isomorph_spread_is_within_a_class_and_a_seed(store):
    assert TSS.representative(TWICE) == TSS.representative(PAIR) != TSS.representative(OTHER)
    assert TSS.function_class(TWICE) != TSS.function_class(PAIR)
    found = store(row(PAIR), row(TWICE, ece=0.3), row(PAIR, 888, ece=0.7), row(OTHER, ece=0.9))
    values = ["n_members", "mean", "min", "max"]
    spread = found.isomorph_spread("ECE_15").df().set_index(["representative", "seed"])
    assert "arch_index" not in spread.columns
    assert spread.loc[(TSS.representative(PAIR), 777), values].tolist() == pytest.approx([2, 0.2, 0.1, 0.3])
    assert spread.loc[(TSS.representative(PAIR), 777), "sd"] == pytest.approx(statistics.stdev([0.1, 0.3]))
    assert spread.loc[(TSS.representative(PAIR), 888), values].tolist() == [1, 0.7, 0.7, 0.7]
    assert len(spread) == 3
    finer = found.isomorph_spread("ECE_15", classes="function", seed=777).df().set_index("function_class")
    assert sorted(finer.index) == sorted(map(TSS.function_class, (PAIR, TWICE, OTHER)))
    assert set(finer["n_members"]) == {1}


def test_spread_of_an_own_measurement_and_of_the_temperature(store):
    found = store(*(row(seed=seed, own={"gap": gap}, temperature=1.5) for seed, gap in ((777, 0.25), (888, 0.75))))
    spread = found.seed_spread("gap", "temperature").df().set_index("measurement")
    assert spread["mean"].to_dict() == {"gap": 0.5, "temperature": 1.5}


def test_networks_that_fail_the_gate_are_left_out_and_protocols_do_not_meet(store):
    found = store(row(), row(seed=888, gate="fail"), row(seed=999, protocol="paper", fingerprint="p" * 32))
    assert found.seed_spread("acc").df()["n_seeds"].tolist() == [1]
    assert found.seed_spread("acc", protocol="paper").df()["n_seeds"].tolist() == [1]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("ECE_16",), {}, "names: expected measurements, got ECE_16; `harness query --describe` lists them"),
        ((), {}, "names: expected measurements, got none"),
        (("acc",), {"classes": "size"}, "classes: expected isomorphism or function, got 'size'"),
        (("acc",), {"metric": "x"}, "cannot filter by metric"),
    ],
)
def test_refusals(store, names, options, message):
    with pytest.raises(StoreError, match=message):
        store(row()).isomorph_spread(*names, **options)


def test_tables_of_architectures_are_joined_to_rows(store):
    sources = {space: f"NATS-{space}-v1_0-3ffb9-full" for space in ("tss", "sss")}
    found = store(
        row(PAIR, source=sources["tss"]), row(7, source=sources["sss"], space="sss", dataset="ImageNet16-120")
    )
    joined = found.sql(
        "SELECT space, parameters, multiply_adds, function_class, operations, live_edges, widths, kernel_parameters "
        "FROM measurements JOIN features USING (space, arch_index) "
        "JOIN costs USING (source, space, arch_index, dataset) ORDER BY space"
    )
    for got, space, i, size in zip(
        joined.to_arrow_table().to_pylist(),
        ("sss", "tss"),
        (7, PAIR),
        ({"num_classes": 120, "image_size": 16}, {"num_classes": 100}),
        strict=True,
    ):
        expected = spaces.get(space).features(i, **size)
        assert (got["parameters"], got["multiply_adds"]) == (expected.parameters, expected.multiply_adds)
        assert got["function_class"] == spaces.get(space).function_class(i)
        assert (got["operations"], got["live_edges"]) == (list(expected.operations), list(expected.live_edges))
        assert (got["widths"], got["kernel_parameters"]) == (list(expected.widths), expected.kernel_parameters)
    counts = {name: len(found.sql(f"SELECT * FROM {name}")) for name in ("architectures", "features", "costs")}
    assert counts == {"architectures": 48_393, "features": 48_393, "costs": 48_393}, "costs: one data set of each"


def test_costs_of_networks_of_unknown_size_are_null(store):
    nats = "NATS-tss-v1_0-3ffb9-full"
    found = store(row(PAIR), row(PAIR, source="zoo-00000000", dataset="digits"), row(PAIR, source=nats))
    joined = "SELECT source, parameters FROM measurements JOIN costs USING (source, space, arch_index, dataset)"
    parameters = spaces.get("tss").features(PAIR, num_classes=100).parameters
    assert dict(found.sql(joined).fetchall()) == {"s": None, "zoo-00000000": None, nats: parameters}
    with pytest.raises(StoreError, match=r"JOIN costs USING \(source"):
        found.sql("SELECT parameters FROM measurements JOIN costs USING (space, arch_index, dataset)")


def test_costs_of_one_source_need_not_name_it(store):
    found = store(row(PAIR))
    joined = found.sql("SELECT parameters FROM measurements JOIN costs USING (space, arch_index, dataset)")
    assert joined.fetchall() == [(None,)], "not those of NATS-Bench's networks"


def test_tables_of_architectures_are_made_when_a_query_names_them(store):
    found = store(row())
    found.measurements().df(), found.wide().df(), found.seed_spread("acc").df()
    made = "SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'feat%' OR view_name LIKE 'cost%'"
    assert len(found.sql(made)) == 0
    assert len(found.sql("SELECT dataset FROM COSTS WHERE arch_index = 0 AND space = 'tss'")) == 1
    assert found.sql(made).fetchall() == [("costs",)]
