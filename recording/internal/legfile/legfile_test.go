package legfile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/internal/legfile"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// files are files in memory, which count how often they are opened.
type files struct {
	fstest.MapFS

	opened map[string]int
}

func (f *files) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	f.opened[uri]++
	return f.Open(uri)
}

// newFiles are files of noise, modified at modified, of that many frames each.
func newFiles(t *testing.T, modified time.Time, frames map[string]int) *files {
	t.Helper()
	f := &files{MapFS: fstest.MapFS{}, opened: map[string]int{}}
	for name, n := range frames {
		f.MapFS[name] = &fstest.MapFile{Data: wavFile(t, n), ModTime: modified}
	}
	return f
}

func wavFile(t *testing.T, frames int) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := wav.NewPCM(&b, recordingtest.Mono(8000), codec.Options{Frames: int64(frames)})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Noise(frames, 0.5, uint64(frames))))
	require.NoError(t, e.Finish())
	return b.Bytes()
}

func open(t *testing.T, f *files, uris ...string) *legfile.Leg {
	t.Helper()
	spec := []record.LegSpec{{Name: "agent"}}
	for _, uri := range uris {
		spec[0].Segments = append(spec[0].Segments, record.SegmentSpec{URI: uri})
	}
	legs, err := legfile.Open(t.Context(), spec, f, recording.BuiltinCodecs())
	require.NoError(t, err)
	t.Cleanup(func() { legfile.Close(legs) })
	return legs[0]
}

func hexSum(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return hex.EncodeToString(sum[:])
}

func codes(defects []record.Defect) []record.DefectCode {
	var list []record.DefectCode
	for _, d := range defects {
		list = append(list, d.Code)
	}
	return list
}

// The hashes are those of the files, in the spec's order, whichever order they are
// read in. Files are opened once to be inspected and once to be read; those that
// are read in another order once more, for the hash of all.
func TestHashes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uris    []string
		read    []int // segments, in the order of reading
		inOrder bool
		opened  map[string]int
	}{
		"one":      {[]string{"a"}, []int{0}, true, map[string]int{"a": 1}},
		"in order": {[]string{"a", "b"}, []int{0, 1}, true, map[string]int{"a": 2, "b": 2}},
		"not all":  {[]string{"a", "b"}, []int{1}, true, map[string]int{"a": 2, "b": 2}},
		"unread":   {[]string{"a", "b"}, nil, true, map[string]int{"a": 2, "b": 2}},
		"together": {[]string{"a", "b"}, []int{1, 0}, false, map[string]int{"a": 3, "b": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFiles(t, time.Time{}, map[string]int{"a": 3000, "b": 5000})
			l := open(t, f, c.uris...)
			l.ReadInOrder(c.inOrder, l.Segments[len(l.Segments)-1])
			for _, i := range c.read {
				s := l.Segments[i]
				src := s.Source(16000)
				require.Equal(t, 16000, src.Format().SampleRate, "as it is told")
				require.Len(t, recordingtest.ReadAll(t, src), int(s.Frames))
			}
			require.NoError(t, l.Finish())
			require.NoError(t, l.Finish(), "again")
			var all [][]byte
			for i, uri := range c.uris {
				require.Equal(t, hexSum(f.MapFS[uri].Data), l.Segments[i].SHA256)
				require.Equal(t, int64(len(f.MapFS[uri].Data)), l.Segments[i].Bytes)
				all = append(all, f.MapFS[uri].Data)
			}
			require.Equal(t, hexSum(all...), l.SHA256)
			require.Equal(t, c.opened, f.opened)
			require.False(t, l.Growing(legfile.Quiet{}))
			require.Empty(t, l.OpenDefects)
			require.Empty(t, l.ReadDefects)
		})
	}
}

func TestSourceContract(t *testing.T) {
	t.Parallel()
	f := newFiles(t, time.Time{}, map[string]int{"a": 3000})
	recordingtest.SourceContract(t, func() audio.Source { return open(t, f, "a").Segments[0].Source(8000) })
}

