"""A supervised child process: started without a shell, spoken to without ever blocking."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

LAST_WORDS_BYTES = 4096
"""How much of what a child wrote to its standard error is read when it ends."""
_ENDING_WAIT_S = 0.05
_CLOSE_WAIT_S = 2.0


class Child:
    """One child process in a session of its own, so that a kill takes its children along.

    Its standard output and input are pipes that never block this side. Its standard error is a
    pipe that never blocks the child: what does not fit is dropped, and the end is kept for the
    event that tells of its death.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start it; ``before`` runs in it first, if this process has one thread only.

        Raises:
            OSError: there is no such program, or no memory to start it.
        """
        self._errors, errors = os.pipe()
        os.set_blocking(self._errors, False)
        os.set_blocking(errors, False)  # the flag is the pipe end's own, so the child has it too
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=tuple(pass_fds),
                env=environment,
                bufsize=0,
                start_new_session=True,
                preexec_fn=before,  # noqa: PLW1509 - only a process of one thread gives one
            )
        except OSError:
            os.close(self._errors)
            raise
        finally:
            os.close(errors)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        os.set_blocking(self._output.fileno(), False)
        self.pid = self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that is readable when the child wrote or ended."""
        return self._output.fileno()

    def read(self, limit: int) -> bytes | None:
        """Return up to ``limit`` bytes of its output, b"" at its end, None when none wait."""
        try:
            return os.read(self._output.fileno(), limit)
        except BlockingIOError:
            return None

    def write(self, data: bytes) -> bool:
        """Write all of ``data`` to its input; False when the child is gone or does not read."""
        try:
            return os.write(self._input.fileno(), data) == len(data)
        except (BlockingIOError, BrokenPipeError):
            return False

    def kill(self) -> None:
        """Kill it and its children. A stopped child dies too; reaping may take a moment."""
        if self._process.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs; reaps it."""
        return self._process.poll()

    def ending(self) -> str:
        """Return how it ended, for people; ask when its output has ended.

        The kernel closes a dying process's pipes a moment before it tells the exit code.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_WAIT_S)
        code = self._process.returncode
        if code is None:
            return "closed its output"
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """Return the last line it wrote to its standard error, for people."""
        data = b""
        while len(data) < 1 << 16:
            try:
                more = os.read(self._errors, 1 << 16)
            except BlockingIOError:
                break
            if not more:
                break
            data += more
        lines = data[-LAST_WORDS_BYTES:].decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self, *, patience_s: float = 0) -> None:
        """Kill it, wait until it is gone, and give back every descriptor.

        ``patience_s``: so long it may take to end by itself, having been told to.
        """
        if patience_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        self.kill()
        # One in uninterruptible I/O outlives this; the next Popen reaps it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_CLOSE_WAIT_S)
        self._input.close()
        self._output.close()
        os.close(self._errors)
