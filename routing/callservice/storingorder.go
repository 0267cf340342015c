package callservice

import "slices"

// storingOrder is what waits for a worker, emergency calls before all else.
type storingOrder struct{ emergencies, others []*pending }

func (l *storingOrder) len() int { return len(l.emergencies) + len(l.others) }

func (l *storingOrder) of(p *pending) *[]*pending {
	if p.call != nil && p.call.Emergency {
		return &l.emergencies
	}
	return &l.others
}

func (l *storingOrder) push(p *pending) {
	list := l.of(p)
	*list = append(*list, p)
}

func (l *storingOrder) pushFirst(p *pending) {
	list := l.of(p)
	*list = slices.Insert(*list, 0, p)
}

// pop takes the first one; there must be one.
func (l *storingOrder) pop() *pending {
	list := &l.emergencies
	if len(*list) == 0 {
		list = &l.others
	}
	p := (*list)[0]
	(*list)[0] = nil
	*list = (*list)[1:]
	return p
}
