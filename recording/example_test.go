package recording_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// phones is where the legs are: a LegOpener. Package local has those of files.
type phones map[string][]byte

func (p phones) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	file, ok := p[uri]
	if !ok {
		return nil, fmt.Errorf("no leg %s: %w", uri, fs.ErrNotExist)
	}
	return leg{bytes.NewReader(file)}, nil
}

// leg can tell its length and read anywhere, so its audio is read only once.
type leg struct{ *bytes.Reader }

func (leg) Close() error { return nil }

// shelf is where recordings go: an Objects. Package local has those of files, and
// storage.Store is one of a bucket.
type shelf struct {
	mu      sync.Mutex // several outputs are put at the same time
	objects map[string][]byte
}

func (s *shelf) Put(
	_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error,
) (record.ObjectInfo, error) {
	var object bytes.Buffer
	if err := write(&object); err != nil {
		return record.ObjectInfo{}, err // nothing is kept of it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key.String()] = object.Bytes()
	sum := sha256.Sum256(object.Bytes())
	return record.ObjectInfo{
		Key: key, URL: "shelf:" + key.String(), Bytes: int64(object.Len()), SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

// The two legs of a call become one stereo WAV, with the agent on the left and the
// customer, who came two seconds later, on the right; and a mix of both as an MP3.
func Example() {
	legs := phones{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()}
	spec := record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{
			{Codec: record.CodecWAV, Layout: record.LayoutStereo},
			{Codec: record.CodecMP3, Layout: record.LayoutMono},
		},
	}
	r, err := recording.NewProcessor(legs, &shelf{objects: map[string][]byte{}}, nil).Process(context.Background(), spec, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Status, r.Duration)
	for _, o := range r.Outputs {
		fmt.Printf("%s: %d channels, %d Hz, %d frames\n", o.Key, o.Channels, o.Rate, o.Frames)
	}
	// Output:
	// completed 49.339s
	// acme/year=2026/month=11/day=21/hour=10/c1/r1.v1.wav: 2 channels, 8000 Hz, 394709 frames
	// acme/year=2026/month=11/day=21/hour=10/c1/r1.v1.mp3: 1 channels, 8000 Hz, 394709 frames
}
