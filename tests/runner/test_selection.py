"""Expressions such as ``0-99`` select the architectures that they say, or are refused with the place of the mistake."""

import pytest

from harness import spaces
from harness.errors import ConfigError
from harness.runner.selection import arch_indices


def test_expressions_select_architectures(tmp_path):
    held = [0, 3, 7, 11, 20]
    tss = spaces.get("tss")
    assert arch_indices("all", "tss", held) == held
    assert arch_indices("3-3,0", "tss", held) == [0, 3]
    assert arch_indices("representatives", "tss", range(15625)) == sorted(tss.representatives())
    assert arch_indices("sample:3:7", "tss", held) == arch_indices("sample:3:7", "tss", held[::-1])
    assert len(arch_indices("sample:3:7", "tss", held)) == 3
    listed = tmp_path / "list.txt"
    listed.write_text(f"{tss.arch_str(11)}\n\n3\n")
    assert arch_indices(f"file:{listed}", "tss", held) == [3, 11]
    listed.write_text("3\n|oops~0|\n")
    with pytest.raises(ConfigError, match=r"list.txt, line 2: .*oops"):
        arch_indices(f"file:{listed}", "tss", held)
