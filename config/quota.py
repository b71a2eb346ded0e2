"""How often strangers may have something done: counted in each process, so that the count itself costs nothing."""

import threading

from cachetools import TTLCache


class Quota:
    """So many times in so many seconds for each of whoever asks. The least recent are forgotten beyond 10,000."""

    def __init__(self, most: int, seconds: int = 60) -> None:
        self.most, self.seconds = most, seconds
        self._lock = threading.Lock()
        # In a list, whose content may change without a change of when it is forgotten.
        self._asked: TTLCache[str, list[int]] = TTLCache(maxsize=10_000, ttl=seconds)

    def allows(self, who: str) -> bool:
        with self._lock:
            asked = self._asked.get(who)
            if asked is None:
                asked = self._asked[who] = [0]
            asked[0] += 1
            return asked[0] <= self.most

    def clear(self) -> None:
        with self._lock:
            self._asked.clear()
