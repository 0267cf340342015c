package rulefile

// A file is read in parts, because the tree of a part is many times as large as
// its text: a million rules would take gigabytes at once.
const (
	// partBytes is about how much text is parsed at once.
	partBytes = 64 << 10
	// maxPart bounds what can't be divided: one rule, or a file that isn't laid out
	// with an entry to a line.
	maxPart = 4 << 20
)

// span is a part of a file's text.
type span struct {
	start, end int // bytes
	line       int // of the file, on which start is; from 1
	n          int // items of a list, or entries of a mapping
	// key and value are those of an entry that is a part of its own, value where its
	// text begins after the key. "" has no such: its value is small or stands beside
	// the key.
	key   string
	at    int // the line of the key
	value *span
}

func (s span) size() int { return s.end - s.start }

// format is how a file is divided and parsed.
type format interface {
	// entries divides the text of a mapping into parts of whole entries, and items
	// that of a list into parts of whole items. ok is false of text that is laid out
	// in a way that can't be divided without parsing it, or isn't what it should be.
	entries(s span) (parts []span, ok bool)
	items(s span) (parts []span, ok bool)
	// begins is the line on which the text of a mapping begins: of a span that entries
	// divides.
	begins(s span) int
	// partSize is about how many bytes a part has.
	partSize() int
	// inLines reports whether the span is the whole of a file in lines of JSON.
	inLines(s span) bool
	// explain is the fault of a file of which a part could not be parsed.
	explain(err error) error
	// tree parses a part: of entries into a mapping, of items into a list, of one
	// value into that. The tree is in the room until that is cleared.
	tree(s span, as form, in *room) (*node, error)
}

// form is what the text of a part is.
type form uint8

const (
	oneValue form = iota
	someEntries
	someItems
)

// parts gathers spans into parts of about a size.
type parts struct {
	list []span
	size int
}

// add appends a span that begins where the one before ends.
func (p *parts) add(s span) {
	s.n = 1
	if i := len(p.list) - 1; i >= 0 && p.list[i].key == "" && s.key == "" && s.end-p.list[i].start <= p.size {
		p.list[i].end = s.end
		p.list[i].n++
		return
	}
	p.list = append(p.list, s)
}
