package stored_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/task/stored"
)

func TestPayloads(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, c := range map[string]struct{ kind, payload, at string }{
		"no recording":      {stored.KindVerify, `{}`, "payload.recording.call_id"},
		"both names":        {stored.KindVerify, `{"recording":{"job_id":"j1","call_id":"c1"}}`, "payload.recording.job_id"},
		"an URL":            {stored.KindVerify, `{"recording":{"url":"s3://x"}}`, "payload.recording.url"},
		"a path":            {stored.KindVerify, `{"recording":{"call_id":"../x"}}`, "payload.recording.call_id"},
		"no outputs":        {stored.KindTranscode, `{"recording":{"call_id":"c1"}}`, "payload.outputs"},
		"no such codec":     {stored.KindTranscode, `{"recording":{"call_id":"c1"},"outputs":[{"codec":"aac","layout":"mono"}]}`, "payload.outputs[0].codec"},
		"a rate it has not": {stored.KindTranscode, `{"recording":{"call_id":"c1"},"outputs":[{"codec":"mp3","layout":"mono","sample_rate_hz":9000}]}`, "payload.outputs[0]"},
		"no call":           {stored.KindExport, `{}`, "payload.call_id"},
	} {
		err := h.opts.Kinds.Check(&ledger.Request{Kind: c.kind, TenantID: "acme", Key: "k", Payload: []byte(c.payload)})
		require.ErrorContains(t, err, c.at, name)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), name)
	}
}

// TestSourcesAreTheTenants: another tenant's recording is told from none by nothing.
func TestSourcesAreTheTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	theirs := h.recorded(t, "umbrella", "c9")
	none := theirs.ID[:len(theirs.ID)-4] + "0000"
	for i, c := range []struct {
		kind         string
		theirs, none any
	}{
		{stored.KindVerify, stored.OfRecording{Recording: ofCall("c9")}, stored.OfRecording{Recording: ofCall("c8")}},
		{stored.KindVerify, stored.OfRecording{Recording: stored.Source{JobID: theirs.ID}}, stored.OfRecording{Recording: stored.Source{JobID: none}}},
		{
			stored.KindTranscode,
			stored.TranscodePayload{Recording: stored.Source{JobID: theirs.ID}, Outputs: outputs[:1]},
			stored.TranscodePayload{Recording: stored.Source{JobID: none}, Outputs: outputs[:1]},
		},
		{stored.KindExport, stored.ExportPayload{CallID: "c9"}, stored.ExportPayload{CallID: "c8"}},
	} {
		key := fmt.Sprint("k", i)
		a, b := h.ends(t, h.job(t, c.kind, key+"a", c.theirs)), h.ends(t, h.job(t, c.kind, key+"b", c.none))
		require.Equal(t, ledger.Quarantined, a.State)
		require.Equal(t, ledger.Quarantined, b.State)
		require.Equal(t, b.LastError, a.LastError)
		require.NotContains(t, a.LastError, "c9")
	}
}

