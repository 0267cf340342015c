package calldb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

const (
	// listenersEvery is how often a process that writes looks who listens. Timers make that
	// time: nothing here looks at the machine's clock.
	listenersEvery = 3 * time.Second
	// listenersWait bounds the look.
	listenersWait = time.Second
	// listenersOld is how many looks may fail in a row before what was seen is too old to
	// go by.
	listenersOld = 10
)

// listeners is which events of calls, jobs and rules some webhook asks for, so that
// others aren't written: most platforms store many calls of which nobody is to be told.
type listeners struct {
	fresh   atomic.Bool  // it was looked less than listenersEvery ago, and nothing was changed here
	changes atomic.Int64 // that this process has made
	known   atomic.Pointer[map[callmodel.TenantID][]webhooks.Endpoint]
	mu      sync.Mutex // held by who looks
	seen    listenersSeen
	failed  int // looks in a row
}

// listenersSeen tells one list of endpoints from another.
type listenersSeen struct{ count, versions, newest int64 }

// asked reports whether an event of the tenant is to be written. As long as nobody knows
// who listens, it is: an event too many is told to nobody.
func (l *listeners) asked(t callmodel.TenantID, event string) bool {
	known := l.known.Load()
	return known == nil || storeform.Asked((*known)[t], event)
}

// changed has the next one who writes look again.
func (l *listeners) changed() {
	l.changes.Add(1)
	l.fresh.Store(false)
}

// lookAtListeners sees to it that it is known who listens. One caller at a time looks; the
// others go by what was seen before, if there is anything.
func (d *DB) lookAtListeners(ctx context.Context) {
	l := &d.listeners
	if l.fresh.Load() {
		return
	}
	if l.known.Load() == nil {
		l.mu.Lock()
	} else if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	if l.fresh.Load() {
		return
	}
	changes := l.changes.Load()
	ctx, cancel := context.WithTimeout(ctx, listenersWait)
	defer cancel()
	if err := d.once(ctx, d.read, d.readListeners); err != nil {
		if l.failed++; l.failed > listenersOld {
			l.known.Store(nil)
		}
	} else {
		l.failed = 0
	}
	l.fresh.Store(true)
	time.AfterFunc(listenersEvery, func() { l.fresh.Store(false) })
	if l.changes.Load() != changes { // while it was looked
		l.fresh.Store(false)
	}
}

// readListeners reads who listens, if that has changed.
func (d *DB) readListeners(ctx context.Context, t *tx) error {
	l := &d.listeners
	if !t.webhooks {
		return nil // there is nobody, and tx.asked knows
	}
	var now listenersSeen
	if err := t.row(ctx, "SELECT count(*), COALESCE(sum(version), 0), COALESCE(max(created_at), 0) FROM webhook_endpoints").
		Scan(&now.count, &now.versions, &now.newest); err != nil {
		return err
	}
	if l.known.Load() != nil && now == l.seen {
		return nil
	}
	all := map[callmodel.TenantID][]webhooks.Endpoint{}
	if err := t.each(ctx, func(s scanner) error {
		w, err := scanWebhook(s)
		if err == nil && storeform.AsksForMore(&w.Endpoint) {
			all[w.TenantID] = append(all[w.TenantID], webhooks.Endpoint{Events: w.Events, Form: w.Form})
		}
		return err
	}, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.state = 'enabled'"); err != nil {
		return err
	}
	l.seen = now
	l.known.Store(&all)
	return nil
}

// asked reports whether the transaction is to write an event of that type.
func (t *tx) asked(tenant callmodel.TenantID, event string) bool {
	return t.webhooks && t.listeners.asked(tenant, event)
}

// told writes an event at the database's time: one of the last things of a transaction.
func (t *tx) told(ctx context.Context, e *callmodel.OutboxEvent) error {
	_, err := t.exec(ctx, `INSERT INTO outbox (event_key, tenant_id, type, subject, at, body) VALUES (?, ?, ?, ?, @now, ?)
		ON CONFLICT (event_key) DO NOTHING`, e.Key, string(e.TenantID), e.Type, e.Subject, e.Body)
	return err
}

// tellLine writes the event that an audit line stands for, where somebody asks for it.
func (t *tx) tellLine(ctx context.Context, line *callmodel.AuditEvent) error {
	kind := storeform.LineType(line.Action)
	if kind == "" || !t.asked(line.TenantID, kind) {
		return nil
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	e, err := storeform.LineEvent(line, now)
	if err != nil {
		return err
	}
	return t.told(ctx, &e)
}

// TellBucket writes an event of a bucket for each of its tenants that asks for it.
func (d *DB) TellBucket(ctx context.Context, b outbox.Bucket) error {
	return d.update(ctx, "tell of a bucket", func(ctx context.Context, t *tx) error {
		for _, tenant := range b.Tenants {
			if !callmodel.ValidID(string(tenant)) || !t.asked(tenant, b.Type()) {
				continue
			}
			e, err := storeform.BucketEvent(&b, tenant)
			if err != nil {
				return err
			}
			if err := t.told(ctx, &e); err != nil {
				return err
			}
		}
		return nil
	})
}
