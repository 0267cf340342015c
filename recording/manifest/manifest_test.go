package manifest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/manifest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// files are a directory in memory.
type files map[string][]byte

func (f files) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	return f.open(ctx, uri)
}

func (f files) open(_ context.Context, name string) (io.ReadCloser, error) {
	b, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// target takes the outputs of a recording, several at a time.
type target struct {
	mu   sync.Mutex
	made files
}

func (d *target) Put(_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return record.ObjectInfo{}, err
	}
	sum := sha256.Sum256(b.Bytes())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[filepath.Base(key.String())] = b.Bytes()
	return record.ObjectInfo{Key: key, URL: "mem://bucket/" + key.String(), Bytes: int64(b.Len()), SHA256: hex.EncodeToString(sum[:])}, nil
}

func spec() record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "a/1.wav"}, {URI: "a/2.wav", Offset: 60e9}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav", Offset: 2e9}}},
			{Name: "guest", Segments: []record.SegmentSpec{{URI: "guest.wav"}}},
		},
		Outputs: []record.OutputSpec{
			{Codec: record.CodecFLAC, Layout: record.LayoutMultichannel},
			{Name: "play", Codec: record.CodecMP3, Layout: record.LayoutMono, SampleRateHz: 8000},
			{Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
			{Codec: record.CodecAnalysis},
		},
		Redactions: []record.Redaction{{From: 3e9, To: 4e9}},
	}
}

// record makes a recording with a leg of two files, of which one is damaged,
// and a leg that is missing.
func makeRecording(t *testing.T) (legs, made files) {
	t.Helper()
	legs = files{"a/1.wav": samplecall.Agent(), "a/2.wav": samplecall.Agent()[:30001], "customer.wav": samplecall.Customer()}
	made = files{}
	accept := &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true}
	r, err := recording.NewProcessor(legs, &target{made: made}, nil).Process(t.Context(), spec(), accept)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompletedDegraded, r.Status)
	sum := sha256.Sum256(made["r1.v1.manifest.json"])
	require.Equal(t, hex.EncodeToString(sum[:]), r.Manifest.SHA256)
	require.Equal(t, filepath.Base(r.Manifest.Key), filepath.Base(r.Manifest.URL))
	return legs, made
}

func parse(t *testing.T, b []byte) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse(bytes.NewReader(b))
	require.NoError(t, err)
	return m
}

// The manifest says what happened, and its bytes are the same each time.
func TestManifest(t *testing.T) {
	t.Parallel()
	legs, made := makeRecording(t)
	_, again := makeRecording(t)
	require.Equal(t, string(made["r1.v1.manifest.json"]), string(again["r1.v1.manifest.json"]))
	m := parse(t, made["r1.v1.manifest.json"])

	require.Equal(t, record.StatusCompletedDegraded, m.Status)
	require.Len(t, m.Sources, 3)
	agent := m.Sources[0]
	require.Equal(t, "agent", agent.Name)
	require.Len(t, agent.Files, 2)
	for _, f := range append(agent.Files, m.Sources[1].Files...) {
		sum := sha256.Sum256(legs[f.URI])
		require.Equal(t, hex.EncodeToString(sum[:]), f.SHA256, f.URI)
		require.Equal(t, int64(len(legs[f.URI])), f.Bytes)
		require.Equal(t, []int{8000, 1}, []int{f.Rate, f.Channels})
	}
	require.Equal(t, agent.Frames, agent.Files[0].Frames+agent.Files[1].Frames)
	require.Equal(t, time.Duration(60e9), agent.Files[1].Offset)
	require.Equal(t, manifest.File{URI: "guest.wav"}, m.Sources[2].Files[0], "nothing was read of a leg that is missing")

	var codes []record.DefectCode
	for _, d := range m.Defects {
		codes = append(codes, d.Code)
	}
	require.Contains(t, codes, record.DefectTruncated)
	require.Contains(t, codes, record.DefectLegMissing)

	require.Equal(t, [][]string{{"agent"}, {"customer"}, {"guest"}}, m.Outputs[0].ChannelMap)
	require.Equal(t, [][]string{{"agent", "customer", "guest"}}, m.Outputs[1].ChannelMap)
	for _, o := range m.Outputs {
		require.Regexp(t, `^switchtape-[a-z0-9]+/\d+$`, o.Encoder, o.File)
		require.Contains(t, made, o.File)
	}
	require.Equal(t, "r1~play.v1.mp3", m.Outputs[1].File)
	require.NotNil(t, m.Analysis)
}

