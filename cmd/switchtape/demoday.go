package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/routing/callservice"
)

// dayCall is a call of the demonstration's day: what the telephone server tells of it, and
// what it leaves behind. Its end is told when it happens, as the promise counts from there;
// what was before is told with the times that it had.
type dayCall struct {
	fate      string // for people
	from, to  string
	direction calls.Direction
	host      string
	metadata  map[string]string

	recording *calls.RecordingPreference // nil: it isn't recorded
	tries     []calls.Cause              // why destinations didn't take it, in order
	answered  bool
	length    time.Duration // from the answer to the end; 0: it goes on
	cut       time.Duration // where in the sample call its sound begins
	controls  []dayControl
	legs      func(sound daySound) (files map[string][]byte, legs []record.LegSpec)
	consent   retention.Consent
	// then is done once it is recorded. Nil for nothing.
	then func(d *demo, c *calls.Call) error

	want calls.RecordingState // what becomes of its recording; "": nothing is to be waited for
}

// dayControl is what was told while the call went on, so long after its answer.
type dayControl struct {
	event calls.EventType
	after time.Duration
}

// Sites of the day: telephone servers, by which the fleet's figures are told apart.
const (
	dayLondon     = "pbx-london"
	dayManchester = "pbx-manchester"
)

// day is a dozen calls and some, of which no two end alike. Their numbers are reserved for
// fiction: Ofcom's 020 7946 0xxx, 0161 496 0xxx and 0909 879 0xxx, and 555-0100 to 555-0199.
func day() []dayCall {
	platform := &calls.RecordingPreference{Enabled: true} // as the platform records
	mono := &calls.RecordingPreference{Enabled: true, Outputs: []record.OutputSpec{
		{Codec: record.CodecMP3, Layout: record.LayoutMono}, {Codec: record.CodecPeaksDAT, Layout: record.LayoutMono},
	}}
	support := map[string]string{"queue": "support"}
	sales := map[string]string{"queue": "sales", "campaign": "autumn"}
	return []dayCall{
		// The worker waits for legs that haven't come: this is the first, so that nothing waits for it.
		{
			fate: "its legs never came", from: "0161 496 0108", to: "+1 202-555-0108", direction: calls.Outbound, host: dayManchester, metadata: sales,
			recording: platform, answered: true, length: 14 * time.Second, legs: daySound.lost, want: calls.RecordingAbsent,
		},
		{
			fate: "redacted afterwards", from: "+1 202-555-0161", to: "020 7946 0161", direction: calls.Inbound, host: dayLondon, metadata: support,
			recording: platform, answered: true, length: 16 * time.Second, cut: 22 * time.Second, legs: daySound.whole,
			then: redactLate, want: calls.RecordingCompleted,
		},
		{
			fate: "in stereo", from: "020 7946 0102", to: "+1 202-555-0102", direction: calls.Outbound, host: dayLondon, metadata: sales,
			recording: platform, answered: true, length: 18 * time.Second, cut: 2 * time.Second, legs: daySound.whole, want: calls.RecordingCompleted,
		},
		{
			fate: "in mono, with consent", from: "+1 202-555-0103", to: "0161 496 0103", direction: calls.Inbound, host: dayManchester, metadata: support,
			recording: mono, answered: true, length: 12 * time.Second, cut: 12 * time.Second, legs: daySound.whole, consent: retention.ConsentGiven,
			want: calls.RecordingCompleted,
		},
		{
			fate: "consent denied", from: "020 7946 0104", to: "020 7946 0940", direction: calls.Internal, host: dayLondon, metadata: support,
			recording: platform, answered: true, length: 8 * time.Second, cut: 8 * time.Second, legs: daySound.whole, consent: retention.ConsentDenied,
			want: calls.RecordingAbsent,
		},
		{
			fate: "a leg with a gap, one cut short", from: "020 7946 0105", to: "+1 202-555-0105", direction: calls.Outbound, host: dayManchester, metadata: sales,
			recording: platform, answered: true, length: 20 * time.Second, cut: 20 * time.Second, legs: daySound.damaged, want: calls.RecordingDegraded,
		},
		{
			fate: "paused while a card is read out", from: "+1 202-555-0106", to: "020 7946 0106", direction: calls.Inbound, host: dayLondon, metadata: support,
			recording: platform, answered: true, length: 17 * time.Second, cut: 28 * time.Second, legs: daySound.whole,
			controls: []dayControl{{calls.EventRecordingPaused, 6 * time.Second}, {calls.EventRecordingResumed, 11 * time.Second}},
			want:     calls.RecordingCompleted,
		},
		{
			fate: "an emergency", from: "020 7946 0107", to: "999", direction: calls.Outbound, host: dayLondon,
			recording: platform, answered: true, length: 10 * time.Second, cut: 30 * time.Second, legs: daySound.whole, want: calls.RecordingCompleted,
		},
		{
			fate: "the first trunk was down", from: "020 7946 0109", to: "+1 202-555-0109", direction: calls.Outbound, host: dayLondon, metadata: sales,
			recording: platform, tries: []calls.Cause{{SIP: 503, Text: "out of order"}}, answered: true, length: 9 * time.Second, cut: 38 * time.Second,
			legs: daySound.whole, want: calls.RecordingCompleted,
		},
		{
			fate: "busy", from: "0161 496 0110", to: "+1 202-555-0110", direction: calls.Outbound, host: dayManchester, metadata: sales,
			recording: platform, tries: []calls.Cause{{SIP: 486, Q850: 17, Text: "user busy"}}, want: calls.RecordingNone,
		},
		{
			fate: "barred by a rule", from: "0161 496 0111", to: "0909 879 0111", direction: calls.Outbound, host: dayManchester,
			recording: platform, want: calls.RecordingNone,
		},
		{
			fate: "not recorded", from: "020 7946 0112", to: "020 7946 0941", direction: calls.Internal, host: dayLondon,
			answered: true, length: 15 * time.Second, want: calls.RecordingNone,
		},
		{
			fate: "a leg that is no sound", from: "+1 202-555-0113", to: "0161 496 0113", direction: calls.Inbound, host: dayManchester, metadata: support,
			recording: platform, answered: true, length: 11 * time.Second, legs: daySound.garbage, want: calls.RecordingQuarantined,
		},
		{
			fate: "under a legal hold", from: "020 7946 0114", to: "+1 202-555-0114", direction: calls.Outbound, host: dayLondon, metadata: sales,
			recording: platform, answered: true, length: 13 * time.Second, cut: 5 * time.Second, legs: daySound.whole,
			then: holdCall, want: calls.RecordingCompleted,
		},
		{
			fate: "goes on", from: "+1 202-555-0115", to: "020 7946 0115", direction: calls.Inbound, host: dayLondon, metadata: support,
			recording: platform, answered: true, want: calls.RecordingNone,
		},
	}
}

