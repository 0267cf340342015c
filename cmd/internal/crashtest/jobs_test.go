//go:build linux

package crashtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// kind is what the legs of a call are like.
type kind struct {
	name          string
	share         int    // of all calls
	agent, client string // templates; "" for a leg that never comes
	outcome       record.Status
	or            record.Status // "" unless chance decides
	large         bool          // its object is uploaded in parts
	late          bool          // the customer's leg comes when its wait may be over
}

// Names of templates that aren't audio of a second.
const (
	goodA, goodB, goodC = "good-a", "good-b", "good-c"
	longA, longB        = "long-a", "long-b"
	cutOff              = "cut"
	garbage             = "garbage"
	header              = "header"
	fifo                = "fifo"
	directory           = "directory"
)

func kinds() []kind {
	return []kind{
		{name: "good", share: 56, agent: goodA, client: goodB, outcome: record.StatusCompleted},
		{name: "good, other legs", share: 20, agent: goodB, client: goodC, outcome: record.StatusCompleted},
		{name: "large", share: 2, agent: longA, client: longB, outcome: record.StatusCompleted, large: true},
		{name: "a leg cut off", share: 5, agent: goodA, client: cutOff, outcome: record.StatusCompletedDegraded},
		{name: "a leg missing", share: 3, agent: goodA, outcome: record.StatusCompletedDegraded},
		{name: "both legs missing", share: 3, outcome: record.StatusAbsent},
		{name: "a leg of garbage", share: 2, agent: garbage, client: goodA, outcome: record.StatusCompletedDegraded},
		{name: "a leg of a header", share: 2, agent: goodC, client: header, outcome: record.StatusCompletedDegraded},
		{name: "a leg that is a FIFO", share: 2, agent: fifo, client: goodB, outcome: record.StatusQuarantined},
		{name: "a leg that is a directory", share: 2, agent: goodA, client: directory, outcome: record.StatusQuarantined},
		{name: "both legs garbage", share: 3, agent: garbage, client: garbage, outcome: record.StatusQuarantined},
		{name: "a leg that comes late", share: 8, agent: goodA, client: goodC, outcome: record.StatusCompleted, or: record.StatusCompletedDegraded, late: true},
	}
}

// call is a call, or a message that asks for a recording: the i-th job.
type call struct {
	id      string
	kind    *kind
	message bool          // it comes by NATS
	twice   bool          // what asks for it is sent twice
	delay   time.Duration // after which a leg comes that is late
	codec   record.Codec
}

// callOf is the i-th call of the seed.
func callOf(seed uint64, all []kind, i int) call {
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	total := 0
	for k := range all {
		total += all[k].share
	}
	c := call{id: fmt.Sprintf("call-%06d", i), message: rng.IntN(5) < 2, twice: rng.IntN(6) == 0, codec: record.CodecWAV, delay: time.Duration(rng.Int64N(int64(3 * legWait)))}
	for n, k := rng.IntN(total), 0; ; k++ {
		if n -= all[k].share; n < 0 {
			c.kind = &all[k]
			break
		}
	}
	if rng.IntN(3) == 0 && !c.kind.large {
		c.codec = record.CodecMP3
	}
	return c
}

func (c *call) legs() []record.LegSpec {
	var legs []record.LegSpec
	for _, name := range []string{"agent", "customer"} {
		legs = append(legs, record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: c.id + "-" + name + ".wav"}}})
	}
	return legs
}

func (c *call) outputs() []record.OutputSpec {
	o := record.OutputSpec{Codec: c.codec, Layout: record.LayoutStereo}
	if c.kind.large {
		o.SampleRateHz = 48000
	}
	return []record.OutputSpec{o}
}

// began is when all calls began. A day of its own keeps the objects apart from others.
func began() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

// message asks for the recording.
func (c *call) body() ([]byte, error) {
	return json.Marshal(record.Spec{
		CallID: callmodel.CallID(c.id), RecordingID: callmodel.RecordingID(c.id), StartedAt: began(), Legs: c.legs(), Outputs: c.outputs(),
	})
}

// legs is the directory of all legs, and what they are made of.
type legs struct {
	dir       string
	temp      string // where they are written
	templates map[string][]byte
}

// written is how long ago legs were written: they grow no more, and are old enough to be
// deleted once their recording is.
const written = 3 * time.Hour

func newLegs(t *testing.T, dir string) *legs {
	t.Helper()
	temp := dir + "-written"
	for _, d := range []string{dir, temp} {
		require.NoError(t, os.Mkdir(d, 0o750))
	}
	agent, customer := samplecall.Agent(), samplecall.Customer()
	const second = samplecall.SampleRateHz * 2 // bytes
	return &legs{dir, temp, map[string][]byte{
		goodA: wav(agent, 0, second), goodB: wav(customer, second, second*3/2), goodC: wav(agent, 5*second, second),
		longA: wav(agent, 0, 30*second), longB: wav(customer, 0, 30*second),
		cutOff: wav(customer, 0, second)[:second/2], garbage: []byte("this is no audio at all, whatever its name says\n"), header: wav(agent, 0, 0),
	}}
}

// wav is so many bytes of the audio of a file, as a file.
func wav(of []byte, from, bytes int) []byte {
	const header = 44
	f := slices.Concat(of[:header], of[header+from:header+from+bytes])
	binary.LittleEndian.PutUint32(f[4:], uint32(len(f)-8))
	binary.LittleEndian.PutUint32(f[40:], uint32(bytes))
	return f
}

// lay puts the call's legs where they are read: those that come late, or the others.
func (l *legs) lay(c *call, late bool) error {
	for name, template := range map[string]string{"agent": c.kind.agent, "customer": c.kind.client} {
		if template == "" || late != (c.kind.late && name == "customer") {
			continue
		}
		path := c.id + "-" + name + ".wav"
		var err error
		switch template {
		case fifo:
			err = syscall.Mkfifo(filepath.Join(l.dir, path), 0o600)
		case directory:
			err = os.Mkdir(filepath.Join(l.dir, path), 0o700)
		default:
			err = l.write(path, l.templates[template])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write has a leg appear whole, as one that was written long ago.
func (l *legs) write(name string, body []byte) error {
	temp := filepath.Join(l.temp, name)
	if err := os.WriteFile(temp, body, 0o600); err != nil {
		return err
	}
	at := time.Now().Add(-written)
	if err := os.Chtimes(temp, at, at); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(l.dir, name))
}
