package rulefile

import "strconv"

// path is where a value stands, from the inside out: it is put together only for
// what has a fault. nil is the whole file.
type path struct {
	in    *path
	key   string
	index int // of an item, from 1; 0 of an entry
}

func (p *path) String() string {
	switch {
	case p == nil:
		return ""
	case p.index > 0:
		return p.in.String() + "[" + strconv.Itoa(p.index-1) + "]"
	case p.in == nil:
		return p.key
	default:
		return p.in.String() + "." + p.key
	}
}