// dayEntry is what demo --json prints of a call of the day.
type dayEntry struct {
	Fate      string               `json:"fate"`
	CallID    callmodel.CallID     `json:"call_id"`
	State     calls.State          `json:"state"`
	Recording calls.RecordingState `json:"recording"`
}

// leaveDay has the telephone servers tell of the day's calls, and waits until each has come
// to what it is there to show.
func (d *demo) leaveDay() ([]dayEntry, error) {
	list := day()
	made := make([]calls.Call, len(list))
	for i := range list {
		d.step(list[i].fate)
		c, err := d.tellDay(&list[i])
		if err != nil {
			return nil, fmt.Errorf("the call that %q is told of: %w", list[i].fate, err)
		}
		made[i] = c
	}
	entries := make([]dayEntry, len(list))
	for i := range list {
		c, err := d.settled(made[i].ID, &list[i])
		if err == nil && list[i].then != nil {
			if err = list[i].then(d, &c); err == nil {
				c, err = d.settled(c.ID, &list[i])
			}
		}
		if err != nil {
			return nil, fmt.Errorf("call %s, %q: %w", made[i].ID, list[i].fate, err)
		}
		entries[i] = dayEntry{Fate: list[i].fate, CallID: c.ID, State: c.State, Recording: recordingState(&c)}
	}
	return entries, nil
}

// tellDay tells of one call from its beginning to where it is now.
func (d *demo) tellDay(of *dayCall) (calls.Call, error) {
	c, err := d.create(&callservice.Request{
		From: of.from, To: of.to, Region: "GB", Direction: of.direction, Host: of.host, Metadata: of.metadata, Recording: of.recording,
	})
	if err != nil || c.State.Final() {
		return c, err
	}
	now := time.Now().UTC()
	answer := now.Add(-of.length)
	n := 0
	tell := func(ev calls.Event) {
		if err != nil {
			return
		}
		n++
		ev.ID = strconv.Itoa(n)
		c, err = d.tell(c.ID, &ev)
	}
	for i := range of.tries {
		tell(calls.Event{Type: calls.EventFailed, At: answer.Add(-5 * time.Second), Cause: &of.tries[i]})
	}
	if of.answered {
		tell(calls.Event{Type: calls.EventRinging, At: answer.Add(-4 * time.Second)})
		tell(calls.Event{Type: calls.EventAnswered, At: answer})
	}
	for _, k := range of.controls {
		tell(calls.Event{Type: k.event, At: answer.Add(k.after)})
	}
	if of.length > 0 {
		end := calls.Event{Type: calls.EventEnded, At: now, Cause: &calls.Cause{Q850: 16}, Host: of.host, HostSoftware: "Asterisk 20.9.1", Consent: of.consent}
		if of.legs != nil && err == nil {
			files, legs := of.legs(daySound{dir: string(c.ID), from: of.cut, length: of.length})
			err, end.Legs = d.leave(files), legs
		}
		tell(end)
	}
	return c, err
}

// settled waits until the call's recording is what it is to be, and no job is at work on it.
func (d *demo) settled(id callmodel.CallID, of *dayCall) (calls.Call, error) {
	for {
		c, err := d.call(id)
		if err != nil || recordingState(&c) == of.want {
			return c, err
		}
		if err := d.pause(); err != nil {
			return c, fmt.Errorf("its recording is %s, not %s: %w", recordingState(&c), of.want, err)
		}
	}
}

