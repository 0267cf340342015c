package dialimport

import (
	"strconv"
	"strings"
)

func (d *drouting) addCarrier(r *row) {
	id := r.get(r.table.id)
	if _, again := d.carrier[id]; again || id == "" {
		d.report.skip(r.place, "the carrier", "its id %q is missing or another's already", short(id))
		return
	}
	d.carrier[id] = r
	d.unused(r, "attrs", "attributes are for the source's own script")
	d.report.Converted++
}

// Bits of a carrier's flags. Before OpenSIPS 3.0 they are those of its manual; since
// the table has a column for the sorting, they are those of the table.
const (
	oldFlagWeight = 1
	oldFlagFirst  = 2
	oldFlagOff    = 4
	newFlagFirst  = 1
	newFlagOff    = 2
)

type carrierKind struct {
	weighted, quality, first, off bool
}

func kindOf(r *row) carrierKind {
	flags, _ := whole(r.get("flags"))
	if !r.has("sort_alg") {
		return carrierKind{weighted: flags&oldFlagWeight != 0, first: flags&oldFlagFirst != 0, off: flags&oldFlagOff != 0 || r.off()}
	}
	alg := strings.ToUpper(r.get("sort_alg"))
	return carrierKind{weighted: alg == "W", quality: alg == "Q", first: flags&newFlagFirst != 0, off: flags&newFlagOff != 0 || r.off()}
}

// off reports whether the carrier is switched off by its state.
func (r *row) off() bool {
	state, ok := whole(r.get("state"))
	return ok && state != 0
}

// expand returns the gateways of a carrier, in their order. It reports what is wrong
// with a carrier once, at its place.
func (d *drouting) expand(from *row, id string) []block {
	r, ok := d.carrier[id]
	if !ok {
		d.report.skip(from.place, "carrier "+id, "there is no such carrier")
		return nil
	}
	if blocks, done := d.expanded[id]; done {
		return blocks
	}
	d.expanded[id] = nil // should it lead back to itself
	blocks := d.carrierBlocks(r)
	d.expanded[id] = blocks
	return blocks
}

func (d *drouting) carrierBlocks(r *row) []block {
	kind := kindOf(r)
	if kind.off {
		d.report.remark(r.place, "state", "it is disabled, so that no call goes there")
		return nil
	}
	var hops []hop
	for _, group := range parseGWList(r.get("gwlist")) {
		for _, item := range group {
			if item.carrier {
				d.report.skip(r.place, "carrier "+strconv.Quote(short(item.id)), "carriers hold gateways only")
				continue
			}
			hops = append(hops, hopsOf(d.item(r, item))...)
		}
	}
	switch {
	case len(hops) == 0:
		return nil
	case kind.first && len(hops) > 1 && (kind.weighted || kind.quality):
		d.report.approximate(r.place, "flags "+r.get("flags"), "the source tries one of its gateways, the first in order; here the others come behind it")
	case kind.first:
		return []block{{listed, hops[:1]}}
	}
	if kind.quality {
		d.report.approximate(r.place, "sort_alg Q", "its gateways are ordered by their quality as it is measured here")
		return qualityBlock([]block{{listed, hops}})
	}
	if kind.weighted {
		return byWeight(hops)
	}
	return []block{{listed, hops}}
}
