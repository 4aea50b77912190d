"""The notebooks of ``analysis/`` become pages: executed on a store, shown without their code."""

from harness.report.page import build_page

__all__ = ["build_page"]
