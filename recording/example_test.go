package recording_test

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// The two legs of a call become one stereo WAV: the agent on the left, the
// customer, who came two seconds later, on the right.
func Example() {
	legs, objects := sampleLegs(), &memObjects{} // a directory and a bucket, usually
	p := recording.NewProcessor(legs, objects, nil)
	r, err := p.Process(context.Background(), record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	o := r.Outputs[0]
	fmt.Println(r.Status, o.Key)
	fmt.Printf("%.2f s, %d channels, %d Hz\n", float64(o.Frames)/float64(o.Rate), o.Channels, o.Rate)
	// Output:
	// completed acme/year=2026/month=11/day=21/hour=10/c1/r1.v1.wav
	// 49.34 s, 2 channels, 8000 Hz
}
