package routing

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// UnmarshalBinary reads the binary form of a set; nothing may follow it. It checks
// the form alone: [Compile] checks the rules, and their hash tells whether they are
// the ones that were written. It allocates no more than the length of the data
// allows, whatever the data says. It implements encoding.BinaryUnmarshaler.
func (rs *RuleSet) UnmarshalBinary(data []byte) error {
	r, err := readBinary(data)
	if err != nil {
		return err
	}
	out := RuleSet{}
	r.head(&out)
	r.rules(&out)
	r.tail(&out)
	if r.err != nil {
		return r.err
	}
	*rs = out
	return nil
}

// CompileBinary is [Compile] of a set in its binary form, rule by rule, so that
// there is never more than one of them: of a set of a million the rules would take
// most of a gigabyte. The errors are those of UnmarshalBinary and Compile.
func CompileBinary(data []byte) (*Router, error) {
	r, err := readBinary(data)
	if err != nil {
		return nil, err
	}
	var head RuleSet
	r.head(&head)
	at := r.at
	rules := r.count(minRule)
	var rule Rule
	for range rules { // what stands behind them is needed before the first
		r.rule(&rule)
		if r.err != nil {
			break
		}
	}
	r.tail(&head)
	if r.err != nil {
		return nil, r.err
	}
	if rules > 0 {
		head.Rules = []Rule{}
	}
	b := newBuild(&head, rules, false)
	r.at = at
	r.count(minRule)
	for i := range rules {
		rule = Rule{}
		r.rule(&rule)
		b.take(i, &rule)
	}
	if err := b.v.errs.Err(); err != nil {
		return nil, err
	}
	return b.router()
}

// readBinary begins to read.
func readBinary(data []byte) (*binaryReader, error) {
	if len(data) < len(binaryForm)+1 || string(data[:len(binaryForm)]) != binaryForm {
		return nil, malformed("it is not a rule set in binary form")
	}
	if v := data[len(binaryForm)]; v < firstBinaryVersion || v > binaryVersion {
		return nil, malformed("its binary form has version %d, and this program reads versions %d to %d", v, firstBinaryVersion, binaryVersion)
	}
	return &binaryReader{all: string(data), at: len(binaryForm) + 1}, nil
}

// head reads what stands before the rules.
func (r *binaryReader) head(out *RuleSet) {
	r.json(r.text(), out)
	texts := r.list()
	for i := range texts {
		texts[i] = strings.Clone(texts[i]) // or one of them would keep all the data
	}
	r.texts = texts
	r.routes = decoded[[]Tier](r, r.list())
	r.rest = decoded[Rule](r, r.list())
}

// tail reads what stands behind them, up to the end.
func (r *binaryReader) tail(out *RuleSet) {
	r.prices = decoded[RateRow](r, r.list())
	r.decks(out)
	if r.err == nil && r.at != len(r.all) {
		r.fail("something follows it")
	}
}

func malformed(format string, args ...any) error {
	return callmodel.Errorf(callmodel.CodeMalformed, "the rule set can't be read: "+format, args...)
}

// binaryReader reads up to the first fault, and after it nothing but zeros. Numbers
// and prefixes are parts of all until they are compiled.
type binaryReader struct {
	all    string
	at     int
	err    error
	texts  []string
	routes [][]Tier
	rest   []Rule
	prices []RateRow

	// Short lists are cut from longer ones, since a million rules have a million.
	strings []string
	tenants []callmodel.TenantID
	types   []calls.Type
}

func (r *binaryReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed("byte %d: %w", r.at, fmt.Errorf(format, args...))
	}
	r.at = len(r.all)
}

func (r *binaryReader) number() uint64 {
	if r.at < len(r.all) {
		if c := r.all[r.at]; c < 0x80 {
			r.at++
			return uint64(c)
		}
	}
	n, shift := uint64(0), 0
	for i := r.at; i < len(r.all) && shift < 7*binary.MaxVarintLen64; i++ {
		c := r.all[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			r.at = i + 1
			return n
		}
		shift += 7
	}
	r.fail("a number has no end")
	return 0
}

