package recording_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// memLegs serves legs from memory.
type memLegs map[string][]byte

func (m memLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	b, ok := m[uri]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: uri, Err: fs.ErrNotExist}
	}
	return memFile{bytes.NewReader(b)}, nil
}

type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

// memObjects keeps objects in memory.
type memObjects struct {
	mu   sync.Mutex
	data map[string][]byte
	meta map[string]record.ObjectMeta
}

func (m *memObjects) Put(
	_ context.Context, key record.ObjectKey, meta record.ObjectMeta, write func(io.Writer) error,
) (record.ObjectInfo, error) {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return record.ObjectInfo{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		m.data = map[string][]byte{}
		m.meta = map[string]record.ObjectMeta{}
	}
	m.data[key.String()], m.meta[key.String()] = buf.Bytes(), meta
	sum := sha256.Sum256(buf.Bytes())
	return record.ObjectInfo{
		Key: key, URL: "mem://" + key.String(), Bytes: int64(buf.Len()), SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

func sampleSpec() record.Spec {
	started := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: started, EndedAt: started.Add(50 * time.Second),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
}

func sampleLegs() memLegs {
	return memLegs{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()}
}

// tContext is for tests that draw many cases within one.
func tContext() context.Context { return context.Background() }

// samplesOf is pcmSamples of any WAV file whose header may be longer.
func samplesOf(file []byte) []int {
	at := bytes.Index(file, []byte("data"))
	return pcmSamples(file[at+8-44:])
}
