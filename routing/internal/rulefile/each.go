package rulefile

import (
	"reflect"

	"github.com/switchtape/switchtape/callmodel"
)

// eachLater is a list whose items are taken when all else is decoded.
type eachLater struct {
	parts []span
	errs  int // how many faults stand before it in the file
}

// putOff has the list's items taken later, if it is the one of which they are.
func (d *decoder) putOff(p *path, s *span) bool {
	if d.each == nil || d.err != nil || p.in != nil || s.key != d.each.List {
		return false
	}
	parts, ok := d.format.items(*s.value)
	if ok {
		d.later = &eachLater{parts, len(d.errs)}
	}
	return ok
}

// takeEach decodes the list that was put off. Its faults come where it stands in the
// file, and its text is told to be broken before what follows it.
func (d *decoder) takeEach(depth int) {
	list, around, broken := d.later, d.errs, d.err
	d.errs, d.err, d.took = nil, nil, true
	p := &path{key: d.each.List}
	if broken != nil {
		d.eachItem(p, list.parts, func(*path, int, *node) {})
	} else {
		d.each.Begin(countItems(list.parts), d.lines)
		item := reflect.ValueOf(d.each.Item).Elem()
		d.eachItem(p, list.parts, func(at *path, i int, n *node) {
			item.SetZero()
			d.value(at, n, item, depth+1)
			d.each.Take(i)
		})
	}
	if d.err == nil {
		d.err = broken
	}
	errs := append(callmodel.FieldErrors{}, around[:list.errs]...)
	errs = append(append(errs, d.errs...), around[list.errs:]...)
	d.errs = errs[:min(len(errs), MaxFaults)]
}
