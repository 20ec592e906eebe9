"""systemd's notification protocol (sd_notify(3)), from the standard library."""

import socket


def notify(address: str | None, state: str) -> None:
    """Tell the service manager a state: "READY=1", "WATCHDOG=1", "STOPPING=1".

    ``address`` is what it handed over as NOTIFY_SOCKET; None: there is no service manager.
    """
    if not address:
        return
    # A leading "@" stands for the zero byte of an abstract socket.
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.setblocking(False)
        try:
            manager.sendto(state.encode(), place)
        except OSError:
            return  # a service manager that does not listen must not stop the mission
