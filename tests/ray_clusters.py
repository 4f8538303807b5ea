"""A local Ray cluster of two workers, for the tests that need one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def ray_cluster(workers: int = 2) -> Iterator[str]:
    """Start a head without CPUs and ``workers`` machines of one CPU each; yield its address."""
    pytest.importorskip("ray", reason="the package ray is not installed")
    if sys.platform == "win32":
        pytest.skip("Ray's machines of one computer are for POSIX")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    # Short: the path of a socket has at most 107 bytes. In Ray's own folder it would be noted as
    # the cluster that runs on this machine, and other programs would connect to it.
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    former = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = place
    small = {"object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1, wait=False, **small)
        yield cluster.address
    finally:
        cluster.shutdown()
        if former is None:
            del os.environ["RAY_TMPDIR"]
        else:
            os.environ["RAY_TMPDIR"] = former
        shutil.rmtree(place, ignore_errors=True)
