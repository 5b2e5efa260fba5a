"""The sender of webhooks: what the outbox of a store holds is delivered, in order, by a few threads.

Any number of servers may send what one store holds: each claims what it sends, and no two have the same.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

from millstream import settings
from millstream.server.logs import LOGGER
from millstream.stores.sql.webhooks.deliveries import Claim, Outbox

# How long the end of a server waits for calls under way. Another server makes those that take longer once more.
_LAST_SECONDS = 5.0


class Sender:
    """Looks for what is due and sends it, one thread a lane. One webhook has half of the threads at most, so that a
    receiver that keeps everybody waiting does not hold up the others."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._workers = max(1, settings.WEBHOOK_DELIVERY_MAX_WORKERS.get())
        self._stopped = threading.Event()
        self._wake = threading.Condition()
        self._told = False
        self._busy: Counter[int] = Counter()
        self._calling: set[threading.Thread] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._thread is None:
            self._outbox.listen(self._look)
            self._thread = threading.Thread(target=self._run, name="millstream-webhooks", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the calls under way, those that take long apart; what is behind them stays for the next server."""
        self._stopped.set()
        self._look()
        if self._thread is not None:
            self._thread.join()
        deadline = time.monotonic() + _LAST_SECONDS
        for thread in tuple(self._calling):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _look(self) -> None:
        with self._wake:
            self._told = True
            self._wake.notify()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                claimed = self._claim()
            except Exception as error:
                claimed = 0
                LOGGER.error("looking for what webhooks are to be told failed", exc_info=error)
            with self._wake:
                if not claimed and not self._told:
                    self._wake.wait(settings.WEBHOOK_POLL_SECONDS.get())
                self._told = False

    def _claim(self) -> int:
        """Claim what there are threads for, and hand it to them; returns how much that was."""
        with self._wake:
            free = self._workers - self._busy.total()
            full = [webhook for webhook, count in self._busy.items() if count >= max(1, self._workers // 2)]
        if free <= 0 or not self._outbox.due():
            return 0
        claims = self._outbox.claim(free, full)
        for claim in claims:
            thread = threading.Thread(target=self._send, args=(claim,), name="millstream-webhook", daemon=True)
            with self._wake:
                self._busy[claim.webhook_number] += 1
                self._calling.add(thread)
            thread.start()
        return len(claims)

    def _send(self, first: Claim) -> None:
        claim: Claim | None = first
        try:
            while claim is not None:
                claim = self._outbox.send(claim, lambda: not self._stopped.is_set())
        except Exception as error:  # the lane is free again when its lease ends
            LOGGER.error("keeping what became of a webhook failed", exc_info=error)
        finally:
            with self._wake:
                self._busy[first.webhook_number] -= 1
                self._busy += Counter()  # without those at zero
                self._calling.discard(threading.current_thread())
            self._look()


def deliver_due(outbox: Outbox) -> int:
    """Send all that is due now, in this thread; returns how many calls were made."""
    calls = 0
    while outbox.due() and (claims := outbox.claim(1)):
        claim: Claim | None = claims[0]
        while claim is not None:
            claim = outbox.send(claim)
            calls += 1
    return calls