// What is wrong with a file is a defect of its leg.
func TestFaultyFiles(t *testing.T) {
	t.Parallel()
	f := newFiles(t, time.Time{}, map[string]int{"good": 100, "none": 0})
	f.MapFS["empty"] = &fstest.MapFile{}
	f.MapFS["text"] = &fstest.MapFile{Data: bytes.Repeat([]byte("no audio "), 100)}
	l := open(t, f, "good", "none", "empty", "text", "missing")
	require.Equal(t, []record.DefectCode{
		record.DefectLegEmpty, record.DefectLegEmpty, record.DefectUnreadableLeg, record.DefectLegMissing,
	}, codes(l.OpenDefects))
	require.Equal(t, `segment "missing": no file missing`, l.OpenDefects[3].Detail)
	require.Equal(t, "agent", l.OpenDefects[3].Leg)
	for i, want := range []struct {
		frames         int64
		empty, missing bool
	}{{frames: 100}, {empty: true}, {empty: true}, {}, {missing: true}} {
		s := l.Segments[i]
		require.Equal(t, want.frames, s.Frames, s.Spec.URI)
		require.Equal(t, want.empty, s.Empty, s.Spec.URI)
		if want.missing {
			require.ErrorIs(t, s.Missing, fs.ErrNotExist, s.Spec.URI)
		} else {
			require.NoError(t, s.Missing, s.Spec.URI)
		}
	}
}

// A file that becomes longer after the first opening is growing, and no more is
// read of it than it held then.
func TestGrowingFile(t *testing.T) {
	t.Parallel()
	f := newFiles(t, time.Time{}, map[string]int{"a": 1000, "b": 2000})
	l := open(t, f, "a", "b")
	l.ReadInOrder(true, l.Segments[1])
	was := f.MapFS["b"].Data
	f.MapFS["b"] = &fstest.MapFile{Data: append(bytes.Clone(was), was...)}
	for _, s := range l.Segments {
		require.Len(t, recordingtest.ReadAll(t, s.Source(8000)), int(s.Frames))
	}
	require.NoError(t, l.Finish())
	require.Equal(t, hexSum(was), l.Segments[1].SHA256)
	require.True(t, l.Growing(legfile.Quiet{}))
	require.Equal(t, []record.DefectCode{record.DefectLegGrowing}, codes(l.ReadDefects))
}

// A file that was modified too lately isn't finished. For one that looks cut,
// that is longer ago.
func TestRecentFiles(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f := newFiles(t, at, map[string]int{"whole": 1000, "cut": 1000})
	f.MapFS["cut"].Data = f.MapFS["cut"].Data[:1000]
	before, after := at.Add(-time.Second), at.Add(time.Second)
	for name, c := range map[string]struct {
		uri  string
		q    legfile.Quiet
		want bool
	}{
		"nothing asked":       {"whole", legfile.Quiet{}, false},
		"since before":        {"whole", legfile.Quiet{Since: before}, true},
		"since after":         {"whole", legfile.Quiet{Since: after}, false},
		"whole, not a cut":    {"whole", legfile.Quiet{Since: after, CutSince: before}, false},
		"cut since before":    {"cut", legfile.Quiet{CutSince: before}, true},
		"cut since after":     {"cut", legfile.Quiet{CutSince: after}, false},
		"cut, and either way": {"cut", legfile.Quiet{Since: before, CutSince: after}, true},
	} {
		l := open(t, f, c.uri)
		l.ReadInOrder(true, l.Segments[0])
		recordingtest.ReadAll(t, l.Segments[0].Source(8000))
		require.NoError(t, l.Finish(), name)
		require.Equal(t, c.want, l.Recent(c.q), name)
		require.Equal(t, c.want, l.Growing(c.q), name)
	}
}