// recordingState is where the call's recording stands, by the call alone.
func recordingState(c *calls.Call) calls.RecordingState {
	if len(c.Recordings) == 0 {
		return calls.RecordingNone
	}
	return calls.RecordingState(c.Recordings[0].State)
}

// redactLate takes out what was said from the 4th to the 7th second, and waits until it is done.
func redactLate(d *demo, c *calls.Call) error {
	body, err := asJSON(map[string]any{
		"redactions": []record.Redaction{{From: 4 * time.Second, To: 7 * time.Second, Legs: []string{"customer"}, With: record.RedactWithTone}},
		"reason":     "the customer read out a card number",
	})
	if err != nil {
		return err
	}
	accepted, _, err := answered[struct {
		JobID callmodel.JobID `json:"job_id"`
	}](d.api.RedactRecordingWithBodyWithResponse(d.ctx, string(c.Recordings[0].JobID), problem.JSON, body))
	for err == nil {
		var job ledger.Job
		if job, _, err = answered[ledger.Job](d.api.GetAnyJobWithResponse(d.ctx, string(accepted.JobID))); err != nil || job.State == ledger.Done {
			break
		}
		err = d.pause()
	}
	return err
}

// holdCall places a legal hold on the call.
func holdCall(d *demo, c *calls.Call) error {
	_, _, err := answered[retention.Hold](d.api.PlaceHoldWithResponse(d.ctx, apiclient.HoldRequest{
		Scope: apiclient.HoldScope(retention.HoldCall), Subject: given(string(c.ID)), Reason: "the customer's complaint of the autumn campaign",
	}))
	return err
}

// daySound is a part of the sample call, as one telephone server leaves it in dir.
type daySound struct {
	dir          string
	from, length time.Duration // from: at least samplecall.CustomerOffset, where both speak
}

// whole are both legs as they should be.
func (s daySound) whole() (map[string][]byte, []record.LegSpec) {
	agent, customer, legs := s.two()
	return map[string][]byte{agent: s.agent(0, s.length), customer: s.customer()}, legs
}

// two are the files of both legs, and the legs.
func (s daySound) two() (agent, customer string, legs []record.LegSpec) {
	agent, customer = path.Join(s.dir, "agent.wav"), path.Join(s.dir, "customer.wav")
	return agent, customer, []record.LegSpec{record.NewLeg("agent", agent), record.NewLeg("customer", customer)}
}

// damaged are an agent's leg in two files with nothing between them, of which the first
// lacks sound, and a customer's that ends within its audio.
func (s daySound) damaged() (map[string][]byte, []record.LegSpec) {
	first, second, customer := path.Join(s.dir, "agent-1.wav"), path.Join(s.dir, "agent-2.wav"), path.Join(s.dir, "customer.wav")
	third := s.length / 3
	whole := s.customer()
	return map[string][]byte{first: s.agent(0, third-time.Second), second: s.agent(2*third, third), customer: whole[:len(whole)*3/4]},
		[]record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: first, Span: third}, {URI: second, Offset: 2 * third, Span: third}}},
			record.NewLeg("customer", customer),
		}
}

// lost are legs that are named and never come.
func (s daySound) lost() (map[string][]byte, []record.LegSpec) {
	_, _, legs := s.two()
	return nil, legs
}

// garbage are legs that hold no sound, as where a disk was repaired.
func (s daySound) garbage() (map[string][]byte, []record.LegSpec) {
	agent, customer, legs := s.two()
	nothing := bytes.Repeat([]byte("\x00\xff lost+found \x01\xfe"), 1024)
	return map[string][]byte{agent: nothing, customer: nothing}, legs
}

// agent is a part of the agent's sound that begins after so long.
func (s daySound) agent(after, length time.Duration) []byte {
	return cutWAV(samplecall.Agent(), s.from+after, length)
}

// customer is what the customer says meanwhile.
func (s daySound) customer() []byte {
	return cutWAV(samplecall.Customer(), s.from-samplecall.CustomerOffset, s.length)
}

// cutWAV is the part of one of the sample call's files from there on, with a header of its
// own: those files are a header of 44 bytes and frames of 2.
func cutWAV(file []byte, from, length time.Duration) []byte {
	const header, frame = 44, 2
	at := func(t time.Duration) int {
		return min(header+frame*int(t*samplecall.SampleRateHz/time.Second), len(file))
	}
	sound := file[at(from):at(from+length)]
	cut := append(bytes.Clone(file[:header]), sound...)
	binary.LittleEndian.PutUint32(cut[4:], uint32(len(cut)-8))
	binary.LittleEndian.PutUint32(cut[40:], uint32(len(sound)))
	return cut
}

// leave writes files where the telephone server leaves them. It has closed them by then,
// and their times say so: a file that was just written may be one that still grows.
func (d *demo) leave(files map[string][]byte) error {
	for name, data := range files {
		file := filepath.Join(d.legs, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
		written := time.Now().Add(-time.Minute)
		if err := os.Chtimes(file, written, written); err != nil {
			return err
		}
	}
	return nil
}
