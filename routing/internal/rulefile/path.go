package rulefile

import "strconv"

// path is where a value stands, from the inside out: it is put together only for
// what has a fault. nil is the whole file.
type path struct {
	in    *path
	key   string // "" of an item
	index int
}

func (p *path) String() string {
	switch {
	case p == nil:
		return ""
	case p.key == "":
		return p.in.String() + "[" + strconv.Itoa(p.index) + "]"
	case p.in == nil:
		return p.key
	default:
		return p.in.String() + "." + p.key
	}
}
