"""Which model the daemon is put together with."""

from pathlib import Path

import pytest

from daemon.assembly import bundle_manifest
from daemon.config import AnalysisConfig, Config, StateConfig
from daemon.errors import ConfigError


def using(state: Path, **analysis: str) -> Config:
    return Config(state=StateConfig(folder=state), analysis=AnalysisConfig(**analysis))


def test_only_the_pinned_model_is_used(tmp_path: Path):
    there = bundle_manifest(using(tmp_path)).sha256
    assert bundle_manifest(using(tmp_path, bundle_sha256=there)).sha256 == there
    with pytest.raises(ConfigError) as refused:
        bundle_manifest(using(tmp_path, bundle_sha256="0" * 64))
    assert there in str(refused.value)
    assert "analysis.bundle_sha256" in str(refused.value)
