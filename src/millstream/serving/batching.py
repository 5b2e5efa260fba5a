"""The way of requests to the model: a queue, and one thread that predicts.

The event loop owns the queue. Whenever the thread is free it is given the request that has waited longest, together
with those behind it that are alike (:mod:`millstream.serving.forms`), up to a number of rows: one prediction for all of
them costs as much as for one. The answer is split by rows. A model whose answers do not have one entry a row is found
out by their length, and its requests are predicted one by one from then on; so are the requests of a batch that fails,
so that only the guilty one hears of it.

A model of a library that takes arrays and has predicted in less than :data:`QUICK_SECONDS` for a while is asked in the
event loop itself: handing a request over to a thread and back costs as much as the prediction. One that takes longer,
and code that is not the library's, never is.

A request whose deadline passes is answered at once. If it waited, it is never predicted. If it was being predicted,
nothing in Python can stop that: the thread is left to end by itself and another one takes over, a few times.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import thread_time
from typing import Any, Protocol, cast

from millstream.errors import FunctionFailed, MillstreamError, NotInTime, TooManyRequests
from millstream.serving.answers import by_rows, parts, pieces, printed, values
from millstream.serving.config import Limits

logger = logging.getLogger("millstream.serving")


class Readable(Protocol):
    """A request as the thread reads it; those with equal keys that are not None may be merged."""

    @property
    def key(self) -> Any: ...

    @property
    def rows(self) -> int: ...

    @property
    def is_array(self) -> bool: ...

    def read(self) -> tuple[Any, dict[str, Any] | None]: ...

    def merged(self, others: Sequence[Any]) -> tuple[Any, dict[str, Any] | None]: ...


Predict = Callable[[Any, "dict[str, Any] | None"], Any]
Outcome = bytes | BaseException
# Threads that are left with predictions which nobody waits for any more, at most.
ABANDONED = 4
# Processor time of a prediction that the event loop may wait for, and how many in a row show that it is so.
QUICK_SECONDS = 0.002
SHOWN, DOUBTED = 8, 256


class Pace:
    """Whether a model is quick, from the processor time that its latest predictions took."""

    def __init__(self) -> None:
        self._unknown = SHOWN

    @property
    def quick(self) -> bool:
        """Whether the next one may be waited for."""
        return not self._unknown

    def told(self, seconds: float) -> None:
        """One took so long."""
        if seconds > QUICK_SECONDS:
            self._unknown = DOUBTED
        elif self._unknown:
            self._unknown -= 1


class Waiting:
    """A request in the queue; ``future`` will have the body of its answer, or its error."""

    __slots__ = ("asked", "finish", "future", "id", "timer")

    def __init__(
        self, asked: Readable, future: asyncio.Future[bytes], finish: Callable[[Any], bytes] | None, id: str
    ) -> None:
        self.id = id
        self.asked = asked
        self.future = future
        self.finish = finish
        self.timer: asyncio.TimerHandle | None = None


class Predictions:
    """The queue before ``predict``, for one event loop. ``on_batch`` is told the requests and rows of each prediction.

    ``batched`` says whether the next alike requests will be predicted together.
    """

    def __init__(
        self, predict: Predict, limits: Limits, on_batch: Callable[[int, int], None] = lambda requests, rows: None
    ) -> None:
        self._predict = predict
        self._limits = limits
        self._on_batch = on_batch
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: deque[Waiting] = deque()
        self._late = 0  # of those in the queue, how many have been answered already
        self._running: list[Waiting] = []
        self._thread: _Thread | None = None
        self._abandoned: set[_Thread] = set()
        self._due = False
        self._pace = Pace()
        self.batched = limits.batch_rows > 1

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return len(self._queue) - self._late

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to ``loop`` from now on."""
        self._loop = loop
        self._thread = _Thread(self)

    def close(self) -> None:
        """End the thread, when it has finished what it is at."""
        if self._thread is not None:
            self._thread.work.put(None)

    def ask(
        self, asked: Readable, due: float, finish: Callable[[Any], bytes] | None = None, id: str = ""
    ) -> asyncio.Future[bytes]:
        """Queue a request that is to be answered until the loop's time ``due``.

        ``finish`` makes the body of its answer from the prediction, in the thread; by default it is MLflow's. The log
        names the request by its ``id``. Raises TooManyRequests when the queue is full.
        """
        if self.waiting >= self._limits.queue:
            raise TooManyRequests(f"{self.waiting} requests wait for the model already",
                                  hint="send the request again in a second, or run the server with more workers")
        assert self._loop is not None
        one = Waiting(asked, self._loop.create_future(), finish, id)
        one.timer = self._loop.call_at(due, self._too_late, one)
        self._queue.append(one)
        if not self._running and not self._due:
            # Not at once: what arrives in the same turn of the loop goes together.
            self._due = True
            self._loop.call_soon(self._next)
        return one.future

    # In the event loop

    def _next(self) -> None:
        self._due = False
        if self._running or self._thread is None:
            return
        together = self._take()
        if not together:
            return
        self._running = together
        if not (self._pace.quick and together[0].asked.is_array):
            self._thread.work.put(together)
            return
        self._done(self._thread, *self.outcome(together))

    def _take(self) -> list[Waiting]:
        """The request that is next, and those that are predicted with it."""
        queue = self._queue
        first = self._pop()
        if first is None:
            return []
        together, key, rows = [first], first.asked.key, first.asked.rows
        if key is None or not self.batched:
            return together
        others: list[Waiting] = []
        while rows < self._limits.batch_rows and (one := self._pop()) is not None:
            if one.asked.key == key and rows + one.asked.rows <= self._limits.batch_rows:
                together.append(one)
                rows += one.asked.rows
            else:
                others.append(one)
        queue.extendleft(reversed(others))
        return together

    def _pop(self) -> Waiting | None:
        queue = self._queue
        while queue:
            one = queue.popleft()
            if not one.future.done():
                return one
            self._late -= 1
        return None

    def _too_late(self, one: Waiting) -> None:
        if one.future.done():
            return
        told = f"the prediction was not there within {self._limits.seconds:g} seconds"
        if one not in self._running:
            self._late += 1
            one.future.set_exception(NotInTime(told + ": other requests were before it",
                                               hint="send it again later, or run the server with more workers"))
            return
        one.future.set_exception(NotInTime(told, hint="give the server a longer --timeout, or send fewer rows"))
        if all(other.future.done() for other in self._running) and len(self._abandoned) < ABANDONED:
            assert self._thread is not None
            logger.warning("a prediction goes on after its deadline; another thread takes the next")
            self._abandoned.add(self._thread)
            self._thread.work.put(None)
            self._thread, self._running = _Thread(self), []
            self._next()

    def forget(self, future: asyncio.Future[bytes]) -> None:
        """The request of ``future`` has gone: it is not predicted if it waits still."""
        if not future.done():
            future.cancel()
            if any(one.future is future for one in self._queue):
                self._late += 1

    def _done(
        self, thread: _Thread, outcomes: list[Outcome], together: list[Waiting], by_rows: bool, seconds: float
    ) -> None:
        assert self._loop is not None
        for one, outcome in zip(together, outcomes, strict=True):
            if one.timer is not None:
                one.timer.cancel()
            if one.future.done():
                continue
            if isinstance(outcome, bytes):
                one.future.set_result(outcome)
            else:
                one.future.set_exception(outcome)
        self._on_batch(len(together), sum(one.asked.rows for one in together))
        if self.batched and not by_rows:
            self.batched = False
            logger.info("the model's answers do not have one entry a row: its requests are predicted one by one")
        if together[0].asked.is_array:
            self._pace.told(seconds)
        if thread is self._thread:
            self._running = []
            if self._queue and not self._due:
                self._due = True
                self._loop.call_soon(self._next)  # after what has arrived meanwhile
        else:
            self._abandoned.discard(thread)

    def deliver(self, *done: Any) -> None:
        """Hand what a thread has predicted to the event loop."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who wait
            self._loop.call_soon_threadsafe(self._done, *done)

    # In the thread, or in the loop for a quick model

    def outcome(self, together: list[Waiting]) -> tuple[list[Outcome], list[Waiting], bool, float]:
        """What :meth:`_done` is told of these requests; whatever a model raises is an outcome too."""
        began = thread_time()
        try:
            outcomes, by_rows = self.predicted(together)
        except BaseException as error:  # SystemExit of a model's code: the thread goes on
            numbers = ",".join(one.id for one in together)
            logger.error("the model did not predict", exc_info=error, extra={"facts": {"request": numbers}})
            outcomes, by_rows = [failed(error)] * len(together), True
        return outcomes, together, by_rows, thread_time() - began

    def predicted(self, together: Sequence[Waiting]) -> tuple[list[Outcome], bool]:
        """The outcome for each request, and whether the model was seen to answer by rows, as far as one can tell."""
        if len(together) > 1:
            first, *others = [one.asked for one in together]
            rows = [one.asked.rows for one in together]
            try:
                data, params = first.merged(others)
                predicted = self._predict(data, params)
                if together[0].finish is None:
                    answers: list[Any] | None = parts(predicted, rows)
                else:
                    answers = pieces(predicted, rows)
            except Exception as error:
                logger.debug("a prediction for several requests failed: %s", type(error).__name__)
                return [self._alone(one)[0] for one in together], True
            if answers is None:
                return [self._alone(one)[0] for one in together], False
            return [self._finished(one, answer) for one, answer in zip(together, answers, strict=True)], True
        outcome, by_rows = self._alone(together[0])
        return [outcome], by_rows

    def _alone(self, one: Waiting) -> tuple[Outcome, bool]:
        asked = one.asked
        try:
            data, params = asked.read()
            predicted = self._predict(data, params)
            if one.finish is not None:
                return self._finished(one, predicted), asked.key is None or by_rows(predicted, asked.rows)
            if asked.key is None:
                return printed(values(predicted)), True
            answers = parts(predicted, [asked.rows])
            return (answers[0], True) if answers is not None else (printed(values(predicted)), False)
        except Exception as error:
            return self._told(one, error), True

    def _finished(self, one: Waiting, answer: Any) -> Outcome:
        """The body of an answer of :func:`parts`, or what ``finish`` makes of a prediction."""
        if one.finish is None:
            return cast(bytes, answer)
        try:
            return one.finish(answer)
        except Exception as error:
            return self._told(one, error)

    def _told(self, one: Waiting, error: Exception) -> Outcome:
        if isinstance(error, MillstreamError):
            return error
        logger.error("the model did not predict", exc_info=error, extra={"facts": {"request": one.id}})
        return failed(error)


class _Thread:
    """One thread that predicts what ``work`` gives it, until that is None."""

    def __init__(self, owner: Predictions) -> None:
        self.work: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        self._owner = owner
        # A daemon: a prediction without end does not keep the process.
        threading.Thread(target=self._run, name="millstream-predict", daemon=True).start()

    def _run(self) -> None:
        while (together := self.work.get()) is not None:
            self._owner.deliver(self, *self._owner.outcome(together))


def failed(error: BaseException) -> FunctionFailed:
    """What a client hears of an exception of the model's own code: never a traceback, a path or an address."""
    told = f"the model did not predict: {type(error).__name__}"
    if isinstance(error, (ValueError, TypeError, LookupError, ArithmeticError)):
        # These speak of the data. Others, of files or connections, speak of this machine.
        told += f": {str(error).partition(chr(10))[0][:500]}"
    return FunctionFailed(told, hint="check the data against the model's signature at /openapi.json; the server's log "
                                     "tells more under the id in X-Request-Id")