// Files as they were made are found to be so, decoded and counted; any change
// to any of them is found, and named.
func TestVerify(t *testing.T) {
	t.Parallel()
	legs, made := makeRecording(t)
	m := parse(t, made["r1.v1.manifest.json"])
	opts := &manifest.VerifyOptions{Legs: legs.open, Codecs: recording.BuiltinCodecs()}
	r, err := manifest.Verify(t.Context(), m, made.open, opts)
	require.NoError(t, err)
	require.True(t, r.OK, "%+v", r)
	require.Len(t, r.Files, 4+4)
	require.True(t, r.Files[0].Decoded, "FLAC")
	require.True(t, r.Files[1].Decoded, "MP3")
	require.False(t, r.Files[2].Decoded)

	var names []string
	for _, c := range r.Files {
		names = append(names, c.File)
	}
	for i, name := range names {
		for what, change := range map[string]func([]byte) []byte{
			"missing": func([]byte) []byte { return nil },
			"bytes":   func(b []byte) []byte { return b[:len(b)-1] },
			"SHA-256": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		} {
			l, o := maps.Clone(legs), maps.Clone(made)
			set := o
			if i >= 4 {
				set = l
			}
			if name == "guest.wav" {
				set[name], what = []byte("found after all"), "missing"
			} else if b := change(bytes.Clone(set[name])); b != nil {
				set[name] = b
			} else {
				delete(set, name)
			}
			r, err := manifest.Verify(t.Context(), m, o.open, &manifest.VerifyOptions{Legs: l.open})
			require.NoError(t, err)
			require.False(t, r.OK, "%s: %s", name, what)
			for j, c := range r.Files {
				require.Equal(t, j != i, c.OK, "%s: %s: %+v", name, what, c)
			}
			require.Contains(t, r.Files[i].Problem, what)
		}
	}
	// A manifest that claims more frames than there are, with the right hash.
	m.Outputs[1].Frames++
	r, err = manifest.Verify(t.Context(), m, made.open, opts)
	require.NoError(t, err)
	require.False(t, r.OK)
	require.Contains(t, r.Files[1].Problem, "frames")
}

// A manifest that was tampered with contradicts itself, and says where.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	_, made := makeRecording(t)
	good := string(made["r1.v1.manifest.json"])
	for what, bad := range map[string]string{
		"not JSON":           good[:len(good)/2],
		"switchtape-manifes": strings.Replace(good, "switchtape-manifest/1", "switchtape-manifest/9", 1),
		"not a known field":  strings.Replace(good, `"status":`, `"verdict":"fine","status":`, 1),
		"spec_sha256":        strings.Replace(good, `"from_ms": 3000`, `"from_ms": 3001`, 1),
		"another recording":  strings.Replace(good, `"call_id": "c1"`, `"call_id": "c2"`, 1),
		"plain name":         strings.Replace(good, `"file": "r1.v1.flac"`, `"file": "../r1.v1.flac"`, 1),
	} {
		require.NotEqual(t, good, bad, what)
		_, err := manifest.Parse(strings.NewReader(bad))
		require.ErrorContains(t, err, what)
	}
}

// The format is a contract with other tools: a change of it shows here, and
// needs another version.
func TestFormat(t *testing.T) {
	t.Parallel()
	_, made := makeRecording(t)
	var m map[string]any
	require.NoError(t, json.Unmarshal(made["r1.v1.manifest.json"], &m))
	var lines []string
	describe(&lines, "", m)
	want, err := os.ReadFile("testdata/format.txt")
	require.NoError(t, err)
	got := strings.Join(lines, "\n") + "\n"
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile("testdata/format.txt", []byte(got), 0o600))
	}
	require.Equal(t, string(want), got)
}

// describe lists the paths of a JSON value, in order, lists as their first element.
func describe(lines *[]string, path string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			describe(lines, path+"."+k, x[k])
		}
	case []any:
		if len(x) > 0 {
			describe(lines, path+"[]", x[0])
		}
	default:
		*lines = append(*lines, strings.TrimPrefix(path, "."))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"manifest":"switchtape-manifest/1"}`))
	f.Add([]byte(`{"manifest":"switchtape-manifest/1","outputs":[{"file":"x"}],"spec":{"legs":[{"name":"a"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := manifest.Parse(bytes.NewReader(b))
		if err != nil {
			return
		}
		_, err = manifest.Verify(t.Context(), m, files{}.open, &manifest.VerifyOptions{Legs: files{}.open})
		require.NoError(t, err)
	})
}
