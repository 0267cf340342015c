package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

const erasureColumns = "kind, state, reason, actor, begun_at, done_at, doc"

func scanErasure(s scanner) (e retention.Erasure, err error) {
	var begun, done int64
	var doc string
	var row retention.Erasure
	if err := s.Scan(&row.Kind, &row.State, &row.Reason, &row.Actor, &begun, &done, &doc); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(doc), &e); err != nil {
		return e, err
	}
	e.Kind, e.State, e.Reason, e.Actor = row.Kind, row.State, row.Reason, row.Actor
	e.BegunAt, e.DoneAt = storeform.Time(begun), storeform.Time(done)
	return e, nil
}

// erasure is what the job deletes or has deleted of the recording; ErrNotFound.
func (t *tx) erasure(ctx context.Context, tenant callmodel.TenantID, id callmodel.RecordingID, by callmodel.JobID, lock string) (retention.Erasure, error) {
	e, err := scanErasure(t.row(ctx, "SELECT "+erasureColumns+" FROM erasures WHERE tenant_id = ? AND recording_id = ? AND by_job = ?"+lock,
		string(tenant), string(id), string(by)))
	if errors.Is(err, sql.ErrNoRows) {
		return e, callmodel.ErrNotFound
	}
	return e, err
}

// Erasures implements recordinghttp.Keeper.
func (d *DB) Erasures(ctx context.Context, tenant callmodel.TenantID, id callmodel.RecordingID) (list []retention.Erasure, err error) {
	if !callmodel.ValidID(string(tenant)) || !callmodel.ValidID(string(id)) {
		return nil, nil
	}
	err = d.view(ctx, "read what was deleted", func(ctx context.Context, t *tx) error {
		list = nil
		if !t.keeping {
			return nil
		}
		return t.each(ctx, func(s scanner) error {
			e, err := scanErasure(s)
			list = append(list, e)
			return err
		}, "SELECT "+erasureColumns+" FROM erasures WHERE tenant_id = ? AND recording_id = ? ORDER BY begun_at", string(tenant), string(id))
	})
	return list, err
}

// BeginErasure implements lifecycle.ErasureLedger.
func (d *DB) BeginErasure(ctx context.Context, b retention.Begin) (e retention.Erasure, err error) {
	err = d.update(ctx, "begin a deletion", func(ctx context.Context, t *tx) error {
		if err := t.needKeeping(); err != nil {
			return err
		}
		r, err := t.job(ctx, b.Erasure.JobID, true)
		if err != nil {
			return err
		}
		e, err = t.erasure(ctx, r.TenantID, callmodel.RecordingID(r.Key), b.Erasure.ByJob, "")
		if !errors.Is(err, callmodel.ErrNotFound) { // it has begun, or can't be read
			return err
		}
		if err := storeform.CheckErasable(&r.Job, &b); err != nil {
			return err
		}
		of := retention.Recording{TenantID: r.TenantID, CallID: r.CallID, RecordingID: callmodel.RecordingID(r.Key)}
		held, err := t.heldBy(ctx, of)
		if err != nil {
			return err
		}
		if held != nil {
			return held
		}
		w, spec, err := storeform.BeginErasure(&r.Job, &b, storeform.Time(r.now))
		if err != nil {
			return err
		}
		e = w.Erasure
		doc, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO erasures (tenant_id, recording_id, by_job, call_id, kind, state, reason, actor, begun_at, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			string(e.TenantID), string(e.RecordingID), string(e.ByJob), string(e.CallID), e.Kind, string(e.State), e.Reason, e.Actor, r.now, string(doc)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = 'done', spec = ?, result = ?, published = 0, erased = ?, attempts = 0, last_error = '', reason = '', worker = '', lease_until = 0, suspect = 0,
			finished_at = CASE WHEN finished_at = 0 THEN @now ELSE finished_at END WHERE seq = ?`,
			string(spec), string(w.Result), storeform.Flag(!b.Keep()), r.seq); err != nil {
			return err
		}
		for some := range slices.Chunk(b.Derived, linkedAtOnce) {
			if _, err := t.exec(ctx, `UPDATE jobs SET result = ?, erased = 1 WHERE tenant_id = ? AND kind <> 'record' AND state = 'done' AND recording_id IN (`+marks(len(some))+")",
				append([]any{storeform.ErasedResult, string(r.TenantID)}, pad(some)...)...); err != nil {
				return err
			}
		}
		if err := t.putRecording(ctx, &r, w.FinishedAt, w.Recording); err != nil {
			return err
		}
		return t.audit(ctx, w.Audit)
	})
	if err != nil {
		return retention.Erasure{}, err
	}
	return e, nil
}

// EndErasure implements lifecycle.ErasureLedger.
func (d *DB) EndErasure(ctx context.Context, e retention.Erasure, worker string) (ended retention.Erasure, err error) {
	err = d.update(ctx, "end a deletion", func(ctx context.Context, t *tx) error {
		if err := t.needKeeping(); err != nil {
			return err
		}
		begun, err := t.erasure(ctx, e.TenantID, e.RecordingID, e.ByJob, " @forupdate")
		if err != nil {
			return err
		}
		if begun.State == retention.Done {
			ended = begun
			return nil
		}
		now, err := t.clock(ctx)
		if err != nil {
			return err
		}
		w, err := storeform.EndErasure(&begun, &e, storeform.Time(now), worker)
		if err != nil {
			return err
		}
		ended = w.Erasure
		doc, err := json.Marshal(ended)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE erasures SET state = ?, done_at = ?, doc = ? WHERE tenant_id = ? AND recording_id = ? AND by_job = ?",
			string(ended.State), now, string(doc), string(e.TenantID), string(e.RecordingID), string(e.ByJob)); err != nil {
			return err
		}
		return t.lines(ctx, &w.Written)
	})
	return ended, err
}
