package simulation

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/switchtape/switchtape/storage/calldb"
)

// laneClock is by how much the database's clock is ahead of virtual time, in ms.
type laneClock struct{ ahead atomic.Int64 }

func (c *laneClock) jump(d time.Duration) { c.ahead.Add(d.Milliseconds()) }

func (c *laneClock) now() time.Time {
	return time.UnixMilli(time.Now().UnixMilli() + c.ahead.Load()).UTC()
}

// Simulations run side by side in lanes. Each has a decade of virtual time to itself, by
// which SQLite's clock knows whose it is: the function is the whole process's.
const (
	lanes    = 16
	laneTime = 10 * 365 * 24 * time.Hour
)

// epoch is when virtual time begins: see testing/synctest.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var clocks [lanes]laneClock

// registerClock puts the simulations' clock in the place of SQLite's own, for connections
// that are opened later.
var registerClock = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("unixepoch", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if len(args) != 2 || args[0] != "now" || args[1] != "subsec" {
			return nil, errors.New("the ledger asks for the time in a way that the simulation doesn't know")
		}
		now := time.Now()
		lane := int(now.Sub(epoch) / laneTime)
		if lane < 0 || lane >= lanes {
			return float64(now.UnixMilli()) / 1000, nil // outside of simulations
		}
		return float64(now.UnixMilli()+clocks[lane].ahead.Load()) / 1000, nil
	})
})

// journal has the database itself note what becomes of its rows, so that nothing that
// happens in a transaction is missed, and nothing counts that was undone.
const journal = `
CREATE TABLE journal (
	id INTEGER PRIMARY KEY, what TEXT, seq INTEGER, key TEXT, kind TEXT, was TEXT, state TEXT, token0 INTEGER, token INTEGER,
	attempts0 INTEGER, attempts INTEGER, retries0 INTEGER, retries INTEGER, lease0 INTEGER, lease INTEGER, alone INTEGER,
	published0 INTEGER, published INTEGER, result0 TEXT, result TEXT, error TEXT);
CREATE TRIGGER journal_new_job AFTER INSERT ON jobs BEGIN
	INSERT INTO journal (what, seq, key, kind, state, token, attempts, retries) VALUES ('new job', new.seq, new.recording_id, new.kind, new.state, new.token, new.attempts, new.retries);
END;
CREATE TRIGGER journal_job AFTER UPDATE ON jobs BEGIN
	INSERT INTO journal (what, seq, key, kind, was, state, token0, token, attempts0, attempts, retries0, retries, lease0, lease, alone, published0, published, result0, result, error)
	VALUES ('job', new.seq, new.recording_id, new.kind, old.state, new.state, old.token, new.token, old.attempts, new.attempts, old.retries, new.retries,
		old.lease_until, new.lease_until, old.suspect = 1 AND old.alone = old.token, old.published, new.published,
		CASE WHEN old.state = 'done' OR old.published = 1 THEN old.result END, CASE WHEN new.result <> '' AND new.state <> old.state THEN new.result END, new.last_error);
END;
CREATE TRIGGER journal_job_gone AFTER DELETE ON jobs BEGIN INSERT INTO journal (what, seq, key) VALUES ('job gone', old.seq, old.recording_id); END;
CREATE TRIGGER journal_event AFTER INSERT ON outbox BEGIN INSERT INTO journal (what, seq, key, kind, error) VALUES ('event', new.id, new.subject, new.type, new.event_key); END;
CREATE TRIGGER journal_event_changed AFTER UPDATE ON outbox BEGIN INSERT INTO journal (what, seq, key) VALUES ('event changed', new.id, new.subject); END;
CREATE TRIGGER journal_event_gone AFTER DELETE ON outbox BEGIN INSERT INTO journal (what, seq, key) VALUES ('event gone', old.id, old.subject); END;
CREATE TRIGGER journal_entry AFTER INSERT ON call_recordings BEGIN INSERT INTO journal (what, key, result) VALUES ('entry', new.recording_id, new.doc); END;
CREATE TRIGGER journal_entry_changed AFTER UPDATE ON call_recordings BEGIN INSERT INTO journal (what, key, result) VALUES ('entry', new.recording_id, new.doc); END;
CREATE TRIGGER journal_entry_gone AFTER DELETE ON call_recordings BEGIN INSERT INTO journal (what, key) VALUES ('entry gone', old.recording_id); END;
CREATE TRIGGER journal_letter AFTER INSERT ON dead_letters BEGIN INSERT INTO journal (what, key, error) VALUES ('letter', new.message_id, new.reason); END;
`

// template is a ledger with the newest schema and the journal, as the bytes of its file.
var template = sync.OnceValues(func() (body []byte, err error) {
	if err := registerClock(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "simulation-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "ledger.db")
	ctx := context.Background()
	db, err := calldb.Open(ctx, calldb.SQLiteURL(path), nil)
	if err != nil {
		return nil, err
	}
	_, err = db.Migrate(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = raw.ExecContext(ctx, journal+"; PRAGMA journal_mode(DELETE)")
	if err = errors.Join(err, raw.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// change is a line of the journal.
type change struct {
	id                                      int64
	what, key, kind, was, state             string
	seq, token0, token, attempts0, attempts int64
	retries0, retries, lease0, lease, alone int64
	published0, published                   int64
	result0, result, err                    string
}

const readJournal = `SELECT id, what, COALESCE(seq, 0), COALESCE(key, ''), COALESCE(kind, ''), COALESCE(was, ''), COALESCE(state, ''), COALESCE(token0, 0), COALESCE(token, 0),
	COALESCE(attempts0, 0), COALESCE(attempts, 0), COALESCE(retries0, 0), COALESCE(retries, 0), COALESCE(lease0, 0), COALESCE(lease, 0), COALESCE(alone, 0),
	COALESCE(published0, 0), COALESCE(published, 0), COALESCE(result0, ''), COALESCE(result, ''), COALESCE(error, '') FROM journal WHERE id > ? ORDER BY id`

// changes are the journal's lines since the last look.
func (s *state) changes() (list []change, err error) {
	rows, err := s.journal.Query(s.looked)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c change
		if err := rows.Scan(&c.id, &c.what, &c.seq, &c.key, &c.kind, &c.was, &c.state, &c.token0, &c.token, &c.attempts0, &c.attempts,
			&c.retries0, &c.retries, &c.lease0, &c.lease, &c.alone, &c.published0, &c.published, &c.result0, &c.result, &c.err); err != nil {
			return nil, err
		}
		s.looked = c.id
		list = append(list, c)
	}
	return list, rows.Err()
}
