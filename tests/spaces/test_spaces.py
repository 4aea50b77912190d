import inspect
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pyarrow.parquet as pq
import pytest
from xautodl.models.cell_searchs.genotypes import Structure

from harness import spaces
from harness.spaces import EDGES, OPERATIONS, Block
from harness.spaces.cell import format_cell, isomorphism_class, live_edges, parse_cell

N_ARCHS = {"tss": 15_625, "sss": 32_768}
TSS, SSS = spaces.get("tss"), spaces.get("sss")
TSS_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
NONE, SKIP, CONV1, CONV3, POOL = OPERATIONS
PATHS = [(0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)]


@pytest.fixture(scope="module")
def tss_table(real_data):
    columns = ["arch_index", "arch_str"]
    return pq.read_table(real_data / "nas" / "tss_table.parquet", columns=columns).to_pydict()


def test_names_are_those_of_the_instances():
    assert spaces.names() == ("tss", "sss")
    for name in spaces.names():
        assert spaces.get(name).name == name
        assert spaces.get(name) is spaces.get(name)


def test_unknown_space_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of tss, sss, got 'nb301'"):
        spaces.get("nb301")


@pytest.mark.parametrize("name", spaces.names())
def test_strings_and_indices_are_inverse_over_the_whole_space(name):
    space = spaces.get(name)
    assert len(space) == N_ARCHS[name]
    strings = [space.arch_str(i) for i in range(len(space))]
    assert len(set(strings)) == len(space)
    assert [space.arch_index(arch_str) for arch_str in strings] == list(range(len(space)))


def test_tss_order_is_that_of_nats_bench(tss_table):
    assert tss_table["arch_index"] == list(range(len(TSS)))
    assert [TSS.arch_str(i) for i in range(len(TSS))] == tss_table["arch_str"]


def test_tss_first_string():
    assert TSS.arch_str(0) == TSS_0


def test_sss_order_is_the_plain_product():
    expected = [":".join(map(str, widths)) for widths in product(range(8, 65, 8), repeat=5)]
    assert [SSS.arch_str(i) for i in range(len(SSS))] == expected


@pytest.mark.parametrize("name", spaces.names())
@pytest.mark.parametrize("method", ["arch_str", "representative", "features"])
def test_index_out_of_range_says_the_range(name, method):
    space = spaces.get(name)
    for i in (-1, len(space), np.int64(len(space))):
        with pytest.raises(IndexError, match=rf"index of {name} in 0\.\.{len(space) - 1}, got {i}"):
            getattr(space, method)(i)


@pytest.mark.parametrize("name", spaces.names())
def test_bool_is_no_index(name):
    with pytest.raises(TypeError, match="got True"):
        spaces.get(name).arch_str(True)


@pytest.mark.parametrize("argument", ["num_classes", "image_size", "channels", "cells"])
@pytest.mark.parametrize("value", [True, 10.5, 16.0, "16"])
def test_only_an_integer_is_a_number_of_classes_or_a_size(argument, value):
    TSS.costs(**{argument: 16})  # so that 16.0 would be found in the cache
    costs = inspect.unwrap(type(TSS).costs)  # without the hook of the tests, which refuses other types itself
    with pytest.raises(TypeError, match=rf"{argument}: expected an integer, got {value!r}"):
        costs(TSS, **{argument: value})
    with pytest.raises(TypeError):
        TSS.features(0, **{argument: value})


@pytest.mark.parametrize("name", spaces.names())
def test_numpy_integers_are_indices(name):
    space = spaces.get(name)
    assert space.arch_str(np.int64(11)) == space.arch_str(11)
    assert type(space.representative(np.int64(11))) is int


