package simulation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"time"

	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/worker"
)

// bug puts a fault of programming back, at a port: what it wraps is sound.
type bug struct {
	name string
	rule string // that it breaks
	seed uint64 // of a run that breaks it

	database     func(w *world, db database) database
	ledger       func(p *process, l ledgerPort) worker.Ledger
	bucket       func(b driver.Bucket, p *process) driver.Bucket
	objects      func(p *process, o recording.Objects) recording.Objects
	subscription func(s broker.Subscription) broker.Subscription
}

// bugs are those that the simulation must find: see the package's comment.
var bugs = []*bug{
	{
		name: "the fence is ignored: a lost lease commits, too",
		rule: "the newest lease alone ends a job",
		seed: 29,
		database: func(w *world, db database) database {
			return unfenced{db, w}
		},
	},
	{
		name: "an attempt is counted twice",
		rule: "the state machine",
		seed: 1,
		database: func(w *world, db database) database {
			return countsTwice{db, w}
		},
	},
	{
		name:     "leases never end",
		rule:     "everything settles",
		database: func(_ *world, db database) database { return endless{db} },
	},
	{
		name:     "a retry forgets what was published",
		rule:     "what is on the call is never made less",
		seed:     14,
		database: func(w *world, db database) database { return forgetful{db, w} },
	},
	{
		name:     "a message that comes again resets its job",
		rule:     "a job that is done stays so unless somebody asks",
		database: func(w *world, db database) database { return resets{db, w} },
	},
	{
		name: "the event is told outside of the transaction",
		rule: "one event for each outcome",
		ledger: func(_ *process, l ledgerPort) worker.Ledger {
			return tellsLater{l}
		},
	},
	{
		name: "the job is committed before the upload",
		rule: "an object is there, and is the ledger's, before its URL",
		objects: func(p *process, o recording.Objects) recording.Objects {
			return &uploadsLater{p: p, o: o}
		},
	},
	{
		name: "legs are deleted before the recording is committed",
		rule: "legs are never deleted early",
		objects: func(p *process, o recording.Objects) recording.Objects {
			return deletesLegs{p, o}
		},
	},
	{
		name: "whether a key is free is asked before the upload, and not at its end",
		rule: "objects are never changed",
		seed: 2,
		bucket: func(b driver.Bucket, _ *process) driver.Bucket {
			return looksFirst{b}
		},
	},
	{
		name: "an object that is there already is taken for ours",
		rule: "an object is there, and is the ledger's, before its URL",
		seed: 5,
		bucket: func(b driver.Bucket, p *process) driver.Bucket {
			return &comparesNothing{Bucket: b, mine: map[string][]byte{}, p: p}
		},
	},
	{
		name: "a message is acknowledged before it is in the ledger",
		rule: "a message is in the ledger before it is acknowledged",
		subscription: func(s broker.Subscription) broker.Subscription {
			return acksFirst{s}
		},
	},
}

// hack changes the ledger behind its back.
func (w *world) hack(statement string, args ...any) error {
	_, err := w.raw.Exec(statement, args...)
	return err
}

// newest is the lease with the newest token, whoever has that.
func (w *world) newest(l ledger.Lease) ledger.Lease {
	for _, k := range w.jobs {
		if k.key == l.Job.Key && k.kind == l.Job.Kind {
			_ = w.raw.QueryRow("SELECT token FROM jobs WHERE seq = ?", k.seq).Scan(&l.Token)
		}
	}
	return l
}

type unfenced struct {
	database
	w *world
}

func (u unfenced) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	return u.database.Complete(ctx, u.w.newest(l), o)
}

func (u unfenced) Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error {
	return u.database.Publish(ctx, u.w.newest(l), o, again)
}

type countsTwice struct {
	database
	w *world
}

func (c countsTwice) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	err := c.database.Fail(ctx, l, f)
	if err == nil && !f.Uncounted {
		err = c.w.hack("UPDATE jobs SET attempts = attempts + 1 WHERE token = ? AND kind = ? AND recording_id LIKE '%' || ?", l.Token, l.Job.Kind, l.Job.Key)
	}
	return err
}

type endless struct{ database }

func (e endless) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	r.TTL = 1000 * time.Hour
	return e.database.Claim(ctx, r)
}

type forgetful struct {
	database
	w *world
}

func (f forgetful) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	if err := f.database.Retry(ctx, id, actor); err != nil {
		return err
	}
	return f.w.hack("UPDATE jobs SET result = '', published = 0 WHERE nonce = ?", nonceOf(id))
}

// nonceOf is the part of the id behind the sequence.
func nonceOf(id callmodel.JobID) string {
	_, nonce, _ := bytes.Cut([]byte(id), []byte("-"))
	return string(nonce)
}

