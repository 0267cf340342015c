package callfile

import (
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// scanner reads lines as they are usually written. It leaves everything unusual to
// Decode, which knows all of JSON and says what is wrong. So the scanner needn't
// know whether an unusual line is wrong.
type scanner struct {
	s    string
	at   int
	seen uint32
}

// scan reads the line into c, or returns false to leave it to Decode. The texts of
// the call are parts of the line.
func scan(line string, c *Call) bool {
	*c = Call{Length: NoLength}
	p := scanner{s: line}
	if !p.object(func(key string) bool { return p.field(key, c) }) {
		return false
	}
	p.space()
	return p.at == len(p.s) && c.check() == nil
}

func (p *scanner) space() {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t' || p.s[p.at] == '\r') {
		p.at++
	}
}

func (p *scanner) take(b byte) bool {
	p.space()
	if p.at < len(p.s) && p.s[p.at] == b {
		p.at++
		return true
	}
	return false
}

// object reads {"key": value, …}; field reads the value.
func (p *scanner) object(field func(key string) bool) bool {
	if !p.take('{') {
		return false
	}
	if p.take('}') {
		return true
	}
	for {
		key, ok := p.text()
		if !ok || !p.take(':') || !field(key) {
			return false
		}
		if p.take(',') {
			continue
		}
		return p.take('}')
	}
}

// text reads a string of plain ASCII without escapes.
func (p *scanner) text() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	from := p.at
	for p.at < len(p.s) {
		switch b := p.s[p.at]; {
		case b == '"':
			p.at++
			return p.s[from : p.at-1], true
		case b < ' ' || b >= 0x80 || b == '\\':
			return "", false
		}
		p.at++
	}
	return "", false
}

// number reads digits with an optional fraction.
func (p *scanner) number() (string, bool) {
	p.space()
	from := p.at
	for p.at < len(p.s) && (p.s[p.at] >= '0' && p.s[p.at] <= '9' || p.s[p.at] == '.') {
		p.at++
	}
	n := p.s[from:p.at]
	// JSON has no leading zeros, and no point without digits about it.
	ok := n != "" && n[0] != '.' && n[len(n)-1] != '.' && (n[0] != '0' || len(n) == 1 || n[1] == '.')
	return n, ok
}

func (p *scanner) whole() (int, bool) {
	n, ok := p.number()
	if !ok || len(n) > 6 {
		return 0, false
	}
	i, err := strconv.Atoi(n)
	return i, err == nil
}

func (p *scanner) truth() (value, ok bool) {
	p.space()
	for _, word := range [...]string{"true", "false"} {
		if len(p.s)-p.at >= len(word) && p.s[p.at:p.at+len(word)] == word {
			p.at += len(word)
			return word == "true", true
		}
	}
	return false, false
}

// once reports whether the field has not been seen before.
func (p *scanner) once(field int) bool {
	first := p.seen>>field&1 == 0
	p.seen |= 1 << field
	return first
}

func (p *scanner) textOf(field int, to *string) (ok bool) {
	*to, ok = p.text()
	return ok && p.once(field)
}

func (p *scanner) field(key string, c *Call) (ok bool) {
	var s string
	switch key {
	case "tenant", "tenant_id":
		ok = p.textOf(0, &s)
		c.TenantID = callmodel.TenantID(s)
	case "call_id":
		ok = p.textOf(1, &s)
		c.CallID = callmodel.CallID(s)
	case "from":
		return p.textOf(2, &c.From)
	case "to":
		return p.textOf(3, &c.To)
	case "type":
		ok = p.textOf(4, &s)
		c.Type = calls.Type(s)
	case "direction":
		ok = p.textOf(5, &s)
		c.Direction = calls.Direction(s)
	case "priority":
		c.Priority, ok = p.whole()
		return ok && p.once(6)
	case "emergency":
		c.Emergency, ok = p.truth()
		return ok && p.once(7)
	case "trunk":
		return p.textOf(8, &c.Trunk)
	case "at":
		ok = p.textOf(9, &s) && c.At.UnmarshalText([]byte(s)) == nil
	case "duration_s":
		return p.duration(c) && p.once(10)
	case "metadata":
		return p.metadata(c) && p.once(11)
	case "capabilities":
		return p.capabilities(c) && p.once(12)
	case "cause":
		return p.cause(c) && p.once(13)
	}
	return ok
}

func (p *scanner) duration(c *Call) bool {
	n, ok := p.number()
	if !ok || len(n) > 16 {
		return false
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return false
	}
	c.Length, ok = lengthOf(f)
	return ok
}

func (p *scanner) metadata(c *Call) bool {
	c.Metadata = map[string]string{}
	return p.object(func(key string) bool {
		value, ok := p.text()
		if _, again := c.Metadata[key]; again || !ok {
			return false
		}
		c.Metadata[key] = value
		return true
	})
}

func (p *scanner) capabilities(c *Call) bool {
	if !p.take('[') {
		return false
	}
	c.Capabilities = []string{}
	if p.take(']') {
		return true
	}
	for {
		tag, ok := p.text()
		if !ok {
			return false
		}
		c.Capabilities = append(c.Capabilities, tag)
		if !p.take(',') {
			return p.take(']')
		}
	}
}

func (p *scanner) cause(c *Call) bool {
	c.Cause = &calls.Cause{}
	seen := 0
	return p.object(func(key string) (ok bool) {
		bit := 0
		switch key {
		case "q850":
			bit = 1
			c.Cause.Q850, ok = p.whole()
		case "sip":
			bit = 2
			c.Cause.SIP, ok = p.whole()
		case "text":
			bit = 4
			c.Cause.Text, ok = p.text()
		}
		ok = ok && seen&bit == 0
		seen |= bit
		return ok
	})
}