@pytest.mark.parametrize(
    ("arch_str", "message"),
    [
        ("", "expected 3 nodes joined by '+', got 1 in ''"),
        ("|none~0|+|none~0|none~1|", "expected 3 nodes joined by '+', got 2"),
        (TSS_0 + "+|none~0|none~1|none~2|none~3|", "expected 3 nodes joined by '+', got 4"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "expected 2 edge(s) into node 2,"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "got '|none~0|' at position 9"),
        ("|none~0|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "expected 1 edge(s) into node 1,"),
        ("none~0+|none~0|none~1|+|none~0|none~1|none~2|", "got 'none~0' at position 0"),
        ("|+|none~0|none~1|+|none~0|none~1|none~2|", "got '|' at position 0"),
        (
            "|none~0|+|none~0|max_pool_3x3~1|+|none~0|none~1|none~2|",
            "expected an operation of none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3 on edge 2<-1, "
            "got 'max_pool_3x3~1' at position 17",
        ),
        (
            "|none~0|+|none~0|none~1|+|none~0|none~1|none~1|",
            "expected 'none~2' on edge 3<-2, got 'none~1' at position 40",
        ),
        ("|none|+|none~0|none~1|+|none~0|none~1|none~2|", "expected 'none~0' on edge 1<-0, got 'none' at position 1"),
        ("|none~00|+|none~0|none~1|+|none~0|none~1|none~2|", "got 'none~00' at position 1"),
        (TSS_0 + "\n", "expected 3 edge(s) into node 3,"),
    ],
)
def test_tss_parsing_names_the_wrong_token(arch_str, message):
    with pytest.raises(ValueError, match="arch_str") as caught:
        TSS.arch_index(arch_str)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arch_str", "message"),
    [
        ("", "expected 5 widths joined by ':', got 1 in ''"),
        ("8:8:8:8", "expected 5 widths joined by ':', got 4"),
        ("8:8:8:8:8:8", "expected 5 widths joined by ':', got 6"),
        ("8:8:12:8:8", "expected a width of 8, 16, 24, 32, 40, 48, 56, 64, got '12' as width 3 of '8:8:12:8:8'"),
        ("0:8:8:8:8", "got '0' as width 1"),
        ("8:8:8:8:72", "got '72' as width 5"),
        ("8:8:8: 8:8", "got ' 8' as width 4"),
        ("8:08:8:8:8", "got '08' as width 2"),
    ],
)
def test_sss_parsing_names_the_wrong_width(arch_str, message):
    with pytest.raises(ValueError, match="arch_str") as caught:
        SSS.arch_index(arch_str)
    assert message in str(caught.value)


def test_position_in_the_message_points_at_the_token():
    arch_str = TSS_0.replace("skip_connect~2", "sep_conv~2")
    with pytest.raises(ValueError, match="at position") as caught:
        TSS.skeleton(arch_str)
    assert arch_str[int(str(caught.value).rsplit(" ", 1)[1]) :].startswith("sep_conv~2")


def test_format_and_parse_are_inverse():
    operations = (NONE, SKIP, CONV1, CONV3, POOL, NONE)
    assert parse_cell(format_cell(operations)) == operations


# Isomorphism


def test_number_of_classes():
    assert len(TSS.representatives()) == 6_466
    assert SSS.representatives() == tuple(range(len(SSS)))


def test_representatives_are_the_smallest_of_their_class():
    origins = [TSS.representative(i) for i in range(len(TSS))]
    assert all(origin <= i for i, origin in enumerate(origins))
    assert all(origins[origin] == origin for origin in origins)
    assert TSS.representatives() == tuple(sorted(set(origins)))
    assert all(SSS.representative(i) == i for i in range(0, len(SSS), 997))


def test_classes_are_those_of_nats_bench():
    for i in range(len(TSS)):
        reference = Structure.str2structure(TSS.arch_str(i)).to_unique_str(consider_zero=True)
        assert isomorphism_class(parse_cell(TSS.arch_str(i))) == reference


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((NONE,) * 6, "#+#+#"),
        ((SKIP,) * 6, "0+0+0+0"),
        # A sum of zero terms is not itself zero: node 2 is '#+#', so the convolution after it is kept.
        ((NONE, NONE, NONE, NONE, NONE, CONV3), "#+#+(#+#)@nor_conv_3x3"),
        # Node 1 has a single term, so it is exactly '#' and what it feeds vanishes.
        ((NONE, SKIP, CONV1, SKIP, CONV3, NONE), "#+#+0"),
        ((CONV3, NONE, SKIP, NONE, NONE, SKIP), "#+#+#+(0)@nor_conv_3x3"),
        ((POOL, CONV1, SKIP, NONE, NONE, SKIP), "#+#+(0)@avg_pool_3x3+(0)@nor_conv_1x1"),
    ],
)
def test_class_by_hand(operations, expected):
    assert isomorphism_class(operations) == expected


