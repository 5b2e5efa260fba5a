"""Wrapping functions of libraries so that training cannot notice.

A patched function calls the original exactly once, with the caller's arguments (and the callbacks that a library's
module adds), returns its result and raises its exceptions. What a library's module does before and after is a
generator: it runs to its ``yield``, the original is called, and it goes on with the result::

    def train(call):
        call.kwargs["callbacks"] = [*call.kwargs.get("callbacks") or (), ours]
        booster = yield
        call.log_metrics({"best": booster.best_score})

Where the original raises, the generator is closed at its ``yield``. An error of the generator is one warning in the
log.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

from millstream.autolog import hooks
from millstream.autolog.inside import inside, is_inside
from millstream.autolog.safety import Safely, hide_our_warnings
from millstream.tracking.active import status_after

if TYPE_CHECKING:
    from millstream.autolog.libraries import Library, Settings
    from millstream.autolog.training import Training

logger = logging.getLogger("millstream")

Body: TypeAlias = Callable[[Any], Generator[None, Any, None]]


class Call:
    """One call of a patched function.

    ``args`` and ``kwargs`` are what the original is called with; a library's module may add callbacks to ``kwargs``
    before its ``yield``. ``name`` says what was called, as in ``LinearRegression.fit``. ``settings`` are those of the
    library when the call began.
    """

    def __init__(
        self, library: Library, name: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.library = library
        self.name = name
        self.original = original
        self.args = args
        self.kwargs = kwargs
        self.settings: Settings = library.settings
        self.told: set[str] = set()

    @property
    def instance(self) -> Any:
        """The object whose method was called."""
        return self.args[0]

    @functools.cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call by name, defaults included, as the caller gave them. ``self`` is among them."""
        bound = inspect.signature(self.original).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def argument(self, name: str, default: Any = None) -> Any:
        """The argument ``name``; ``default`` where the function has none of this name."""
        return self.arguments.get(name, default)

    def safely(self, what: str) -> Safely:
        """A block whose error is a warning ("autologging of … misses <what>"), told once a call. Callbacks that run
        during training have all they do in one."""
        return Safely(self.library.name, what, silent=bool(self.settings.silent), told=self.told)

    def tell(self, message: str) -> None:
        """Tell the user something, unless the library is set to be silent."""
        if not self.settings.silent:
            logger.info("autologging %s: %s", self.library.name, message)

    def begin(self) -> bool:
        """Get ready to log; False where nothing is to be logged."""
        return True

    def end(self, status: str) -> None:
        """The call is over; ``status`` is FINISHED, FAILED or KILLED."""


