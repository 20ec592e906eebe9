"""sqlite's own file calls, watched and failed on purpose.

A VFS registered in the same library that Python's sqlite3 uses passes every call on to the
system's, after telling an observer, which may answer with an error code instead. So a test sees
each write and sync in order, and can fail any one of them.
"""

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Callable
from pathlib import Path

OK, IOERR, FULL, READONLY = 0, 10, 13, 8

Observer = Callable[[str, str, int, bytes], int]
"""(call, path, offset or size, bytes) -> OK, or the error code that sqlite gets instead."""

_p, _i, _l = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_METHODS = (
    ("close", (_p,)),
    ("read", (_p, _p, _i, _l)),
    ("write", (_p, _p, _i, _l)),
    ("truncate", (_p, _l)),
    ("sync", (_p, _i)),
)
_SLOTS = 19
"""Pointers in sqlite3_io_methods version 3, after its version number."""


class _IoMethods(ctypes.Structure):
    _fields_ = [("version", _i), ("slots", _p * (_SLOTS - 1))]


class _File(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_IoMethods))]


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("version", _i),
        ("file_size", _i),
        ("path_limit", _i),
        ("next", _p),
        ("name", ctypes.c_char_p),
        ("app_data", _p),
        ("open", _p),
        ("delete", _p),
        ("rest", _p * 18),
    ]


_OPEN = ctypes.CFUNCTYPE(_i, _p, _p, ctypes.POINTER(_File), _i, _p)
_DELETE = ctypes.CFUNCTYPE(_i, _p, ctypes.c_char_p, _i)
_TYPES = {name: ctypes.CFUNCTYPE(_i, *arguments) for name, arguments in _METHODS}


_alive: list["WatchedVfs"] = []
"""sqlite keeps pointers to every VFS until the process ends, so Python must keep them too."""


class UnwatchableError(Exception):
    """This Python has sqlite built in, so that nothing can be put between the two."""


class WatchedVfs:
    """The system's VFS with an observer in front."""

    def __init__(self) -> None:
        self.name = b"farside_watched_%d" % len(_alive)
        _alive.append(self)
        self.observer: Observer = lambda _call, _path, _offset, _data: OK
        try:
            library = ctypes.CDLL(_sqlite3.__file__)
            find = library.sqlite3_vfs_find
        except AttributeError as error:
            raise UnwatchableError("sqlite's functions are not within reach") from error
        find.restype = ctypes.POINTER(_Vfs)
        system = find(None)
        self._system = system
        self._vfs = _Vfs.from_buffer_copy(system.contents)
        self._vfs.name = self.name
        self._vfs.next = None
        self._paths: dict[int, str] = {}
        self._real: dict[int, dict[str, Callable[..., int]]] = {}
        self._watched: dict[int, _IoMethods] = {}
        self._keep: list[object] = []
        self._real_open = _OPEN(system.contents.open)
        self._real_delete = _DELETE(system.contents.delete)
        self._vfs.open = self._pointer(_OPEN(self._open))
        self._vfs.delete = self._pointer(_DELETE(self._delete))
        if library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0):
            raise RuntimeError("sqlite does not take the VFS")

    def connect(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{path}?vfs={self.name.decode()}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=0,
        )

    def _pointer(self, function: "ctypes._CFuncPtr") -> "ctypes.c_void_p":
        self._keep.append(function)
        return ctypes.cast(function, _p)

    def _open(
        self, _vfs: int, name: int, file: "ctypes._Pointer[_File]", flags: int, out: int
    ) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        answer = self.observer("open", path, 0, b"")
        if answer:
            file.contents.methods = ctypes.POINTER(_IoMethods)()
            return answer
        answer = self._real_open(ctypes.addressof(self._vfs), name, file, flags, out)
        if answer == OK:
            real = file.contents.methods
            key = ctypes.addressof(real.contents)
            if key not in self._watched:
                self._watch(key, real.contents)
            address = ctypes.addressof(file.contents)
            self._paths[address] = path
            file.contents.methods = ctypes.pointer(self._watched[key])
        return answer

    def _watch(self, key: int, real: _IoMethods) -> None:
        """Make a method table that tells the observer and then calls the real one."""
        table = _IoMethods.from_buffer_copy(real)
        for slot, (name, _) in enumerate(_METHODS):
            call = _TYPES[name](real.slots[slot])
            table.slots[slot] = self._pointer(_TYPES[name](self._method(name, call)))
        self._watched[key] = table

    def _method(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def close(file: int) -> int:
            self.observer("close", self._paths.pop(file, ""), 0, b"")
            return real(file)

        def read(file: int, buffer: int, size: int, offset: int) -> int:
            answer = self.observer("read", self._paths.get(file, ""), offset, b"")
            return answer or real(file, buffer, size, offset)

        def write(file: int, buffer: int, size: int, offset: int) -> int:
            data = ctypes.string_at(buffer, size)
            answer = self.observer("write", self._paths.get(file, ""), offset, data)
            return answer or real(file, buffer, size, offset)

        def truncate(file: int, size: int) -> int:
            answer = self.observer("truncate", self._paths.get(file, ""), size, b"")
            return answer or real(file, size)

        def sync(file: int, flags: int) -> int:
            path = self._paths.get(file, "")
            answer = self.observer("sync", path, 0, b"") or real(file, flags)
            return answer or self.observer("synced", path, 0, b"")

        return {"close": close, "read": read, "write": write, "truncate": truncate, "sync": sync}[
            name
        ]

    def _delete(self, _vfs: int, name: bytes, sync_directory: int) -> int:
        answer = self.observer("delete", name.decode(), sync_directory, b"")
        return answer or self._real_delete(ctypes.addressof(self._vfs), name, sync_directory)