def test_isomorphs_share_a_representative_and_others_do_not():
    def representative(*operations):
        return TSS.representative(TSS.arch_index(format_cell(operations)))

    through_node_1 = representative(CONV3, NONE, SKIP, NONE, NONE, SKIP)
    assert through_node_1 == representative(NONE, CONV3, NONE, NONE, NONE, SKIP)
    # The same function without a detour has two zero terms, not three, and is another class.
    assert through_node_1 != representative(NONE, NONE, NONE, CONV3, NONE, NONE)
    # Two convolutions of the input, summed at node 2: the order of the terms does not matter.
    assert representative(CONV3, CONV1, SKIP, NONE, NONE, SKIP) == representative(CONV1, CONV3, SKIP, NONE, NONE, SKIP)
    # What an edge from a zero node 1 does is irrelevant.
    dead = {representative(NONE, CONV3, a, CONV1, b, SKIP) for a in OPERATIONS for b in OPERATIONS}
    assert len(dead) == 1


# Skeletons and features


def test_tss_skeleton():
    skeleton = TSS.skeleton(TSS_0, channels=4, cells=2)
    cell, wide = Block("cell", 4, 4), Block("cell", 8, 8)
    assert skeleton.blocks == (
        *(cell, cell, Block("reduction", 4, 8)),
        *(wide, wide, Block("reduction", 8, 16)),
        *(Block("cell", 16, 16), Block("cell", 16, 16)),
    )
    assert skeleton.operations == (POOL, CONV1, SKIP, CONV1, SKIP, SKIP)
    assert skeleton.widths == (4, 8, 16)
    assert len(TSS.skeleton(TSS_0).blocks) == 17


def test_sss_skeleton():
    skeleton = SSS.skeleton("8:16:24:32:40")
    assert skeleton.blocks == (
        Block("cell", 8, 8),
        Block("reduction", 8, 16),
        Block("cell", 16, 24),
        Block("reduction", 24, 32),
        Block("cell", 32, 40),
    )
    assert skeleton.operations == (CONV3, CONV3, CONV3, SKIP, CONV3, CONV3)
    assert skeleton.widths == (8, 16, 24, 32, 40)


@pytest.mark.parametrize("arguments", [{"channels": 0}, {"cells": 0}, {"channels": -1}])
def test_tss_rejects_sizes_below_one(arguments):
    with pytest.raises(ValueError, match="channels, cells: expected at least 1 each"):
        TSS.skeleton(TSS_0, **arguments)


@pytest.mark.parametrize("arguments", [{"channels": 8}, {"cells": 1}])
def test_sss_rejects_sizes_that_do_not_apply(arguments):
    with pytest.raises(ValueError, match="do not apply to sss"):
        SSS.skeleton("8:8:8:8:8", **arguments)


@pytest.mark.parametrize(
    ("name", "index", "parameters", "multiply_adds"),
    [
        ("tss", 0, 129_306, 15_647_370),
        ("tss", 11, 802_426, 113_951_370),
        ("sss", 0, 11_714, 4_481_114),
        ("sss", 11, 49_202, 6_840_650),
    ],
)
def test_cost_is_that_of_the_archive(name, index, parameters, multiply_adds):
    features = spaces.get(name).features(index)
    assert (features.parameters, features.multiply_adds) == (parameters, multiply_adds)


