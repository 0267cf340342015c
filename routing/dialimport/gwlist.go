package dialimport

import (
	"strconv"
	"strings"
)

// listItem is one entry of a gwlist: "gw1", "gw1=10", "#carrier=5".
type listItem struct {
	id      string
	carrier bool
	weight  int  // -1: none is given
	broken  bool // the weight is no number
}

// maxListItems bounds the entries of one gwlist.
const maxListItems = 1024

// parseGWList reads a gwlist. Kamailio's has groups with semicolons between them.
func parseGWList(s string) [][]listItem {
	var groups [][]listItem
	total := 0
	for part := range strings.SplitSeq(s, ";") {
		var group []listItem
		for text := range strings.FieldsFuncSeq(part, func(r rune) bool { return r == ',' || r == '|' }) {
			text = strings.TrimSpace(text)
			if text == "" || total == maxListItems {
				continue
			}
			total++
			item := listItem{weight: -1}
			id, weight, weighted := strings.Cut(text, "=")
			if weighted {
				n, err := strconv.ParseUint(strings.TrimSpace(weight), 10, 31)
				item.weight, item.broken = int(n), err != nil
			}
			item.id, item.carrier = strings.CutPrefix(strings.TrimSpace(id), "#")
			group = append(group, item)
		}
		if len(group) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// blockOrder says in which order the gateways of a block are tried.
type blockOrder uint8

const (
	listed blockOrder = iota
	weighted
	byQuality
)

// hop is a gateway on the way of a call.
type hop struct {
	dest   string
	weight int
}

// block is gateways that are tried before those of the next block.
type block struct {
	order blockOrder
	hops  []hop
}

// byWeight makes blocks of hops that are drawn by weight. Hops without a weight come
// after all those with one.
func byWeight(hops []hop) []block {
	var heavy, light []hop
	for _, h := range hops {
		if h.weight > 0 {
			heavy = append(heavy, h)
		} else {
			light = append(light, hop{h.dest, 1})
		}
	}
	var out []block
	for _, list := range [][]hop{heavy, light} {
		if len(list) > 0 {
			out = append(out, block{weighted, list})
		}
	}
	return out
}
