// Package reconciletest has a ledger and a bucket of any size for tests and benchmarks of
// package reconcile: what is in them is made up when it is asked for.
package reconciletest

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Vast is a ledger of N recordings that are done, each of one object, and the bucket that
// they are in. The ledger has them in another order than the bucket. It takes no memory to
// speak of, whatever N is.
type Vast struct {
	// N is how many recordings there are. It isn't divisible by 7919, the prime number by
	// which the ledger's order differs from the bucket's.
	N int
	// Missing says that each so many-th object isn't in the bucket; 0: all are there.
	Missing int
	// Unknown says that before each so many-th object there is one of which the ledger knows
	// nothing; 0: there are none.
	Unknown int
}

const (
	tenant  = "acme"
	step    = 7919
	perHour = 36_000 // recordings
	page    = 1000   // objects at most, but for those that are nobody's
)

var began = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // it never changes

// keyOf is that of the i-th object of the bucket.
func keyOf(i int, suffix string) string {
	id := fmt.Sprintf("c%09d%s", i, suffix)
	k := record.ObjectKey{
		TenantID: tenant, CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
		StartedAt: began.Add(time.Duration(i/perHour) * time.Hour), Version: 1, Ext: "mp3",
	}
	return k.String()
}

func bytesOf(i int) int64 { return 240_000 + int64(i%1000) }

// Mismatches is how many objects are missing, and how many are nobody's.
func (v *Vast) Mismatches() (missing, unknown int64) {
	count := func(each int) int64 {
		if each == 0 {
			return 0
		}
		return int64((v.N + each - 1) / each)
	}
	return count(v.Missing), count(v.Unknown)
}

func is(i, each int) bool { return each > 0 && i%each == 0 }

// Now implements reconcile.Ledger.
func (v *Vast) Now(context.Context) (time.Time, error) { return began.AddDate(1, 0, 0), nil }

// Unrecorded implements reconcile.Ledger: there are no calls.
func (v *Vast) Unrecorded(context.Context, ledger.CallPlace) (ledger.UnrecordedPage, error) {
	return ledger.UnrecordedPage{}, nil
}

// Linked implements reconcile.Ledger.
func (v *Vast) Linked(_ context.Context, after callmodel.JobID, limit int) ([]ledger.Linked, error) {
	from := 0
	if after != "" {
		n, err := strconv.Atoi(string(after))
		if err != nil {
			return nil, err
		}
		from = n + 1
	}
	list := make([]ledger.Linked, 0, max(min(limit, v.N-from), 0))
	for j := from; j < v.N && len(list) < limit; j++ {
		list = append(list, v.linked(j))
	}
	return list, nil
}

// Object is that of the j-th job, whose recording has the call's id, as the tenant acme has
// it.
func (v *Vast) Object(j int) (id, key string, bytes int64, sha256 string) {
	i := j * step % v.N
	return fmt.Sprintf("c%09d", i), keyOf(i, ""), bytesOf(i), fmt.Sprintf("%064x", i)
}

// linked is the j-th job.
func (v *Vast) linked(j int) ledger.Linked {
	id, key, bytes, sha256 := v.Object(j)
	return ledger.Linked{Job: ledger.Job{
		ID: callmodel.JobID(strconv.Itoa(j)), Kind: record.Kind, State: ledger.Done, TenantID: tenant, CallID: callmodel.CallID(id), Key: id,
		Result: fmt.Appendf(nil, `{"status":"completed","defects":[],"duration_ms":60000,"legs":[],"outputs":[{"url":"vast:///%[1]s","key":"%[1]s","codec":"mp3","layout":"mono","channels":1,"rate":8000,"bitrate":32000,"frames":480000,"bytes":%[2]d,"sha256":"%[3]s"}]}`,
			key, bytes, sha256),
	}}
}

// LinkedJob implements reconcile.Ledger.
func (v *Vast) LinkedJob(_ context.Context, id callmodel.JobID) (ledger.Linked, error) {
	j, err := strconv.Atoi(string(id))
	if err != nil || j < 0 || j >= v.N {
		return ledger.Linked{}, callmodel.ErrNotFound
	}
	return v.linked(j), nil
}

// LinkedOf implements reconcile.Ledger: it is asked for what is nobody's alone.
func (v *Vast) LinkedOf(context.Context, callmodel.TenantID, callmodel.CallID, callmodel.RecordingID) ([]ledger.Linked, error) {
	return nil, nil
}

// Relink implements reconcile.Ledger.
func (v *Vast) Relink(context.Context, callmodel.JobID, string) (bool, error) { return false, nil }

// Rerecord implements reconcile.Ledger.
func (v *Vast) Rerecord(context.Context, callmodel.TenantID, callmodel.CallID, string, []record.OutputSpec) (bool, error) {
	return false, nil
}

// URL implements reconcile.Bucket.
func (v *Vast) URL(key string) string { return "vast:///" + key }

// ListPage implements reconcile.Bucket. A token is the place of an object.
func (v *Vast) ListPage(_ context.Context, token string) (record.Listing, error) {
	from := 0
	if token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil {
			return record.Listing{}, err
		}
	}
	list := record.Listing{Objects: make([]record.Listed, 0, page)}
	to := min(from+page, v.N)
	for i := from; i < to; i++ {
		if is(i, v.Unknown) {
			list.Objects = append(list.Objects, record.Listed{Key: keyOf(i, "-none"), Bytes: 1, ModTime: began, Current: true})
		}
		if !is(i, v.Missing) {
			list.Objects = append(list.Objects, record.Listed{Key: keyOf(i, ""), Bytes: bytesOf(i), ModTime: began, Current: true})
		}
	}
	if to < v.N {
		list.Next = strconv.Itoa(to)
	}
	return list, nil
}

// Size implements reconcile.Bucket.
func (v *Vast) Size(_ context.Context, of string) (int64, error) {
	k, ok := record.ParseObjectKey(of)
	i, err := strconv.Atoi(strings.TrimPrefix(string(k.CallID), "c"))
	if !ok || err != nil || i >= v.N || is(i, v.Missing) {
		return 0, fmt.Errorf("%s: %w", of, fs.ErrNotExist)
	}
	return bytesOf(i), nil
}

// SHA256 implements reconcile.Bucket.
func (v *Vast) SHA256(_ context.Context, of string) (string, error) {
	k, _ := record.ParseObjectKey(of)
	i, err := strconv.Atoi(strings.TrimPrefix(string(k.CallID), "c"))
	return fmt.Sprintf("%064x", i), err
}

// Restore implements reconcile.Bucket.
func (v *Vast) Restore(context.Context, string, string, string) (bool, error) { return false, nil }
