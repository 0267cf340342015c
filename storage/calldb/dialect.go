package calldb

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"

	"github.com/pressly/goose/v3"
)

// dialect is all that differs between the two databases. Statements are
// written once, with "?" for arguments and the words below, and translated
// here.
//
//	@now        the database's clock, in microseconds since 1970 UTC
//	@forupdate  locks the selected rows until the transaction ends
//	@skiplocked the same, passing over rows that somebody else has locked
//	@turns      the strings of a JSON list, given as an argument: turn.value, turn.key
//	@each       a query for each row of what is before it, which gives one column,
//	@endeach    value
//	@indexed    behind the id of a call: compared as the ids of calls in other tables are sorted
//	@nextchange the next place in the sequence of changes of users and tenants
//	@planonce   a value that has later statements of the transaction planned once a connection
//	@lazily     a value that has the transaction's commit not wait for the disk: it may be lost
//	@find       the function that gives the place of a text in another, 0 for nowhere
type dialect struct {
	name       string // as people know it
	goose      goose.Dialect
	migrations string // directory of its migrations
	now        string
	forUpdate  string
	skipLocked string
	turns      string
	each       string
	endEach    string
	find       string
	nextChange string
	indexed    string
	planOnce   string
	lazily     string
	limit      string // LIMIT with an argument
	numbered   bool   // arguments are $1, $2 …
	notifies   bool   // it tells listeners of jobs that can run
	prepare    bool   // the driver does not keep prepared statements by itself
	group      bool   // one writer: commit the waiting transactions together
	awaitLines string // waits until every line id that was given out is visible
	retries    int    // of a transaction that the database asks to run again
	classify   func(error) fault
}

// fault is what a driver's error means to us.
type fault int

const (
	faultOther       fault = iota
	faultRetry             // run the transaction again
	faultLocked            // somebody else holds the file
	faultUnavailable       // no connection, no space, shutting down
	faultNoFile            // the file can't be opened
	faultNotDatabase       // the file is something else, or broken
	faultReadOnly          // the file can't be written
	faultNoTable           // the schema isn't there
	faultAccess            // wrong user, password or database
)

func (d *dialect) translate(template string) string {
	text := strings.NewReplacer("@now", d.now, "@forupdate", d.forUpdate, "@skiplocked", d.skipLocked,
		"@turns", d.turns, "@each", d.each, "@endeach", d.endEach, "@find", d.find, "@nextchange", d.nextChange, "@indexed", d.indexed, "@planonce", d.planOnce, "@lazily", d.lazily, "LIMIT ?", d.limit).Replace(template)
	if !d.numbered {
		return text
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(text, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// pool is a set of connections with the statements that were used on them.
type pool struct {
	*sql.DB

	d      *dialect
	mu     sync.Mutex
	wanted []string
	texts  map[string]string    // template → text
	stmts  map[string]*sql.Stmt // text → prepared, where the driver needs that; nil: to be prepared
}

func newPool(db *sql.DB, d *dialect) *pool {
	return &pool{DB: db, d: d, texts: map[string]string{}, stmts: map[string]*sql.Stmt{}}
}

// text is the template in the dialect. The number of templates is bounded by
// the source: lists of arguments are padded to a few sizes.
func (p *pool) text(template string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.texts[template]
	if !ok {
		t = p.d.translate(template)
		p.texts[template] = t
	}
	return t
}

// prepared is the statement for the text, nil if it isn't prepared yet: then
// begin does it before the next transaction, for a transaction may hold the
// only connection.
func (p *pool) prepared(text string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.stmts[text]
	if !ok {
		p.stmts[text], p.wanted = nil, append(p.wanted, text)
	}
	return s
}

// begin starts a transaction, after preparing what the ones before it missed.
func (p *pool) begin(ctx context.Context) (*sql.Tx, error) {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, text := range wanted {
		s, err := p.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept until the pool closes
		p.mu.Lock()
		if err != nil {
			delete(p.stmts, text) // runs unprepared, and is asked for again
		} else {
			p.stmts[text] = s
		}
		p.mu.Unlock()
	}
	return p.BeginTx(ctx, nil)
}

func (p *pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.stmts {
		if s != nil {
			_ = s.Close() // the connections go anyway
		}
	}
	p.stmts = map[string]*sql.Stmt{}
	return p.DB.Close()
}

// marks is n argument marks. n is rounded up to a power of two, so that few
// different statements come about; pad gives the arguments to match.
func marks(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", padded(n)), ",")
}

func padded(n int) int {
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

// pad turns values into arguments for marks, repeating the last one.
func pad[T ~string](values []T) []any {
	args := make([]any, 0, padded(len(values)))
	for _, v := range values {
		args = append(args, string(v))
	}
	for len(args) < cap(args) {
		args = append(args, args[len(args)-1])
	}
	return args
}
