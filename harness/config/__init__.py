"""The configuration: Hydra schemas, how they are composed, and their one-way conversion to frozen values."""

from harness.config.compose import compose
from harness.config.settings import ArchiveSetting, Settings

__all__ = ["ArchiveSetting", "Settings", "compose"]
