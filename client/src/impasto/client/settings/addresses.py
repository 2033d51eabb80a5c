"""The addresses of servers: how they are written, and what gRPC makes of them."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, NamedTuple

from impasto.client.errors import AddressError

DEFAULT_ADDRESS: Final = "localhost:8500"
ADDRESS_VARIABLE: Final = "IMPASTO_SERVER"

DEFAULT_PORT: Final = 8500
REST_PORT: Final = 8501
"""TensorFlow Serving's usual port for HTTP/1, at which no gRPC call is answered."""

_SCHEMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")
_NUMERIC: Final = ("ipv4:", "ipv6:")


class Resolved(NamedTuple):
    """The form in which gRPC is told an address.

    Attributes:
        target: the gRPC target.
        missing: the names among several replicas that have no address just now.
        has_names: whether names of several replicas were looked up for it.
    """

    target: str
    missing: tuple[str, ...] = ()
    has_names: bool = False


def resolved(address: str) -> Resolved:
    """The gRPC target of an address.

    Args:
        address: `host`, `host:port`, `[ipv6]:port` (port 8500 if there is none), several of these with commas
            between for replicas that share the work, or a gRPC target with its scheme (`dns:///name:port`,
            `unix:/path`, `ipv4:1.2.3.4:port,...`). One name is resolved by gRPC, again and again, to all
            its addresses; of several names each is resolved here to its first, and one that does not resolve is
            left out.

    Raises:
        AddressError: the address cannot be parsed, or none of several names resolves.
    """
    replicas = endpoints(address)
    if address.startswith("dns:"):
        # Without a port gRPC would take that of https.
        before = address[: len(address) - len(_dns_name(address))]
        return Resolved(before + ",".join(join(host, port) for host, port in replicas))
    if address.startswith(_SCHEMES) and not address.startswith(_NUMERIC):
        return Resolved(address)
    if len(replicas) == 1:
        host, port = replicas[0]
        family = _family(host)
        return Resolved(f"dns:///{join(host, port)}" if family is None else f"{family}:{join(host, port)}")
    return _several(replicas, address)


def _several(replicas: list[tuple[str, int]], address: str) -> Resolved:
    found: list[tuple[str, int]] = []
    missing: dict[str, OSError | UnicodeError] = {}
    for host, port in replicas:
        try:
            found.append((_resolve(host, port), port))
        except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host has this form
            missing[host] = error
    if not found:
        host, reason = next(iter(missing.items()))
        raise AddressError(
            f"none of the names in server address {address!r} resolves, {host!r} for one: {reason}"
        ) from reason
    families = {_family(host) for host, _ in found}
    if len(families) > 1:
        raise AddressError(f"{address!r} mixes IPv4 and IPv6 addresses; give replicas of one kind")
    return Resolved(
        f"{families.pop()}:" + ",".join(join(host, port) for host, port in found),
        missing=tuple(missing),
        has_names=any(_family(host) is None for host, _ in replicas),
    )


def endpoints(address: str) -> list[tuple[str, int]]:
    """Host and port of each server of an address; none for the schemes that name something else.

    Raises:
        AddressError: the address cannot be parsed.
    """
    _check_no_credentials(address)
    scheme = next((scheme for scheme in _SCHEMES if address.startswith(scheme)), None)
    if scheme is None or scheme in _NUMERIC:
        replicas = address.removeprefix(scheme or "")
    elif scheme == "dns:":
        replicas = _dns_name(address)
    else:
        return []
    found = [_host_port(part.strip(), address) for part in replicas.split(",")]
    for host, _ in found:
        if scheme is not None and scheme in _NUMERIC and f"{_family(host)}:" != scheme:
            raise AddressError(f"{host!r} in server address {address!r} is no {scheme[:-1]} address")
    return found


def join(host: str, port: int) -> str:
    """A server's address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def socket_path(address: str) -> str | None:
    """The path of a Unix socket's file; None for any other address."""
    if not address.startswith("unix:"):
        return None
    return address.removeprefix("unix:").removeprefix("//")


def is_on_this_machine(address: str) -> bool:
    """Return whether what is sent to every server of an address stays on this machine.

    Raises:
        AddressError: the address cannot be parsed.
    """
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    hosts = [host for host, _ in endpoints(address)]
    return bool(hosts) and all(_is_loopback(host) for host in hosts)


def _check_no_credentials(address: str) -> None:
    """Refuse an address with a password, as a URL may have one, before any message repeats it."""
    if address.startswith(("unix:", "unix-abstract:")):  # the name of a file
        return
    if any(mark in address.lower() for mark in ("@", "%40", "?", "#")):
        raise AddressError(
            "the server address (not shown here) holds a user or password before `@`, or a query after `?` or `#`, "
            f"which no server would get; write host:port, such as {DEFAULT_ADDRESS}, and give credentials as token or "
            "metadata (IMPASTO_TOKEN, IMPASTO_METADATA)"
        )


def _dns_name(address: str) -> str:
    """Return the name in dns:name, dns:///name, or dns://the name server to ask/name."""
    return address.removeprefix("dns:").rpartition("/")[2]


def _is_loopback(host: str) -> bool:
    return host == "localhost" if _family(host) is None else ipaddress.ip_address(host).is_loopback


def _host_port(part: str, address: str) -> tuple[str, int]:
    if part.startswith("["):
        host, closed, rest = part[1:].partition("]")
        valid = bool(closed) and rest[:1] in ("", ":")
        port = rest[1:]
    elif _family(part) == "ipv6":
        raise AddressError(
            f"{part!r} in server address {address!r} may or may not end with a port; write an IPv6 address in "
            f"brackets, such as [::1]:{DEFAULT_PORT}"
        )
    else:
        host, _, port = part.partition(":")
        valid = bool(host) and "/" not in host and not any(letter.isspace() for letter in host)
    if not valid or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise AddressError(f"{part!r} in server address {address!r} is not host:port, such as localhost:8500")
    return host, int(port) if port else DEFAULT_PORT


def _family(host: str) -> str | None:
    """`ipv4` or `ipv6` for a numeric address, None for a name."""
    try:
        return f"ipv{ipaddress.ip_address(host).version}"
    except ValueError:
        return None


def _resolve(host: str, port: int) -> str:
    """The first address of a name, of version 4 if it has one. Raises OSError."""
    if _family(host) is not None:
        return host
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ipv4_first = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(ipv4_first[0][4][0])
