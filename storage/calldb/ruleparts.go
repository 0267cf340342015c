package calldb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"io"
	"runtime"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// The text of a large rule set is a hundred megabytes: one statement with it would hold
// SQLite's writer for a second, and as much memory again. It is stored as gzip in parts,
// each in a transaction of its own, under a name that the rule set's row has at the end.
// Parts of which no row has the name are what a process left that died meanwhile; the next
// one takes them away.
const (
	// largeBody is the size from which a text is stored in parts.
	largeBody = 1 << 20
	partBytes = 128 << 10
	// forgottenParts is how long a process may take to store a text.
	forgottenParts = 24 * time.Hour
)

// putParts stores the version's text in parts and returns their name. The name is there,
// too, if there is an error.
func (d *DB) putParts(ctx context.Context, text []byte) (name string, err error) {
	name = rand.Text()
	err = d.update(ctx, "forget parts of rule sets", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM rule_set_parts WHERE stored_at < @now - ? AND NOT EXISTS
			(SELECT 1 FROM rule_sets r WHERE r.parts = rule_set_parts.parts)`, forgottenParts.Microseconds())
		return err
	})
	if err != nil {
		return name, err
	}
	w := &partWriter{ctx: ctx, d: d, name: name, buf: make([]byte, 0, partBytes)}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	for err == nil && len(text) > 0 {
		n := min(len(text), partBytes)
		_, err = z.Write(text[:n])
		text = text[n:]
		runtime.Gosched() // calls are answered by this process, too
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = w.flush()
	}
	return name, err
}

// dropParts takes parts away.
func (d *DB) dropParts(ctx context.Context, name string) error {
	return d.update(ctx, "forget parts of a rule set", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM rule_set_parts WHERE parts = ?", name)
		return err
	})
}

// partWriter stores what is written to it, a part at a time.
type partWriter struct {
	ctx  context.Context //nolint:containedctx // it is of one call of putParts
	d    *DB
	name string
	part int
	buf  []byte
}

func (w *partWriter) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), partBytes-len(w.buf))
		w.buf = append(w.buf, rest[:n]...)
		rest = rest[n:]
		if len(w.buf) == partBytes {
			if err := w.flush(); err != nil {
				return len(b) - len(rest), err
			}
		}
	}
	return len(b), nil
}

func (w *partWriter) flush() error {
	err := w.d.update(w.ctx, "store a part of a rule set", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "INSERT INTO rule_set_parts (parts, part, stored_at, body) VALUES (?, ?, @now, ?)", w.name, w.part, w.buf)
		return err
	})
	w.part++
	w.buf = w.buf[:0]
	return err
}

// partsOf reads the text of the version whose parts have that name.
func (t *tx) partsOf(ctx context.Context, name string) ([]byte, error) {
	var zipped []io.Reader
	err := t.each(ctx, func(s scanner) error {
		var part []byte
		if err := s.Scan(&part); err != nil {
			return err
		}
		zipped = append(zipped, bytes.NewReader(part))
		return nil
	}, "SELECT body FROM rule_set_parts WHERE parts = ? ORDER BY part", name)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(io.MultiReader(zipped...))
	var text []byte
	if err == nil {
		text, err = io.ReadAll(z)
	}
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInternal, "the text of the rule set is damaged: %w", err)
	}
	return text, nil
}

// hasRuleSet reports whether the version is stored; inParts whether its text may be
// stored in parts.
func (d *DB) hasRuleSet(ctx context.Context, s *rulesets.Version) (has, inParts bool, err error) {
	err = d.view(ctx, "look for a rule set", func(ctx context.Context, t *tx) error {
		var n int
		inParts = t.ruleParts
		err := t.row(ctx, "SELECT COUNT(*) FROM rule_sets WHERE tenant_id = ? AND hash = ?", string(s.TenantID), s.Hash).Scan(&n)
		has = n > 0
		return err
	})
	return has, inParts, err
}
