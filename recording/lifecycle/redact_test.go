package lifecycle_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/erasure"
)

// loudest is the highest level of each channel within a range of the output, as dBFS.
func (a *archive) loudest(t *testing.T, o *record.OutputResult, from, to time.Duration) []float64 {
	t.Helper()
	r, err := a.home.Open(t.Context(), o.Key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	src, _, err := recording.BuiltinCodecs().Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
	require.NoError(t, err)
	channels, rate := src.Format().NumChannels, src.Format().SampleRate
	most := make([]float64, channels)
	block := make([]float32, 1024*channels)
	at := int64(0)
	for {
		n, err := audio.ReadFull(src, block)
		for i := range n {
			if f := at + int64(i); f >= audio.FramesIn(from, rate) && f < audio.FramesIn(to, rate) {
				for c := range channels {
					most[c] = max(most[c], math.Abs(float64(block[i*channels+c])))
				}
			}
		}
		at += int64(n)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	for c := range most {
		most[c] = 20 * math.Log10(max(most[c], 1e-9))
	}
	return most
}

// loudestPeak is the highest peak of each channel within a range.
func (a *archive) loudestPeak(t *testing.T, o *record.OutputResult, from, to time.Duration) []float64 {
	t.Helper()
	r, err := a.home.Open(t.Context(), o.Key)
	require.NoError(t, err)
	var peaks struct {
		Channels        int       `json:"channels"`
		SampleRate      int       `json:"sample_rate"`
		SamplesPerPixel int       `json:"samples_per_pixel"`
		Data            []float64 `json:"data"`
	}
	require.NoError(t, json.NewDecoder(r).Decode(&peaks))
	require.NoError(t, r.Close())
	most := make([]float64, peaks.Channels)
	for i, v := range peaks.Data {
		pixel, channel := i/(2*peaks.Channels), i/2%peaks.Channels
		at := time.Duration(pixel) * time.Duration(peaks.SamplesPerPixel) * time.Second / time.Duration(peaks.SampleRate)
		if at >= from && at < to {
			most[channel] = max(most[channel], math.Abs(v))
		}
	}
	return most
}

const (
	redactFrom, redactTo = 10 * time.Second, 30 * time.Second
	// silent is below what a coder leaves of silence.
	silent = -60.0
	spoken = -35.0
)

// redacted has the range of the parties redacted, and returns the job.
func (a *archive) redacted(t *testing.T, id string, legs ...string) *ledger.Job {
	t.Helper()
	r, err := erasure.RedactionJob(a.job(t, record.Kind, id), []record.Redaction{{From: redactFrom, To: redactTo, Legs: legs}}, "a card number", "ann")
	require.NoError(t, err)
	a.enqueue(t, r)
	a.work(t)
	return a.job(t, retention.KindRedact, r.Key)
}

// heard sees that the range is silent for those parties in every output and its peaks, and
// that what is around it isn't, and neither is the other party's.
func (a *archive) heard(t *testing.T, r *record.Result, parties ...bool) {
	t.Helper()
	for i := range r.Outputs {
		o := &r.Outputs[i]
		in, before := a.loudestIn(t, o, redactFrom+50*time.Millisecond, redactTo-50*time.Millisecond), a.loudestIn(t, o, 0, redactFrom-time.Second)
		require.Len(t, in, len(parties), "%s", o.Key)
		for c := range parties {
			assert.Equal(t, parties[c], in[c] < silent, "%s, channel %d: %.1f dBFS", o.Key, c, in[c])
			assert.Greater(t, before[c], spoken, "%s, channel %d", o.Key, c)
		}
	}
}

// loudestIn is loudest, of peaks too, in dBFS.
func (a *archive) loudestIn(t *testing.T, o *record.OutputResult, from, to time.Duration) []float64 {
	t.Helper()
	if o.Codec != record.CodecPeaksJSON {
		return a.loudest(t, o, from, to)
	}
	most := a.loudestPeak(t, o, from, to)
	for c := range most {
		most[c] = 20 * math.Log10(max(most[c]/32768, 1e-9))
	}
	return most
}

// A range is redacted, for one party or for all, of the legs while they are there, and of
// the recording's own outputs when they are gone: every output and its peaks are made anew,
// the range is silent in them, and nothing of what it was is left anywhere.
func TestRecordingIsRedacted(t *testing.T) {
	for name, open := range buckets {
		for from, gone := range map[string]bool{"legs": false, "outputs": true} {
			t.Run(name+"/"+from, func(t *testing.T) {
				at, _, overwrite := open(t)
				a := newArchive(t, t.TempDir(), at)
				a.ended(t, "c1", archived...)
				a.work(t)
				a.extras(t, "c1")
				was := a.made(t, "c1")
				a.heard(t, was, false, false)
				if overwrite != nil {
					overwrite(t, was.Outputs[0].Key, "somebody else's", "")
				}
				if gone {
					require.NoError(t, os.RemoveAll(filepath.Join(a.legs, "c1")))
				}
				job := a.redacted(t, "c1", "customer")
				require.Equal(t, ledger.Done, job.State, job.LastError)

				now := a.made(t, "c1")
				require.Len(t, now.Outputs, 3)
				a.heard(t, now, false, true)
				require.Equal(t, was.Duration, now.Duration)
				require.InDelta(t, redactTo-redactFrom, now.Redacted, float64(100*time.Millisecond))
				spec, err := record.SpecOf(a.job(t, record.Kind, "c1"))
				require.NoError(t, err)
				require.Len(t, spec.Redactions, 1)
				keys := map[string]bool{now.Manifest.Key: true}
				for i := range now.Outputs {
					keys[now.Outputs[i].Key] = true
					require.NotEqual(t, was.Outputs[i].Key, now.Outputs[i].Key)
				}
				for _, o := range there(t, a.home) {
					require.True(t, keys[o.Key], "%s is left", o.Key)
				}
				require.Empty(t, there(t, a.backup))
				require.False(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")), "the legs hold what was redacted")
				c, err := a.db.Call(t.Context(), "acme", "c1")
				require.NoError(t, err)
				require.Equal(t, now.URL(), c.Recordings[0].URL)
				require.Empty(t, a.mismatches(t).Found)
				list, err := a.db.Erasures(t.Context(), "acme", "c1")
				require.NoError(t, err)
				require.Len(t, list, 1)
				require.Equal(t, retention.KindRedact, list[0].Kind)
				require.Equal(t, retention.Done, list[0].State)

				// And once more, for all, of what is left of it.
				require.Equal(t, ledger.Done, a.redacted(t, "c1").State)
				a.heard(t, a.made(t, "c1"), true, true)
				require.Empty(t, a.mismatches(t).Found)
				a.erase(t, "c1")
				a.work(t)
				require.Empty(t, there(t, a.home))
			})
		}
	}
}

// In one channel, with the legs gone, all parties are redacted or none.
func TestRedactionOfAMix(t *testing.T) {
	t.Parallel()
	a := newArchive(t, t.TempDir(), fileURL(filepath.Join(t.TempDir(), "bucket")))
	a.ended(t, "c1", record.OutputSpec{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000})
	a.work(t)
	was := there(t, a.home)
	require.NoError(t, os.RemoveAll(filepath.Join(a.legs, "c1")))
	job := a.redacted(t, "c1", "customer")
	require.Equal(t, ledger.Quarantined, job.State)
	require.Contains(t, job.LastError, "has its legs in one channel")
	require.Equal(t, was, there(t, a.home), "nothing was deleted")
	require.Equal(t, ledger.Done, a.redacted(t, "c1").State)
	a.heard(t, a.made(t, "c1"), true)
	require.Empty(t, a.mismatches(t).Found)

	_, err := erasure.RedactionJob(a.job(t, record.Kind, "c1"), []record.Redaction{{From: 0, To: time.Second, Legs: []string{"nobody"}}}, "x", "ann")
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	_, err = erasure.RedactionJob(a.job(t, record.Kind, "c1"), nil, "x", "ann")
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
}
