"""Random campaigns: a study that grows in any order, with failures in between, keeps every committed row."""

import json
import random
import shutil

import pytest

from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import Library
from harness.store import open_store
from harness.zoo import archive_folder

AXES = {
    "study.spaces": ["tss", "sss"],
    "study.seeds": [777, 888],
    "study.split_seeds": [42, 7, 1],
    "study.calibrators": ["none", "temperature"],
    "study.conditions": ["unshifted", "ood_inverted", "ood_constant"],
    "study.protocols": ["clean", "paper"],
    "study.families": ["study", "sharpness"],
    "limit": [1, 2, 4],
}
VOLATILE = ["run_id", "seconds", "families", "reasons"]


def rows_of(root):
    """Every committed row by its key, without what may differ between two runs."""
    rows = open_store(str(root / "store")).measurements(protocol=["clean", "paper"]).df().drop(columns=VOLATILE)
    key = list(rows.columns[:13])
    return {tuple(row[name] for name in key): json.loads(row.dropna().to_json()) for _, row in rows.iterrows()}


def assert_kept(before, after):
    """No committed row is hidden, and no value of one changed; a further family adds values to it."""
    assert before.keys() <= after.keys()
    for key, row in before.items():
        assert {name: after[key].get(name) for name in row} == row, key


def n_files(root):
    return len(list((root / "store" / "measurements").rglob("*.parquet")))


@pytest.fixture
def campaign(overrides, zoo_root, recipe, tmp_path):
    """Run a command with some choices of the axes on copies of the small archives."""
    archives = []
    for space in ("tss", "sss"):
        folder = tmp_path / archive_folder(zoo_root, recipe, space, Library()).name
        shutil.copytree(archive_folder(zoo_root, recipe, space, Library()), folder)
        archives.append(f"archives.{space}={folder}")
    base = [o for o in overrides if not o.startswith("archives.")]

    def call(command, chosen):
        study = [f"{axis}=[{','.join(map(str, values))}]" for axis, values in chosen.items() if axis != "limit"]
        study.append(f"limit={max(chosen['limit'])}")
        return main([command, *base, *archives, *study, f"results={tmp_path}"])

    return call


def random_growth(rng, chosen):
    """Every value that is not chosen yet, in random order; paper comes after the split and the seed that it takes."""
    growth = [(axis, value) for axis, values in AXES.items() for value in values if value not in chosen[axis]]
    rng.shuffle(growth)
    paper, needed = ("study.protocols", "paper"), [("study.seeds", 777), ("study.split_seeds", 42)]
    growth.remove(paper)
    earliest = max((growth.index(need) + 1 for need in needed if need in growth), default=0)
    growth.insert(rng.randint(earliest, len(growth)), paper)
    return growth


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_growing_in_any_order_keeps_every_row(campaign, zoo_root, recipe, tmp_path, seed):
    rng = random.Random(seed)
    chosen = {axis: [rng.choice(values)] for axis, values in AXES.items()} | {"study.protocols": ["clean"]}
    folder = tmp_path / archive_folder(zoo_root, recipe, "tss", Library()).name
    record = folder / f"{rng.choice(open_archive(folder).held):06d}.pickle.pbz2"
    whole = record.read_bytes()
    before = {}
    for step, (axis, value) in enumerate([(None, None), *random_growth(rng, chosen)]):
        if axis is not None:
            chosen[axis] = rng.sample([*chosen[axis], value], k=len(chosen[axis]) + 1)
        record.write_bytes(whole if step != 1 else whole[:-50])  # a damaged record for one step
        code = campaign("run", chosen)
        assert code in ((0, 1) if step else (0,))
        after = rows_of(tmp_path)
        assert_kept(before, after)
        before = after
    files = n_files(tmp_path)
    assert campaign("run", chosen) == code
    assert n_files(tmp_path) == files, "run again, nothing is written"
    record.write_bytes(whole)
    campaign("retry", chosen)
    assert campaign("verify", chosen) == 0
    grown = rows_of(tmp_path)
    assert_kept(before, grown)
    shutil.rmtree(tmp_path / "store")
    assert campaign("run", chosen) == 0
    assert rows_of(tmp_path) == grown, "the order of growing leaves no trace"
