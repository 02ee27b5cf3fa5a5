"""The SDK's log is silent during replays, and only then, also if they overlap."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from watchkeeper.replay.replayer import _SdkLog


def test_the_log_has_its_level_again_when_the_last_replay_has_ended() -> None:
    logger, log = logging.getLogger("temporalio"), _SdkLog()
    before = logger.level
    first, second = ExitStack(), ExitStack()
    first.enter_context(log.silent())
    second.enter_context(log.silent())
    first.close()
    assert not logger.isEnabledFor(logging.CRITICAL)
    second.close()
    assert logger.level == before
