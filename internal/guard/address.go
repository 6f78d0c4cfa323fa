package guard

import (
	"net/netip"

	"code.dny.dev/ssrf"
)

// registry knows the special addresses by IANA's registries.
var registry = ssrf.New(ssrf.WithAnyPort())

// public: an address is one of the public network.
func public(addr netip.Addr) bool { return registry.SafeAddr(addr) == nil }

// Public reports whether an address is one of the public network, and not of
// this machine or the network around it.
func Public(addr netip.Addr) bool { return public(bare(addr)) }

// nat64 is where an IPv6 network without IPv4 keeps the latter.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// bare is the address that is meant: an IPv4 address that is dressed up as an
// IPv6 address is judged as what it is.
func bare(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr, _ = netip.AddrFromSlice(b[12:]) // four bytes always are one
	}
	return addr
}

var broadcast = netip.MustParseAddr("255.255.255.255")

// metadata are the addresses at which clouds tell a machine, and whoever makes
// it ask, its secrets. No policy allows them unless it names them.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // nearly all
	netip.MustParseAddr("169.254.170.2"),   // Amazon's containers
	netip.MustParseAddr("169.254.170.23"),
	netip.MustParseAddr("fd00:ec2::254"), // Amazon
	netip.MustParseAddr("fd00:ec2::23"),
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// foreignPorts are those that no browser sends HTTP to either, because what
// listens there could take it for its own protocol: the "bad ports" of
// https://fetch.spec.whatwg.org/#port-blocking.
var foreignPorts = []uint16{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
	111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
	540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
	6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}
