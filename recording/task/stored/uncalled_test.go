package stored_test

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// handIn enqueues a recording with a call's id of which no call is stored.
func (h *house) handIn(t *testing.T, call, id, leg string) callmodel.JobID {
	t.Helper()
	r, err := record.NewJob(record.Spec{
		TenantID: "acme", CallID: callmodel.CallID(call), RecordingID: callmodel.RecordingID(id), StartedAt: begun,
		Legs: []record.LegSpec{record.NewLeg("agent", leg)}, Outputs: outputs[:1],
	}, "", 0)
	require.NoError(t, err)
	job, _, err := h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	return job
}

// zipped are the files of a zip in the bucket, by their names.
func (h *house) zipped(t *testing.T, key string) map[string][]byte {
	t.Helper()
	b := h.read(t, key)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		require.Equal(t, begun, f.Modified.UTC())
		in, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(in)
		require.NoError(t, err)
	}
	return files
}

// TestAdopted: an adopted recording is read back, transcoded and exported as one that a
// worker has made, although it isn't in the tenant's part of the bucket.
func TestAdopted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	made := h.ends(t, h.handIn(t, "c1", "c1", "agent.wav"))
	audio := h.read(t, result(t, &made).Outputs[0].Key)
	const object = "old/20260301-120000-c7.mp3"
	_, err := h.store.PutNamed(t.Context(), object, record.ObjectMeta{ContentType: "audio/mpeg"}, func(w io.Writer) error {
		_, err := w.Write(audio)
		return err
	})
	require.NoError(t, err)
	pattern, err := spool.ParsePattern("{time:20060102-150405}-{call}.mp3")
	require.NoError(t, err)
	a := adopt.New(h.store, h.db, &adopt.Options{Patterns: []spool.Pattern{pattern}, Tenant: "acme", Codecs: recording.BuiltinCodecs()})
	var id callmodel.RecordingID
	require.NoError(t, a.Run(t.Context(), "old/", true, func(f adopt.Found) error {
		require.Empty(t, f.LeftOut)
		require.Equal(t, callmodel.CallID("c7"), f.CallID)
		id = f.RecordingID
		return nil
	}))

	adopted, err := h.db.Jobs(t.Context(), ledger.Filter{TenantID: "acme", CallID: "c7"})
	require.NoError(t, err)
	require.Len(t, adopted, 1)
	require.NotNil(t, result(t, &adopted[0]).Defects, "[], not null")

	v := done[stored.Verified](t, h, h.job(t, stored.KindVerify, "v1", stored.OfRecording{Recording: ofCall("c7")}))
	require.Equal(t, record.StatusCompleted, v.Status)
	require.Equal(t, 2, v.Objects, "the manifest, too")
	x := done[stored.Transcoded](t, h, h.job(t, stored.KindTranscode, "t1", stored.TranscodePayload{
		Recording: ofCall("c7"), Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}},
	}))
	require.Equal(t, record.StatusCompleted, x.Status)
	require.Contains(t, x.Outputs[0].Key, "acme/year=2026/", "what is made of it is in the tenant's part")
	e := done[stored.Exported](t, h, h.job(t, stored.KindExport, "x1", stored.ExportPayload{CallID: "c7"}))
	files := h.zipped(t, e.Key)
	name := path.Join("recordings", string(id), path.Base(object))
	require.ElementsMatch(t, []string{name, record.AdoptedManifest(name)}, slices.Collect(maps.Keys(files)))
	require.True(t, bytes.Equal(audio, files[name]))
}

// TestExportWithoutACall: recordings of which no call is stored are packed alone.
func TestExportWithoutACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.opts.FollowGrowing = -1
	h.handIn(t, "c5", "first", "agent.wav")
	h.handIn(t, "c5", "second", "customer.wav")
	early := h.job(t, stored.KindExport, "x1", stored.ExportPayload{CallID: "c5"})
	h.work(t)
	e := done[stored.Exported](t, h, early)
	require.Equal(t, record.StatusCompleted, e.Status)
	require.Equal(t, []string{
		"recordings/first/first.v1.manifest.json", "recordings/first/first.v1.mp3",
		"recordings/second/second.v1.manifest.json", "recordings/second/second.v1.mp3",
	}, e.Files)
	require.Len(t, h.zipped(t, e.Key), 4)
	require.Contains(t, e.Key, "acme/year=2026/month=03/day=01/hour=12/c5/")

	h.ends(t, h.handIn(t, "c6", "c6", "lost.wav"))
	id := h.job(t, stored.KindExport, "x2", stored.ExportPayload{CallID: "c6"})
	e = done[stored.Exported](t, h, id)
	require.Equal(t, record.StatusAbsent, e.Status)
	require.Equal(t, record.ReasonNoMedia, e.Reason)
	j, err := h.db.Job(t.Context(), id)
	require.NoError(t, err)
	require.True(t, j.Retriable)

	none := h.ends(t, h.job(t, stored.KindExport, "x3", stored.ExportPayload{CallID: "c8"}))
	require.Equal(t, ledger.Quarantined, none.State)
	require.Less(t, none.Attempts, 2)
}
