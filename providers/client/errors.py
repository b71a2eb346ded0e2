"""What can go wrong between us and an upstream, as one type."""

from __future__ import annotations

from collections.abc import Callable


class UpstreamError(Exception):
    """A call that gave no usable answer.

    `reason` is a word for machines (timeout, connect, tls, blocked_address, redirect, unauthorized, rate_limited,
    http_status, malformed, too_large, empty, wrong_shape, not_recognised); `message` is a sentence without
    credentials, query strings or parts of the answer, so that it may be logged, stored and shown. `brief` is the same
    without the path that was asked, which callers of the API need not know. `retry_after` is in seconds, where the
    upstream named a wait. `fault` is what is wrong with an answer that was read, to follow the words "The answer",
    until somebody who knows has said where that is from.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        brief: str = "",
        retry_after: float | None = None,
        status: int | None = None,
        fault: str = "",
    ):
        super().__init__(message)
        self.brief = brief or message
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.status = status
        self.fault = fault

    @classmethod
    def of_answer(cls, reason: str, fault: str) -> UpstreamError:
        return cls(reason, f"The answer {fault}", fault=fault)

    def located(self, place: str) -> UpstreamError:
        """The same error, with the host and the path that sent the answer that is at fault."""
        return self.worded(f"The answer of {place} {self.fault}") if self.fault else self

    def masked(self, mask: Callable[[str], str]) -> UpstreamError:
        """The same error with its sentences masked."""
        return self._with(mask(self.message), mask(self.brief), mask(self.fault))

    def worded(self, message: str) -> UpstreamError:
        """The same error in another sentence."""
        return self._with(message, self.brief)

    def _with(self, message: str, brief: str, fault: str = "") -> UpstreamError:
        return UpstreamError(
            self.reason, message, brief=brief, retry_after=self.retry_after, status=self.status, fault=fault
        )