// count reads how many things follow, each of which takes at least that many bytes.
func (r *binaryReader) count(each int) int {
	n := r.number()
	if n > uint64((len(r.all)-r.at)/each) {
		r.fail("%d things are said to follow in %d bytes", n, len(r.all)-r.at)
		return 0
	}
	return int(n)
}

func (r *binaryReader) text() string {
	n := r.count(1)
	s := r.all[r.at : r.at+n]
	r.at += n
	return s
}

func (r *binaryReader) list() []string {
	list := make([]string, 0, r.count(1))
	for range cap(list) {
		list = append(list, r.text())
	}
	return list
}

func (r *binaryReader) json(text string, v any) {
	if r.err != nil {
		return
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		r.fail("%w", err)
	}
}

func decoded[T any](r *binaryReader, texts []string) []T {
	list := make([]T, 0)
	for _, s := range texts {
		var v T
		r.json(s, &v)
		list = append(list, v) // grows as JSON was read, not as was claimed
		if r.err != nil {
			return nil
		}
	}
	return list
}

// pick reads a place and returns the thing that stands there.
func pick[T any](r *binaryReader, from []T) T {
	i := r.number()
	if i >= uint64(len(from)) {
		r.fail("place %d of %d is named", i, len(from))
		var zero T
		return zero
	}
	return from[i]
}

// chunk is how many elements for short lists are allocated at a time.
const chunk = 1024

// cut returns a list of n elements from the stock.
func cut[T any](stock *[]T, n int) []T {
	if n > len(*stock) {
		*stock = make([]T, max(n, chunk))
	}
	list := (*stock)[:n:n]
	*stock = (*stock)[n:]
	return list
}

func (r *binaryReader) numbers() []string {
	list := cut(&r.strings, r.count(1))
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func picked[T ~string](r *binaryReader, stock *[]T) []T {
	list := cut(stock, r.count(1))
	for i := range list {
		list[i] = T(pick(r, r.texts))
	}
	return list
}

// minRule is the fewest bytes of a rule: its fields, the length of its id, and its
// route.
const minRule = 3

func (r *binaryReader) rules(rs *RuleSet) {
	n := r.count(minRule)
	if n == 0 {
		return
	}
	rs.Rules = make([]Rule, n)
	for i := range rs.Rules {
		r.rule(&rs.Rules[i])
		if r.err != nil {
			rs.Rules = nil
			return
		}
	}
}

func (r *binaryReader) rule(out *Rule) {
	own := r.number()
	if own > hasAll {
		r.fail("a rule has what this program doesn't know")
		return
	}
	id, m := r.text(), &out.Match
	priority := 0
	if own&hasPriority != 0 {
		p := r.number()
		priority = int(int64(p>>1) ^ -int64(p&1)) // as varints of signed numbers are
	}
	var prefix, exact, from []string
	var tenant []callmodel.TenantID
	var kinds []calls.Type
	if own&hasPrefix != 0 {
		prefix = r.numbers()
	}
	if own&hasExact != 0 {
		exact = r.numbers()
	}
	if own&hasTenant != 0 {
		tenant = picked(r, &r.tenants)
	}
	if own&hasType != 0 {
		kinds = picked(r, &r.types)
	}
	if own&hasFrom != 0 {
		from = picked(r, &r.strings)
	}
	if own&hasRest != 0 {
		*out = pick(r, r.rest)
	}
	out.ID, out.Default, out.Priority = id, own&hasDefault != 0, priority
	m.To.Prefix, m.To.Exact, m.Tenant, m.Type, m.From.Prefix = prefix, exact, tenant, kinds, from
	out.Route = pick(r, r.routes)
}

func (r *binaryReader) decks(rs *RuleSet) {
	n := r.count(2)
	if n == 0 {
		return
	}
	rs.Rates = map[string][]RateRow{}
	for range n {
		name := strings.Clone(r.text())
		if _, twice := rs.Rates[name]; twice {
			r.fail("%w", errors.New("two rate decks have one name"))
		}
		rows := make([]RateRow, 0, r.count(2))
		for range cap(rows) {
			prefix := r.text()
			row := pick(r, r.prices)
			row.Prefix = prefix
			rows = append(rows, row)
			if r.err != nil {
				return
			}
		}
		rs.Rates[name] = rows
	}
}
