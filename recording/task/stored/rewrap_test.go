package stored_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

var _ stored.Rewrapper = (*storage.Store)(nil)

// withKeys has the house's bucket encrypted with the file's keys.
func (h *house) withKeys(t *testing.T, f *encrypt.File) {
	t.Helper()
	k, err := f.Keys()
	require.NoError(t, err)
	s, err := storage.Open(t.Context(), h.store.String(), &storage.Options{Encryption: k})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	h.store = s
	h.opts.Kinds, err = task.NewKinds(stored.Kinds(stored.NewLibrary(h.db, h.store), &stored.TranscodeOptions{TempDir: t.TempDir()})...)
	require.NoError(t, err)
}

// Encrypted recordings are verified, transcoded and exported as others, and get other
// recipients by a job.
func TestEncryptedRecordings(t *testing.T) {
	t.Parallel()
	f, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	h := newHouse(t)
	h.withKeys(t, f)
	h.work(t)
	rec := h.recorded(t, "acme", "c1")
	made := result(t, &rec)
	objects := len(made.Outputs) + 1
	v := done[stored.Verified](t, h, h.job(t, stored.KindVerify, "v1", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, record.StatusCompleted, v.Status, "%+v", v)
	x := h.ends(t, h.job(t, stored.KindExport, "x1", stored.ExportPayload{CallID: "c1"}))
	require.Equal(t, ledger.Done, x.State, x.LastError)
	r := done[stored.RewrapResult](t, h, h.job(t, stored.KindRewrap, "r1", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, objects, r.Current)
	h.stop()

	require.NoError(t, f.Rotate("acme"))
	h.withKeys(t, f)
	h.work(t)
	r = done[stored.RewrapResult](t, h, h.job(t, stored.KindRewrap, "r2", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, stored.RewrapResult{Status: record.StatusCompleted, JobID: rec.ID, Rewrapped: objects, Defects: []record.Defect{}}, r)
	h.stop()

	entry := f.Tenants["acme"]
	entry.Identities = entry.Identities[:1]
	f.Tenants["acme"] = entry
	h.withKeys(t, f)
	h.work(t)
	v = done[stored.Verified](t, h, h.job(t, stored.KindVerify, "v2", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, record.StatusCompleted, v.Status, "%+v", v)

	h.spoil(t, made.Outputs[1].Key, false)
	h.spoil(t, made.Outputs[0].Key, true)
	v = done[stored.Verified](t, h, h.job(t, stored.KindVerify, "v3", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, record.StatusCompletedDegraded, v.Status)
	require.Len(t, v.Defects, 2)
	assert.Equal(t, stored.DefectObjectMissing, v.Defects[0].Code)
	assert.Equal(t, stored.DefectObjectDiffers, v.Defects[1].Code)
	assert.Contains(t, v.Defects[1].Detail, "can't be decrypted")
	r = done[stored.RewrapResult](t, h, h.job(t, stored.KindRewrap, "r3", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, record.StatusCompletedDegraded, r.Status)
	assert.Len(t, r.Defects, 1)
}

// A plain recording stays so.
func TestRewrapOfPlainRecordings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	rec := h.recorded(t, "acme", "c1")
	r := done[stored.RewrapResult](t, h, h.job(t, stored.KindRewrap, "r1", stored.OfRecording{Recording: ofCall("c1")}))
	assert.Equal(t, len(result(t, &rec).Outputs)+1, r.Plain)
}

// A job that meets an encrypted recording waits for its key, with keys of others, with such
// as only store, and without any: nothing is wrong with the recording, and as soon as the
// worker has the key the job is done, without anybody's retrying it.
func TestVerifyWaitsForTheKey(t *testing.T) {
	t.Parallel()
	f, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	other, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	for name, keys := range map[string]*encrypt.File{"others": other, "writers": f.WithoutIdentities(), "none": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			plain := h.store
			h.withKeys(t, f)
			h.work(t)
			h.recorded(t, "acme", "c1")
			h.stop()
			h.store = plain
			if keys != nil {
				h.withKeys(t, keys)
			}
			id := h.job(t, stored.KindVerify, "v1", stored.OfRecording{Recording: ofCall("c1")})
			leases, err := h.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{stored.KindVerify}, TTL: time.Minute})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			kind := stored.Verify(stored.NewLibrary(h.db, h.store))
			_, err = kind.Do(t.Context(), &task.Job{Job: leases[0].Job, Token: leases[0].Token})
			var later *callmodel.RetryAfterError
			require.ErrorAs(t, err, &later, "it is put back, and not counted")
			require.Equal(t, callmodel.CodeKeyMissing, callmodel.CodeOf(err))
			require.NoError(t, h.db.Release(t.Context(), leases[0]))
			h.withKeys(t, f)
			h.work(t)
			v := done[stored.Verified](t, h, id)
			assert.Equal(t, record.StatusCompleted, v.Status, "%+v", v)
		})
	}
}
