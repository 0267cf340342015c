package webhook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// AddressError says that an endpoint's name stands for an address that isn't delivered to.
type AddressError struct{ Addr netip.Addr }

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s is a private address, which webhooks aren't delivered to; allow it where that is meant (--webhook-allow)", e.Addr)
}

// notPublic are the addresses that netip has no word for and that aren't the internet's
// (IANA's registries of special-purpose addresses, RFC 6890), and one that a cloud's
// machines find their keys at though it is.
func notPublic() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"100::/64", "2001:db8::/32", "3fff::/20", "fec0::/10", "5f00::/16",
		"168.63.129.16/32", // Azure's wire server
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// guard decides which addresses are dialled.
type guard struct {
	refused, allowed []netip.Prefix
}

func newGuard(allowed []netip.Prefix) *guard { return &guard{refused: notPublic(), allowed: allowed} }

// check refuses an address that isn't public, unless it is allowed.
func (g *guard) check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if in(g.allowed) {
		return nil
	}
	if inner, ok := embedded(a); ok {
		return g.check(inner)
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || in(g.refused) {
		return &AddressError{a}
	}
	return nil
}

// embedded is the IPv4 address that a gateway makes of an IPv6 one: of NAT64 (RFC 6052)
// and 6to4 (RFC 3056).
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return a, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return a, false
}

// control is called for each address before it is dialled, with what the name came to:
// a name that changes between a look and the dial changes nothing.
func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address %q can't be read: %w", address, err)
	}
	return g.check(to.Addr())
}

// dialer dials what the guard lets through.
func (g *guard) dialer(o *Options) *net.Dialer {
	return &net.Dialer{Timeout: o.Timeout, ControlContext: g.control, Resolver: o.Resolver}
}