type resets struct {
	database
	w *world
}

func (r resets) Enqueue(ctx context.Context, q ledger.Request) (callmodel.JobID, bool, error) {
	id, created, err := r.database.Enqueue(ctx, q)
	if err == nil && !created {
		err = r.w.hack("UPDATE jobs SET state = 'queued', run_at = 0, due = 1 WHERE state = 'done' AND nonce = ?", nonceOf(id))
	}
	return id, created, err
}

type tellsLater struct{ ledgerPort }

func (t tellsLater) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	effects := o.Effects
	var event *callmodel.OutboxEvent
	o.Effects = func(c ledger.Commit) (ledger.Effects, error) {
		e, err := effects(c)
		event, e.Event = e.Event, nil
		return e, err
	}
	err := t.ledgerPort.Complete(ctx, l, o)
	if err != nil || event == nil {
		return err
	}
	return t.ask(ctx, "tell", of(&l.Job), l.Token, func(context.Context) error {
		return t.p.world.hack("INSERT INTO outbox (event_key, tenant_id, type, subject, at, body) VALUES (?, ?, ?, ?, 0, '{}')",
			event.Key, string(event.TenantID), event.Type, event.Subject)
	})
}

type uploadsLater struct {
	p *process
	o recording.Objects
}

func (u *uploadsLater) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	var body bytes.Buffer
	if err := write(&body); err != nil {
		return record.ObjectInfo{}, err
	}
	u.p.world.processes.Go(func() {
		_, _ = u.o.Put(context.WithoutCancel(ctx), key, m, func(w io.Writer) error {
			_, err := w.Write(body.Bytes())
			return err
		})
	})
	sum := sha256.Sum256(body.Bytes())
	return record.ObjectInfo{Key: key, URL: "sim://recordings/" + key.String(), Bytes: int64(body.Len()), SHA256: hex.EncodeToString(sum[:])}, nil
}

type deletesLegs struct {
	p *process
	recording.Objects
}

func (d deletesLegs) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	info, err := d.Objects.Put(ctx, key, m, write)
	if err == nil && key.Ext == "wav" {
		legs := legPort{d.p}
		for _, uri := range d.p.world.legsOf(string(key.RecordingID)) {
			if size, modified, err := legs.StatLeg(ctx, "", uri); err == nil {
				_, _ = legs.RemoveLeg(ctx, "", uri, size, modified)
			}
		}
	}
	return info, err
}

// looksFirst has an upload end without a condition.
type looksFirst struct{ driver.Bucket }

func (l looksFirst) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	_, err := l.Attributes(ctx, key)
	switch {
	case err == nil:
		return nil, &bucketError{code: gcerrors.FailedPrecondition}
	case l.ErrorCode(err) != gcerrors.NotFound:
		return nil, err
	}
	whatever := *o
	whatever.IfNotExist = false
	return l.Bucket.NewTypedWriter(ctx, key, contentType, &whatever)
}

// comparesNothing says of an object that is there already that it is what was to be
// uploaded.
type comparesNothing struct {
	driver.Bucket
	p    *process
	mine map[string][]byte
}

type blindWriter struct {
	driver.Writer
	c   *comparesNothing
	key string
}

func (c *comparesNothing) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	w, err := c.Bucket.NewTypedWriter(ctx, key, contentType, o)
	return &blindWriter{w, c, key}, err
}

func (b *blindWriter) Upload(r io.Reader) error {
	var body bytes.Buffer
	err := b.Writer.(driver.Uploader).Upload(io.TeeReader(r, &body))
	b.c.p.world.mu.Lock()
	defer b.c.p.world.mu.Unlock()
	b.c.mine[b.key] = body.Bytes()
	return err
}

func (b *blindWriter) Close() error {
	err := b.Writer.Close()
	if b.c.ErrorCode(err) == gcerrors.FailedPrecondition {
		return nil
	}
	return err
}

func (c *comparesNothing) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := c.Bucket.Attributes(ctx, key)
	c.p.world.mu.Lock()
	defer c.p.world.mu.Unlock()
	if body, ok := c.mine[key]; ok && err == nil {
		own := *a
		own.Size, own.MD5, own.ETag, own.Metadata = int64(len(body)), md5Of(body), "", maps.Clone(a.Metadata)
		return &own, nil
	}
	return a, err
}

type acksFirst struct{ broker.Subscription }

func (a acksFirst) Receive(ctx context.Context) (*broker.Message, error) {
	m, err := a.Subscription.Receive(ctx)
	if err == nil {
		_ = m.Receipt.Ack(ctx)
	}
	return m, err
}
