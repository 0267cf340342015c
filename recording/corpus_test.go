package recording_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// corpusMemory bounds what one odd file may cost. The files are of 8 KB to 1 MB.
const corpusMemory = 32 << 20

// mp3Corpus is the corpus of a sound stream of ours.
func mp3Corpus(t *testing.T) []recordingtest.MP3Case {
	t.Helper()
	var b bytes.Buffer
	e, err := mp3.New(&b, recordingtest.Mono(16000), codec.Options{Frames: 20000, BitrateBps: 32000})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Noise(20000, 0.5, 1)))
	require.NoError(t, e.Finish())
	return recordingtest.MP3Corpus(b.Bytes(), 144)
}

// Every odd file alone, as a file and as a stream: one of the four outcomes, in
// bounded memory and time.
func TestCorpusAlone(t *testing.T) {
	files := map[string][]byte{}
	refused := map[string]bool{}
	for _, c := range recordingtest.WAVCorpus(1) {
		files[c.Name], refused[c.Name] = c.File, c.Want == nil
	}
	for _, c := range mp3Corpus(t) {
		files["MP3: "+c.Name], refused["MP3: "+c.Name] = c.File, c.Refused != ""
	}
	for name, file := range files {
		for way, legs := range map[string]recording.LegOpener{
			"file": memLegs{"agent.wav": file}, "stream": streamLegs{memLegs{"agent.wav": file}},
		} {
			spec := sampleSpec()
			spec.Legs = spec.Legs[:1]
			spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 8000}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			objects := &memObjects{}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := recording.NewProcessor(legs, objects, nil).Process(ctx, spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
			runtime.ReadMemStats(&after)
			cancel()
			require.NoError(t, err, "%s, %s", name, way)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(corpusMemory), "%s, %s", name, way)
			switch r.Status {
			case record.StatusCompleted, record.StatusCompletedDegraded:
				require.False(t, refused[name], "%s, %s", name, way)
				require.Len(t, r.Outputs, 1)
			case record.StatusAbsent, record.StatusQuarantined:
				require.NotEmpty(t, r.Reason, "%s, %s", name, way)
				require.Empty(t, objects.data)
				require.True(t, refused[name] || way == "stream", "%s, %s: %s", name, way, r.Reason)
			}
		}
	}
}
