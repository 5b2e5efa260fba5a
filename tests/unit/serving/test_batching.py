"""The queue before the model: what is predicted together, deadlines, and requests that are too many."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from millstream.errors import BadRequest, FunctionFailed, NotInTime, TooManyRequests
from millstream.models.schema import ColSpec, Schema
from millstream.serving import batching
from millstream.serving.batching import ABANDONED, SHOWN, Predictions
from millstream.serving.config import Limits
from millstream.serving.forms import JSON, Asked, Reader

LONG = 60.0


class Model:
    """Remembers the rows of each prediction, and waits for ``gate`` first."""

    def __init__(self, answer: Callable[[Any], Any] = lambda data: data * 2) -> None:
        self.answer = answer
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.asked: list[list[Any]] = []

    def __call__(self, data: Any, params: dict[str, Any] | None) -> Any:
        self.asked.append(list(data))
        self.begun.release()
        assert self.gate.wait(LONG)
        return self.answer(data)

    async def begins(self) -> None:
        """Return when one more prediction has begun."""
        await asyncio.get_running_loop().run_in_executor(None, self.begun.acquire)


def request(*numbers: Any, **more: Any) -> Asked:
    return Reader(None).read(JSON, json.dumps({"instances": list(numbers), **more}).encode(), alone=False)


def with_queue(
    model: Model, work: Callable[[Predictions], Awaitable[Any]], limits: Limits | None = None
) -> Any:
    """What ``work`` returns, with a queue of its own loop."""

    async def run() -> Any:
        predictions = Predictions(model, limits or Limits())
        predictions.start(asyncio.get_running_loop())
        try:
            return await work(predictions)
        finally:
            model.gate.set()
            predictions.close()

    return asyncio.run(run())


def ask(predictions: Predictions, *numbers: Any, seconds: float = LONG, **more: Any) -> asyncio.Future[bytes]:
    return predictions.ask(request(*numbers, **more), asyncio.get_running_loop().time() + seconds)


def answer(*numbers: float) -> bytes:
    return b'{"predictions": %s}' % json.dumps(numbers, separators=(",", ":")).encode()


def test_what_waits_is_predicted_together_and_answered_apart() -> None:
    model = Model()
    model.gate.clear()

    async def work(predictions: Predictions) -> Any:
        first = ask(predictions, 1)
        await model.begins()
        others = [ask(predictions, 2), ask(predictions, 3, 4), ask(predictions, 5, params={"p": 1}),
                  ask(predictions, 6)]
        assert predictions.waiting == 4
        model.gate.set()
        return await asyncio.gather(first, *others)

    assert with_queue(model, work) == [answer(2), answer(4), answer(6, 8), answer(10), answer(12)]
    assert model.asked == [[1], [2, 3, 4, 6], [5]]


def test_a_batch_has_its_bound() -> None:
    model = Model()
    model.gate.clear()

    async def work(predictions: Predictions) -> Any:
        first = ask(predictions, 0)
        await model.begins()
        others = [ask(predictions, *range(rows)) for rows in (3, 2, 1, 9)]
        model.gate.set()
        return await asyncio.gather(first, *others)

    with_queue(model, work, Limits(batch_rows=4))
    assert [len(rows) for rows in model.asked] == [1, 4, 2, 9]


def test_batches_can_be_switched_off() -> None:
    model = Model()

    async def work(predictions: Predictions) -> Any:
        return await asyncio.gather(*(ask(predictions, number) for number in range(4)))

    assert with_queue(model, work, Limits(batch_rows=1)) == [answer(2 * number) for number in range(4)]
    assert model.asked == [[0], [1], [2], [3]]


def test_only_the_guilty_request_of_a_batch_hears_of_it() -> None:
    def inverse(data: Any) -> Any:
        return [1 // number for number in data.tolist()]

    async def work(predictions: Predictions) -> Any:
        return await asyncio.gather(*(ask(predictions, number) for number in (1, 0, 2)), return_exceptions=True)

    good, bad, other = with_queue(Model(inverse), work)
    assert (good, other) == (answer(1), answer(0))
    assert isinstance(bad, FunctionFailed) and "ZeroDivisionError" in bad.message


@pytest.mark.parametrize("total", [lambda data: [float(data.sum())], lambda data: float(data.sum()),
                                   lambda data: {"sum": float(data.sum())}])
def test_a_model_that_does_not_answer_by_rows_is_asked_one_by_one(total: Callable[[Any], Any]) -> None:
    model = Model(total)

    async def work(predictions: Predictions) -> Any:
        first, second = await ask(predictions, 1), await ask(predictions, 2)
        assert list(await asyncio.gather(ask(predictions, 1), ask(predictions, 2))) == [first, second]
        assert not predictions.batched
        model.asked.clear()
        assert list(await asyncio.gather(ask(predictions, 1), ask(predictions, 2))) == [first, second]

    with_queue(model, work)
    assert model.asked == [[1], [2]]


def test_a_request_that_waited_too_long_is_never_predicted() -> None:
    model = Model()
    model.gate.clear()

    async def work(predictions: Predictions) -> None:
        running = ask(predictions, 1)
        await model.begins()
        late, patient = ask(predictions, 2, seconds=0.01), ask(predictions, 3)
        with pytest.raises(NotInTime, match="other requests were before it") as caught:
            await late
        assert caught.value.get_http_status_code() == 504
        assert predictions.waiting == 1
        model.gate.set()
        assert (await running, await patient) == (answer(2), answer(6))

    with_queue(model, work)
    assert model.asked == [[1], [3]]


def test_a_prediction_without_end_does_not_hold_up_the_others() -> None:
    model = Model()
    model.gate.clear()

    async def work(predictions: Predictions) -> None:
        for number in range(ABANDONED):
            with pytest.raises(NotInTime, match="--timeout|was not there"):
                await ask(predictions, number, seconds=0.01)
        model.gate.set()
        assert await ask(predictions, 9) == answer(18)

    with_queue(model, work)
    assert [9] in model.asked


def test_a_full_queue_asks_to_come_back() -> None:
    model = Model()
    model.gate.clear()

    async def work(predictions: Predictions) -> None:
        running = ask(predictions, 1)
        await model.begins()
        waiting = [ask(predictions, 2), ask(predictions, 3)]
        with pytest.raises(TooManyRequests) as caught:
            ask(predictions, 4)
        assert caught.value.get_http_status_code() == 429 and caught.value.hint
        predictions.forget(waiting[0])  # its client has gone: there is room again
        waiting.append(ask(predictions, 5))
        model.gate.set()
        assert await asyncio.gather(running, *waiting[1:]) == [answer(2), answer(6), answer(10)]

    with_queue(model, work, Limits(queue=2))
    assert model.asked == [[1], [3, 5]]


def test_what_a_model_raises_is_told_without_what_it_says_of_this_machine() -> None:
    def lost(data: Any) -> Any:
        raise FileNotFoundError("/home/someone/secret.csv")

    async def work(predictions: Predictions) -> bytes:
        return await ask(predictions, 1)

    with pytest.raises(FunctionFailed, match="FileNotFoundError") as caught:
        with_queue(Model(lost), work)
    assert "secret" not in json.dumps(caught.value.to_wire())


def test_a_model_that_wants_to_end_the_process_does_not() -> None:
    def leave(data: Any) -> Any:
        if len(data) == 1 and data[0] == 1:
            raise SystemExit(1)
        return data

    async def work(predictions: Predictions) -> bytes:
        with pytest.raises(FunctionFailed, match="SystemExit"):
            await ask(predictions, 1)
        return await ask(predictions, 2)

    assert with_queue(Model(leave), work) == answer(2)


def test_a_request_that_cannot_be_read_is_told() -> None:
    async def work(predictions: Predictions) -> bytes:
        return await predictions.ask(Reader(None).read(JSON, b"[]", alone=False), asyncio.get_running_loop().time() + 9)

    with pytest.raises(BadRequest, match="not an object"):
        with_queue(Model(), work)


def test_a_quick_model_of_a_library_is_asked_in_the_loop_until_it_takes_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "QUICK_SECONDS", LONG)
    reader, threads = Reader(Schema([ColSpec("double", "a")]), "C"), list[str]()

    def predict(data: Any, params: dict[str, Any] | None) -> Any:
        threads.append(threading.current_thread().name)
        return data[:, 0]

    async def work() -> None:
        loop = asyncio.get_running_loop()
        predictions = Predictions(predict, Limits())
        predictions.start(loop)

        async def one() -> str:
            body = json.dumps({"dataframe_split": {"columns": ["a"], "data": [[1.5]]}}).encode()
            assert await predictions.ask(reader.read(JSON, body, alone=False), loop.time() + LONG) == answer(1.5)
            return threads[-1]

        try:
            for _ in range(SHOWN):
                assert await one() == "millstream-predict"
            assert await one() == await one() == threading.current_thread().name
            monkeypatch.setattr(batching, "QUICK_SECONDS", -1.0)
            assert await one() == threading.current_thread().name
            monkeypatch.setattr(batching, "QUICK_SECONDS", LONG)
            for _ in range(SHOWN + 1):
                assert await one() == "millstream-predict"
        finally:
            predictions.close()

    asyncio.run(work())


def test_many_requests_to_a_quick_model_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "QUICK_SECONDS", LONG)
    reader = Reader(Schema([ColSpec("double", "a")]), "C")
    sizes: list[int] = []

    def predict(data: Any, params: dict[str, Any] | None) -> Any:
        sizes.append(len(data))
        if 7 in data:
            raise ValueError("seven")
        return data[:, 0]

    async def work() -> list[Any]:
        loop = asyncio.get_running_loop()
        predictions = Predictions(predict, Limits(batch_rows=10))
        predictions.start(loop)

        def one(number: float) -> asyncio.Future[bytes]:
            body = json.dumps({"dataframe_split": {"columns": ["a"], "data": [[number]]}}).encode()
            return predictions.ask(reader.read(JSON, body, alone=False), loop.time() + LONG)

        try:
            for _ in range(SHOWN):
                await one(0)
            sizes.clear()
            return await asyncio.gather(*[one(number) for number in range(95)], return_exceptions=True)
        finally:
            predictions.close()

    found = asyncio.run(work())
    assert [one for place, one in enumerate(found) if place != 7] == [answer(float(n)) for n in range(95) if n != 7]
    assert isinstance(found[7], FunctionFailed)
    assert sizes == [10, *[1] * 10, *[10] * 8, 5]  # the first ten were one by one again, for the one that is wrong
