"""Which addresses an endpoint of a tenant may have.

A server that asks whatever address it is told would ask the machines beside it in the tenant's name
(server-side request forgery, CWE-918): databases, admin pages, and the address from which clouds hand out
credentials. So a host is resolved here, every address it has is judged, and connections go to what was
judged: a second look-up could give another answer.
"""

import logging
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from apps.search_own_spaces.conf import conf

logger = logging.getLogger(__name__)

type Address = IPv4Address | IPv6Address

# RFC 6052: 64:ff9b::/96 stands for the IPv4 address in its last 32 bits.
NAT64 = IPv6Network("64:ff9b::/96")
# RFC 4291: the part of IPv6 from which public unicast addresses are given out.
PUBLIC_IPV6 = IPv6Network("2000::/3")
# Where clouds tell a machine about itself, credentials included; never an embedding service.
METADATA = [ip_network(text) for text in ("169.254.0.0/16", "fd00:ec2::254/128", "100.100.100.200/32")]


class RefusedAddressError(Exception):
    """An address may not be asked; the message says which and why."""


class HiddenAddressError(OSError):
    """A name leads to an address that may not be asked.

    A tenant must not learn what this network calls its machines and where they are. So this is an OSError, as
    for a name that has no address, and callers treat both alike; only the log has the address.
    """


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as text, in the order in which they are to be tried.

    The resolver's own time limit applies. If any may not be asked, it raises RefusedAddressError for a
    host that is an address, and HiddenAddressError for a name. For a name that has none, it raises OSError or
    UnicodeError.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        try:
            check_address(text)
        except RefusedAddressError as error:
            if host in (text, str(_read(text))):
                raise
            logger.warning("The own space's host %s leads to %s", host, error)
            raise HiddenAddressError(host) from error
    return addresses


def check_address(text: str) -> None:
    """Raise RefusedAddressError for an address that may not be asked, as the settings are now."""
    if is_public(text):
        return
    address = _read(text)
    if _is_never_asked(address):
        raise RefusedAddressError(f"{text} cannot be the address of an embedding service")
    if not conf.EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES:
        raise RefusedAddressError(f"{text} is not a public address, and no other is allowed here")


def is_public(text: str) -> bool:
    """Return whether an address is a unicast one of the internet (IANA's special-purpose registries)."""
    address = _read(text)
    if address.is_multicast or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return True
    # 6to4 and Teredo lead to an IPv4 address of anybody's choice.
    return address in PUBLIC_IPV6 and address.sixtofour is None and address.teredo is None


def _read(text: str) -> Address:
    """An IPv4 address in the clothes of IPv6 is judged by what it is."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address


def _is_never_asked(address: Address) -> bool:
    return (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or any(address in network for network in METADATA if network.version == address.version)
    )
