package service

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// PriorityOptions say whose Resource-Priority is believed.
type PriorityOptions struct {
	PriorityFrom      []string `help:"Telephone servers whose Resource-Priority (RFC 4412) is believed, as addresses or networks (10.1.0.0/16): a call that they mark has the lane of emergency calls. Default: nobody's is." placeholder:"NET"`
	PriorityNamespace []string `help:"Namespaces of Resource-Priority that mark such a call." default:"esnet,ets,wps" placeholder:"NAME"`
}

// urgent reports whether a request for a call is marked by one who may; nil if nobody may.
func (o *PriorityOptions) urgent() (func(*http.Request) bool, error) {
	var from []netip.Prefix
	for _, s := range o.PriorityFrom {
		network, err := netip.ParsePrefix(s)
		if addr, single := netip.ParseAddr(s); single == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, cli.Usagef("--priority-from %s: give an address, or a network like 10.1.0.0/16", s)
		}
		from = append(from, network.Masked())
	}
	if len(from) == 0 {
		return nil, nil //nolint:nilnil // nobody may
	}
	return func(r *http.Request) bool {
		return marked(r.Header.Values("Resource-Priority"), o.PriorityNamespace) && within(r.RemoteAddr, from)
	}, nil
}

// marked reports whether a value is of one of the namespaces: "esnet.0", and in a list
// (RFC 4412 section 3.1).
func marked(values, namespaces []string) bool {
	for _, list := range values {
		for value := range strings.SplitSeq(list, ",") {
			namespace, level, ok := strings.Cut(strings.TrimSpace(value), ".")
			if ok && level != "" && slices.ContainsFunc(namespaces, func(n string) bool { return strings.EqualFold(n, namespace) }) {
				return true
			}
		}
	}
	return false
}

// within reports whether the other end of a connection is in one of the networks.
func within(remote string, networks []netip.Prefix) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
