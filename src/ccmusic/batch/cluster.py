"""Analyses of recordings as they are ready, computed on a Ray cluster."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import ray
import ray.data
import ray.exceptions

from ccmusic.batch.local import Analyzed, documents
from ccmusic.batch.rows import Options
from ccmusic.engine import Engine
from ccmusic.errors import DataError, reason_of
from ccmusic.panel import Panel
from ccmusic.zoo import find

# A web proxy that does not exist, for the processes that Ray starts: one of them asks the addresses
# of three clouds whether it runs there, even when nothing is to be reported, and there is no option
# against it. Ray's own connections use no proxy.
_NO_WEB = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "localhost"}
# The recordings of a lost worker are classified again; at most this many.
_FILES_AT_ONCE = 4


class _Worker:
    """One core of the cluster: a decoder and the models, taking turns."""

    def __init__(self, options: Options, fingerprint: dict[str, Any]) -> None:
        if fingerprint != _fingerprint(options):
            raise DataError(
                "the models on the nodes of the cluster differ from those on this machine"
            )
        panel = Panel.open(options.transform, options.models, concurrency=1)
        self._documents = partial(documents, Engine(1), panel, options)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        # As text: Ray would want the same keys of every recording.
        return {"analyzed": [json.dumps(self._documents(str(f))) for f in batch["item"]]}


def analyzed(
    options: Options, files: Sequence[str], *, workers: int, address: str | None
) -> Generator[Analyzed]:
    """Classify recordings on a cluster, which must see them under the same paths.

    Parameters
    ----------
    workers
        Cores to use.
    address
        Address of the cluster; None uses the one that this process is connected to, or starts one
        on this machine.

    Raises
    ------
    DataError
        If the cluster cannot be reached, or fails.
    """
    if not files:
        return
    _check_reachable(address)
    try:
        if not ray.is_initialized():
            # Unless asked otherwise, Ray would report its use to its makers.
            asked = os.environ.get("RAY_USAGE_STATS_ENABLED")
            os.environ["RAY_USAGE_STATS_ENABLED"] = asked or "0"
            try:
                with patch.dict(os.environ, _NO_WEB):
                    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # Ray raises any, its own and others
                reason = reason_of(error)
                raise DataError(f"Ray cannot be started or reached: {reason}") from None
        ray.data.DataContext.get_current().enable_progress_bars = False
        blocks = -(-len(files) // _FILES_AT_ONCE)
        rows = ray.data.from_items(list(files), override_num_blocks=blocks).map_batches(
            _Worker,
            fn_constructor_args=(options, _fingerprint(options)),
            batch_size=_FILES_AT_ONCE,
            concurrency=(1, workers),
            num_cpus=1,
        )
        for row in rows.iter_rows():
            file, found = json.loads(row["analyzed"])
            yield file, found
    except (ConnectionError, ray.exceptions.RayError) as error:
        told = str(error).strip().splitlines()
        raise DataError(f"the Ray cluster failed: {told[-1] if told else error!r}") from None


def _check_reachable(address: str | None) -> None:
    """Check that the cluster answers; Ray would try for ten minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise DataError(
                f"no Ray cluster at {address} ({error.strerror or 'no answer'})"
            ) from None


def _fingerprint(options: Options) -> dict[str, Any]:
    return options.fingerprint([c.card for c in find(options.transform, options.models)])
