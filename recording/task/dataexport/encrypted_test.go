package dataexport_test

import (
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

// encrypted has the house's bucket encrypted with new keys from now on.
func (h *house) encrypted(t *testing.T) {
	t.Helper()
	file, err := encrypt.New([]string{"*"})
	require.NoError(t, err)
	keys, err := file.Keys()
	require.NoError(t, err)
	require.NoError(t, h.store.Close())
	h.store, err = storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(h.dir, "bucket")}).String(), &storage.Options{Encryption: keys})
	require.NoError(t, err)
}

// flip changes a byte of the object where it is stored.
func (h *house) flip(t *testing.T, key string, at int) {
	t.Helper()
	path := h.store.LocalPath(key)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func audioOf(t *testing.T, j *ledger.Job) record.OutputResult {
	t.Helper()
	r, err := record.ResultOf(j)
	require.NoError(t, err)
	return r.Outputs[0]
}

// TestDamagedEncrypted: an encrypted object that was changed is told as damaged, at its
// beginning or behind it, and all others are exported. So are those for which there is no key
// told as such.
func TestDamagedEncrypted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.encrypted(t)
	for _, id := range []string{"whole", "header", "end"} {
		h.end(t, newCall("acme", id, alice, bob, begun), "agent.wav")
	}
	h.work(t)
	whole, header, end := h.recorded(t, "acme", "whole"), h.recorded(t, "acme", "header"), h.recorded(t, "acme", "end")
	h.flip(t, audioOf(t, &header).Key, 60)
	const chunk = 64<<10 + 16
	h.flip(t, audioOf(t, &end).Key, storage.EncryptedHeader+16+chunk+10) // in the second chunk

	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfTenant})
	require.Equal(t, map[string]int64{dataexport.MissingDamaged: 2}, e.Missing)
	o := h.open(t, &e)
	require.Len(t, o.missing, 2)
	for _, m := range o.missing {
		require.NotEmpty(t, m.SHA256)
		file := "calls/" + string(m.CallID) + "/recordings/" + m.RecordingID + "/" + filepath.Base(m.Object)
		switch m.CallID {
		case "header":
			require.NotContains(t, o.files, file, "none of it can be read")
		case "end":
			read, was := int64(len(o.files[file])), audioOf(t, &end).Bytes
			require.Less(t, read, was)
			require.Positive(t, read, "what is before the damage is there")
			require.Contains(t, m.Detail, file)
		default:
			require.Fail(t, "it isn't damaged", "%+v", m)
		}
	}
	out := audioOf(t, &whole)
	require.Equal(t, out.SHA256, sum(o.files["calls/whole/recordings/whole/"+filepath.Base(out.Key)]))

	objects := e.Counts.Objects
	h.encrypted(t) // with other keys
	e = h.export(t, "acme", "x2", dataexport.Payload{Of: dataexport.OfCall, CallID: "whole"})
	o = h.open(t, &e)
	require.Equal(t, record.StatusCompletedDegraded, e.Status)
	require.Len(t, e.Missing, 1)
	require.Positive(t, e.Missing[dataexport.MissingKey])
	require.Zero(t, e.Counts.Objects)
	require.Positive(t, objects)
	require.Contains(t, o.files, "calls/whole/call.json")
	for _, m := range o.missing {
		require.Contains(t, m.Detail, `identities of tenant "acme"`)
	}
}

// awayObjects is a bucket in which objects of that ending can't be read for now.
type awayObjects struct {
	*storage.Store

	ending string
}

func (a awayObjects) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasSuffix(key, a.ending) {
		return nil, callmodel.RetryAfter(&callmodel.BucketAwayError{Bucket: a.String(), Reason: callmodel.BucketThrottled}, 0)
	}
	return a.Store.Open(ctx, key)
}

// TestAwayFails: an export whose bucket is away is tried again, and isn't told as if
// something were damaged.
func TestAwayFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.encrypted(t)
	h.end(t, newCall("acme", "c1", alice, bob, begun), "agent.wav")
	h.work(t)
	j := h.recorded(t, "acme", "c1")
	now, err := h.db.Now(t.Context())
	require.NoError(t, err)
	away := dataexport.NewExporter(h.db, h.db, awayObjects{h.store, filepath.Base(audioOf(t, &j).Key)})
	_, err = away.Export(t.Context(), h.store, &dataexport.Request{TenantID: "acme", Key: "x1", Attempt: "1", AsOf: now, Payload: dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"}})
	var later *callmodel.RetryAfterError
	require.ErrorAs(t, err, &later)
	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"})
	require.Equal(t, record.StatusCompleted, e.Status)
}