// TestVerify: an object that isn't what was stored is named, and told.
func TestVerify(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	j := h.recorded(t, "acme", "c1")
	r := result(t, &j)
	require.Len(t, r.Outputs, 3)
	v := done[stored.Verified](t, h, h.job(t, stored.KindVerify, "v1", stored.OfRecording{Recording: ofCall("c1")}))
	require.Equal(t, record.StatusCompleted, v.Status)
	require.Equal(t, 4, v.Objects, "the manifest, too")
	require.Equal(t, j.ID, v.JobID)
	require.Equal(t, r.Outputs[0].Bytes+r.Outputs[1].Bytes+r.Outputs[2].Bytes+r.Manifest.Bytes, v.Bytes)
	require.Empty(t, v.Defects)

	h.spoil(t, r.Outputs[1].Key, false)
	h.spoil(t, r.Manifest.Key, true)
	id := h.job(t, stored.KindVerify, "v2", stored.OfRecording{Recording: stored.Source{JobID: j.ID}})
	v = done[stored.Verified](t, h, id)
	require.Equal(t, record.StatusCompletedDegraded, v.Status)
	require.Len(t, v.Defects, 2)
	require.Equal(t, stored.DefectObjectDiffers, v.Defects[0].Code)
	require.Contains(t, v.Defects[0].Detail, r.Outputs[1].SHA256)
	require.Equal(t, stored.DefectObjectMissing, v.Defects[1].Code)
	require.Contains(t, v.Defects[1].Detail, r.Manifest.Key)
	events, err := h.db.OutboxEvents(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Equal(t, "recording.damaged", events[1].Type)
	require.Equal(t, "c1", events[1].Subject)
	require.Equal(t, callmodel.TenantID("acme"), events[1].TenantID)
	damaged, err := h.db.Jobs(t.Context(), ledger.Filter{Kind: stored.KindVerify, Status: "completed_degraded", Code: "object_missing"})
	require.NoError(t, err)
	require.Len(t, damaged, 1)

	require.NoError(t, h.db.Retry(t.Context(), id, "ann"), "it may be back")
	require.Eventually(t, func() bool {
		events, err = h.db.OutboxEvents(t.Context(), 0, 10)
		require.NoError(t, err)
		return len(events) == 3
	}, time.Minute, time.Millisecond)
}

// TestAbsentAndUnfinished: what there is no recording of yet is waited for, and what there
// never will be one of is absent.
func TestAbsentAndUnfinished(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.opts.FollowGrowing = -1
	h.end(t, "acme", "c1", record.NewLeg("agent", "lost.wav"))
	early := h.job(t, stored.KindVerify, "early", stored.OfRecording{Recording: ofCall("c1")})
	h.work(t)
	v := done[stored.Verified](t, h, early)
	require.Equal(t, record.StatusAbsent, v.Status)
	require.Equal(t, record.ReasonNoMedia, v.Reason)
	j, err := h.db.Job(t.Context(), early)
	require.NoError(t, err)
	require.Zero(t, j.Attempts)
	require.True(t, j.Retriable)
	x := done[stored.Transcoded](t, h, h.job(t, stored.KindTranscode, "t1", stored.TranscodePayload{Recording: ofCall("c1"), Outputs: outputs[:1]}))
	require.Equal(t, record.StatusAbsent, x.Status)
}

// TestTranscode: what is made of an output without loss is what would have been made of
// the legs.
func TestTranscode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	j := h.recorded(t, "acme", "c1")
	r := result(t, &j)
	wanted := stored.TranscodePayload{Recording: ofCall("c1"), Outputs: []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "low", Codec: record.CodecMulaw, Layout: record.LayoutMono, SampleRateHz: 8000},
		{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000},
		{Codec: record.CodecAnalysis},
	}}
	id := h.job(t, stored.KindTranscode, "t1", wanted)
	x := done[stored.Transcoded](t, h, id)
	require.Equal(t, record.StatusCompleted, x.Status, x.Defects)
	require.Equal(t, record.CodecFLAC, x.From.Codec, "it has the legs apart, and every sample")
	require.Len(t, x.Outputs, 4)
	dir := path.Dir(r.Outputs[0].Key)
	for i, want := range []string{"c1~t1.v1.wav", "c1~t1-low.v1.wav", "c1~t1.v1.mp3", "c1~t1.v1.analysis.json"} {
		assert.Equal(t, path.Join(dir, want), x.Outputs[i].Key)
	}
	flac, err := recordingtest.FFmpegSamples(t, h.read(t, r.Outputs[1].Key))
	require.NoError(t, err)
	wav, err := recordingtest.FFmpegSamples(t, h.read(t, x.Outputs[0].Key))
	require.NoError(t, err)
	require.NotEmpty(t, wav)
	require.Equal(t, flac, wav, "every sample")
	require.Equal(t, h.read(t, r.Outputs[0].Key), h.read(t, x.Outputs[2].Key), "as if it had been made of the legs")

	probe := recordingtest.Tool(t, "ffprobe", "ffmpeg")
	file := filepath.Join(t.TempDir(), "low.wav")
	require.NoError(t, os.WriteFile(file, h.read(t, x.Outputs[1].Key), 0o600))
	out, err := exec.CommandContext(t.Context(), probe, "-v", "error", "-show_entries", "stream=codec_name,channels,sample_rate", "-of", "csv=p=0", file).Output()
	require.NoError(t, err)
	require.Equal(t, "pcm_mulaw,8000,1", strings.TrimSpace(string(out)))

	call, err := h.db.Call(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, call.Recordings, 1)
	require.Len(t, call.Recordings[0].Outputs, 3, "the call has what its recording's job made")

	before := len(h.keys(t))
	other := done[stored.Transcoded](t, h, h.job(t, stored.KindTranscode, "t1-again", wanted))
	require.Equal(t, x.Outputs[0].SHA256, other.Outputs[0].SHA256, "the same bytes, whoever makes them")
	require.Len(t, h.keys(t), before+4)

	h.spoil(t, r.Outputs[1].Key, false)
	bad := h.ends(t, h.job(t, stored.KindTranscode, "t2", wanted))
	require.Equal(t, ledger.Quarantined, bad.State)
	require.Contains(t, bad.LastError, "was stored with")
	require.Len(t, h.keys(t), before+4)
}