class Patches:
    """The patched functions of one library: put in place by its module's ``install``, taken back all at once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._done: list[tuple[Any, str, bool, Any]] = []
        self._names: set[tuple[int, str]] = set()
        self._told: list[hooks.Told] = []

    def watch(
        self, owner: Any, name: str, body: Body, *, nested: bool = False, own_calls: bool = True
    ) -> None:
        """Let ``body`` accompany each call of ``owner.name``, with a :class:`Call`. It makes no run.

        ``owner`` is a module or a class. Calls inside another patched call are left alone unless ``nested`` is true,
        and without ``own_calls`` those that come from the library's own code. An owner that has no such name is left as
        it is: versions of a library differ.
        """
        self._patch(owner, name, body, Call, nested, own_calls)

    def train(
        self, owner: Any, name: str, body: Body, *, kind: type[Training] | None = None, own_calls: bool = True
    ) -> None:
        """Let ``body`` accompany each call of ``owner.name``, with a :class:`~millstream.autolog.training.Training` (or
        a ``kind`` of it): a call that logs into the active run, or into one that is made for it."""
        from millstream.autolog.training import Training

        self._patch(owner, name, body, kind or Training, False, own_calls)

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Put ``value`` in the place of the attribute ``owner.name`` until the patches are taken back."""
        own = name in vars(owner)
        self._done.append((owner, name, own, vars(owner)[name] if own else None))
        setattr(owner, name, value)

    def when_imported(self, name: str, told: hooks.Told) -> None:
        """Call ``told`` with a further module of the library once it is imported; at once when it has been."""
        self._told.append(told)
        hooks.when_imported(name, told)

    def when_imported_below(self, package: str, told: hooks.Told) -> None:
        """Call ``told`` with a package and each module below it, now or when it is imported."""
        self._told.append(told)
        hooks.when_imported_below(package, told)

    def undo(self) -> None:
        """Put the original objects back, the last patch first."""
        while self._told:
            hooks.forget(self._told.pop())
        self._names.clear()
        while self._done:
            owner, name, own, original = self._done.pop()
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

    def _patch(self, owner: Any, name: str, body: Body, kind: type[Call], nested: bool, own_calls: bool) -> None:
        if (id(owner), name) in self._names:
            return
        raw = inspect.getattr_static(owner, name, None)
        if raw is None:
            return
        self._names.add((id(owner), name))
        patch = _Patch(self.library, f"{owner.__name__}.{name}", body, kind, nested, own_calls)

        def around(function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
            return _wrapper(function, original, patch)

        if isinstance(raw, (staticmethod, classmethod)):
            self.replace(owner, name, type(raw)(around(raw.__func__, raw.__func__)))
        elif isinstance(raw, types.FunctionType) or not hasattr(raw, "__get__") or inspect.isbuiltin(raw):
            made = around(raw, raw)
            if inspect.ismodule(owner) and (raw.__module__, raw.__qualname__) != (owner.__name__, name):
                # A function that a module has from another one is pickled by where the patched one is found.
                made.__module__, made.__qualname__ = owner.__name__, name
            self.replace(owner, name, made)
        else:
            self.replace(owner, name, _Descriptor(raw, around))


class _Patch:
    __slots__ = ("body", "kind", "library", "name", "nested", "stays_out_of")

    def __init__(
        self, library: Library, name: str, body: Body, kind: type[Call], nested: bool, own_calls: bool
    ) -> None:
        self.library = library
        self.name = name
        self.body = body
        self.kind = kind
        self.nested = nested
        # The package whose calls are left alone.
        self.stays_out_of = None if own_calls else library.hook.partition(".")[0]


def _wrapper(function: Callable[..., Any], original: Callable[..., Any], patch: _Patch) -> Callable[..., Any]:
    """``original`` with the patch around it, which looks like ``function``."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if patch.library.is_off or (is_inside() and not patch.nested):
            return original(*args, **kwargs)
        if patch.stays_out_of is not None:
            caller = sys._getframe(1).f_globals.get("__name__") or ""
            if caller.partition(".")[0] == patch.stays_out_of:
                return original(*args, **kwargs)
        with inside:
            return _accompanied(patch, original, args, kwargs)

    return wrapper


def _accompanied(
    patch: _Patch, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    hide_our_warnings()
    call = patch.kind(patch.library, patch.name, original, args, dict(kwargs))
    body = None
    begun = False
    status = "FINISHED"
    try:
        with call.safely(f"the call {patch.name}") as part:
            begun = call.begin()
            if begun:
                body = patch.body(call)
                next(body)
        if part.failed:
            call.args, call.kwargs = args, kwargs
        result = original(*call.args, **call.kwargs)
        if body is not None and not part.failed:
            with call.safely(f"what {patch.name} made"):
                _go_on(body, result)
        return result
    except BaseException as error:
        status = status_after(error)
        raise
    finally:
        if body is not None:
            with call.safely(f"the end of {patch.name}"):
                body.close()
        if begun:
            with call.safely(f"the end of {patch.name}"):
                call.end(status)


def _go_on(body: Generator[None, Any, None], result: Any) -> None:
    try:
        body.send(result)
    except StopIteration:
        return
    body.close()
    raise RuntimeError("a patch yields once")


class _Descriptor:
    """A descriptor other than a function, such as scikit-learn's methods that are there only sometimes."""

    def __init__(
        self, raw: Any, around: Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self._raw = raw

        def original(instance: Any, *args: Any, **kwargs: Any) -> Any:
            return raw.__get__(instance, type(instance))(*args, **kwargs)

        function = getattr(raw, "fn", None) or getattr(raw, "__wrapped__", None) or original
        functools.update_wrapper(original, function)
        self._wrapper = around(function, original)
        self.__doc__ = getattr(raw, "__doc__", None)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        found = self._raw.__get__(instance, owner)  # raises where the method is not there
        return found if instance is None else types.MethodType(self._wrapper, instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
