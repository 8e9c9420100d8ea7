"""Tasks that have not begun in, the next of them out: those of inner calls first."""

from collections import deque

from skkeras_tune.fusion.request import Call, Task


class Backlog:
    """Tasks that wait for their turn."""

    def __init__(self) -> None:
        self._by_level: dict[int, deque[Task]] = {}

    def __bool__(self) -> bool:
        return any(self._by_level.values())

    def add(self, task: Task) -> None:
        """Let a task wait behind the others of its level."""
        self._by_level.setdefault(task.call.level, deque()).append(task)

    def take(self) -> Task:
        """Return the next task, which waits no more."""
        level = max(level for level, tasks in self._by_level.items() if tasks)
        return self._by_level[level].popleft()

    def drop(self, call: Call) -> None:
        """Forget the tasks of a call."""
        for tasks in self._by_level.values():
            kept = [task for task in tasks if task.call is not call]
            tasks.clear()
            tasks.extend(kept)