def test_cost_by_hand():
    """A cell of one 3x3 convolution at C = 1, one cell a stage, 4x4 images and 2 classes."""
    arch_str = format_cell((NONE, NONE, NONE, CONV3, NONE, NONE))
    features = TSS.features(TSS.arch_index(arch_str), num_classes=2, image_size=4, channels=1, cells=1)
    stem = 27 + 2
    cells = (9 + 2) + (36 + 4) + (144 + 8)
    reductions = (18 + 4 + 36 + 4 + 2) + (72 + 8 + 144 + 8 + 8)
    head = 8 + (4 * 2 + 2)
    assert features.parameters == stem + cells + reductions + head
    convolutions = 16 * (27 + 9) + 4 * (18 + 36 + 2 + 36) + 1 * (72 + 144 + 8 + 144)
    assert features.multiply_adds == convolutions + 10


def test_classes_and_image_size_enter_the_cost():
    small, large = TSS.features(11, image_size=16), TSS.features(11, image_size=32)
    assert small.parameters == large.parameters
    assert large.multiply_adds - 650 == 4 * (small.multiply_adds - 650)  # 64 * 10 + 10 of the classifier
    assert TSS.features(11, num_classes=120).parameters - large.parameters == 110 * 65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"image_size": 0}, "image_size: expected a positive multiple of 4, got 0"),
        ({"image_size": 30}, "image_size: expected a positive multiple of 4, got 30"),
    ],
)
@pytest.mark.parametrize("name", spaces.names())
def test_features_reject(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        spaces.get(name).features(0, **arguments)


@pytest.mark.parametrize(
    ("operations", "live", "kernel_parameters"),
    [
        ((NONE,) * 6, (False,) * 6, 0),
        ((CONV3,) * 6, (True,) * 6, 54),
        ((CONV1,) * 6, (True,) * 6, 6),
        # Node 1 leads nowhere: the edge into it is dead.
        ((CONV3, SKIP, NONE, CONV1, NONE, CONV3), (False, True, False, True, False, True), 10),
        # Node 1 is not fed: the edges out of it are dead.
        ((NONE, CONV3, CONV3, SKIP, CONV1, POOL), (False, True, False, True, False, True), 9),
        # A chain through all nodes.
        ((CONV3, NONE, CONV1, NONE, NONE, CONV3), (True, False, True, False, False, True), 19),
        # Node 2 is fed but not used.
        ((SKIP, CONV3, CONV3, NONE, CONV1, NONE), (True, False, False, False, True, False), 1),
    ],
)
def test_live_edges_by_hand(operations, live, kernel_parameters):
    features = TSS.features(TSS.arch_index(format_cell(operations)))
    assert features.operations == operations
    assert features.live_edges == live
    assert features.kernel_parameters == kernel_parameters
    assert features.widths == (16, 32, 64)


def test_live_edges_against_all_paths():
    edges = {(edge.source, edge.target): k for k, edge in enumerate(EDGES)}
    paths = [[edges[pair] for pair in pairwise(path)] for path in PATHS]
    for i in range(0, len(TSS), 7):
        operations = parse_cell(TSS.arch_str(i))
        alive = {k for path in paths if all(operations[k] != NONE for k in path) for k in path}
        assert live_edges(operations) == tuple(k in alive for k in range(6))


@pytest.mark.parametrize("space", [TSS, SSS], ids=lambda space: space.name)
def test_features_of_all_architectures_are_those_of_each(space):
    cells, widths = space.cell_features(), space.widths()
    assert len(cells.operations) == len(cells.live_edges) == len(cells.kernel_parameters) == len(widths) == len(space)
    for i in range(0, len(space), 61):
        features = space.features(i)
        assert tuple(OPERATIONS[number] for number in cells.operations[i]) == features.operations
        assert tuple(cells.live_edges[i].tolist()) == features.live_edges
        assert cells.kernel_parameters[i] == features.kernel_parameters
        assert tuple(widths[i].tolist()) == features.widths


def test_sss_features():
    features = SSS.features(SSS.arch_index("8:16:24:32:40"))
    assert features.widths == (8, 16, 24, 32, 40)
    assert features.kernel_parameters == 45
    assert features.live_edges == (True,) * 6
    assert Counter(features.operations) == {CONV3: 5, SKIP: 1}
