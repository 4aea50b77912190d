"""The notebooks of ``analysis/`` become a site: executed on a store, shown without their code."""

from harness.report.site import Page, Site

__all__ = ["Page", "Site"]