// TestTranscodeOfOneChannel: legs that were mixed can't be parted.
func TestTranscodeOfOneChannel(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work(t)
	s := record.Spec{
		TenantID: "acme", CallID: "c2", RecordingID: "mono", StartedAt: begun,
		Legs:    []record.LegSpec{record.NewLeg("agent", "agent.wav"), record.NewLeg("customer", "customer.wav")},
		Outputs: []record.OutputSpec{{Codec: record.CodecMulaw, Layout: record.LayoutMono}},
	}
	r, err := record.NewJob(s, "", 0)
	require.NoError(t, err)
	made, _, err := h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	h.ends(t, made)
	j := h.ends(t, h.job(t, stored.KindTranscode, "t1", stored.TranscodePayload{
		Recording: stored.Source{CallID: "c2"}, Outputs: []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}},
	}))
	require.Equal(t, ledger.Quarantined, j.State)
	require.Contains(t, j.LastError, "ask for mono")
	x := done[stored.Transcoded](t, h, h.job(t, stored.KindTranscode, "t2", stored.TranscodePayload{
		Recording: stored.Source{JobID: made}, Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}},
	}))
	require.Equal(t, record.StatusCompleted, x.Status)
	require.Equal(t, 1, x.Outputs[0].Channels)
}

// TestExport: the zip holds the call and all its parts, and is the same however often it
// is made.
func TestExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.end(t, "acme", "c1")
	early := h.job(t, stored.KindExport, "x1", stored.ExportPayload{CallID: "c1"})
	h.work(t)
	e := done[stored.Exported](t, h, early)
	require.True(t, strings.HasPrefix(e.Key, "acme/year=2026/month=03/day=01/hour=12/c1/x1.v1.zip"), e.Key)
	b := h.read(t, e.Key)
	require.EqualValues(t, len(b), e.Bytes)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	call, err := h.db.Call(t.Context(), "acme", "c1")
	require.NoError(t, err)
	want := map[string][]byte{}
	for _, o := range call.Recordings[0].Outputs {
		want["recordings/c1/"+path.Base(o.Key)] = h.read(t, o.Key)
	}
	want["recordings/c1/"+path.Base(call.Recordings[0].Manifest.Key)] = h.read(t, call.Recordings[0].Manifest.Key)
	require.Len(t, z.File, len(want)+2)
	for i, f := range z.File {
		require.Equal(t, e.Files[i], f.Name)
		require.Equal(t, begun, f.Modified.UTC())
		in, err := f.Open()
		require.NoError(t, err)
		got, err := io.ReadAll(in)
		require.NoError(t, err)
		switch f.Name {
		case "call.json":
			var c calls.Call
			require.NoError(t, json.Unmarshal(got, &c))
			require.Equal(t, call.Recordings[0].URL, c.Recordings[0].URL)
		case "events.json":
			var events []calls.Event
			require.NoError(t, json.Unmarshal(got, &events))
			require.Len(t, events, 2)
		default:
			require.Equal(t, want[f.Name], got, f.Name)
		}
	}
	again := done[stored.Exported](t, h, h.job(t, stored.KindExport, "x2", stored.ExportPayload{CallID: "c1"}))
	require.Equal(t, e.SHA256, again.SHA256)

	h.spoil(t, call.Recordings[0].Outputs[0].Key, false)
	before := h.keys(t)
	bad := h.ends(t, h.job(t, stored.KindExport, "x3", stored.ExportPayload{CallID: "c1"}))
	require.Equal(t, ledger.Quarantined, bad.State)
	require.Equal(t, before, h.keys(t), "nothing half is left")
}
