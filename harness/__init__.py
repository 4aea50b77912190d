"""A benchmark harness over NAS search spaces: networks in, calibration measurements out."""
