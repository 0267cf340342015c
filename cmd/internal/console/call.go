package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/routing"
)

// callPage is the page of a call.
type callPage struct {
	Call       calls.Call
	Life       []moment
	Attempts   []attempt
	Why        *routing.Explanation
	WhyNot     string // why the route can't be explained
	Recordings []recordingView
	Shared     *sharedLink
	Holds      []retention.Hold // on the call
	Deeds      []deed           // what the audit log has of it
	MoreDeeds  bool             // and it has more
	News       string           // where to ask whether there is something new; "" for nowhere
}

// moment is a point of the call's life.
type moment struct {
	At    time.Time
	What  string
	More  string
	Tone  string
	After time.Duration // since the moment before
}

// attempt is a destination of the call, and what became of it.
type attempt struct {
	calls.Destination
	Outcome string
	Tone    string
}

// recordingView is a recording of the call with what its job knows.
type recordingView struct {
	record.CallEntry
	Job      *ledger.Job
	Result   *record.Result
	Spec     *record.Spec
	Plays    *record.OutputResult // what the player plays; nil: there is nothing to hear
	Lag      time.Duration        // see delays
	First    time.Duration        // too
	Channels string               // JSON: the names of the player's channels
	Regions  string               // JSON: what is marked in the waveform
	Marks    []region
	Waveform *made               // its peaks; nil: there are none
	Measured bool                // it was analysed
	Erased   []retention.Erasure // what it was before redactions, or what is gone
}

// region is a stretch of a recording that the player marks, in output time.
type region struct {
	From  float64 `json:"from"` // s
	To    float64 `json:"to"`
	Kind  string  `json:"kind"`
	Label string  `json:"label"`
	// Channel is the only one that it is of; -1 for all.
	Channel int `json:"channel"`
}

// FromTime and ToTime are its ends.
func (m region) FromTime() time.Duration { return time.Duration(m.From * float64(time.Second)) }

// ToTime is its end.
func (m region) ToTime() time.Duration { return time.Duration(m.To * float64(time.Second)) }

// isRefused is the API's refusal that err is, if it is one.
func isRefused(err error) (*refusal, bool) { return errors.AsType[*refusal](err) }

func (c *Console) showCall(w http.ResponseWriter, r *http.Request) error {
	id, err := callID(r)
	if err != nil {
		return err
	}
	at := "/v1/calls/" + id
	call, err := get[calls.Call](c, r, at, nil)
	if err != nil {
		return err
	}
	events, err := get[struct {
		Events []calls.Event `json:"events"`
	}](c, r, at+"/events", nil)
	if err != nil {
		return err
	}
	page := &callPage{Call: call, News: newsOf(&call), Life: life(&call, events.Events), Attempts: attempts(&call, events.Events)}
	if why, err := get[routing.Explanation](c, r, at+"/explanation", nil); err == nil {
		page.Why = &why
	} else if refused, ok := isRefused(err); ok {
		page.WhyNot = refused.Error()
	} else {
		return err
	}
	who, _ := callmodel.PrincipalFrom(r.Context())
	for i := range call.Recordings {
		v := recordingView{CallEntry: call.Recordings[i]}
		if who.Allows(callmodel.ScopeRecordingsRead) {
			if err := c.fillRecording(r, &v); err != nil {
				return err
			}
		}
		page.Recordings = append(page.Recordings, v)
	}
	if page.Holds, err = c.holdsOn(r, id); err != nil {
		return err
	}
	if page.Deeds, page.MoreDeeds, err = c.deedsOf(r, &call); err != nil {
		return err
	}
	page.Shared = takeShared(w, r)
	return c.show(w, r, http.StatusOK, "call", "Call "+party(call.From)+" to "+party(call.To), page)
}

// fillRecording adds what the recording's job knows.
func (c *Console) fillRecording(r *http.Request, v *recordingView) error {
	job, err := get[ledger.Job](c, r, "/v1/recordings/jobs/"+url.PathEscape(string(v.JobID)), nil)
	if refused, ok := isRefused(err); ok && refused.Status == http.StatusNotFound {
		return nil // jobs are pruned; the call record stays
	}
	if err != nil {
		return err
	}
	v.Job = &job
	if v.Result, err = record.ResultOf(&job); err != nil {
		return fmt.Errorf("what job %s came to: %w", job.ID, err)
	}
	if spec, err := record.SpecOf(&job); err == nil {
		v.Spec = &spec
	}
	if v.Plays = playable(v.Outputs); v.Plays == nil {
		return nil
	}
	if err := c.fillPicture(r, v); err != nil {
		return err
	}
	v.Lag, v.First = delays(v.Plays)
	names := channelNames(v)
	v.Marks = marks(v, names)
	v.Channels, v.Regions = asJSON(names), asJSON(v.Marks)
	gone, err := get[struct {
		Erasures []retention.Erasure `json:"erasures"`
	}](c, r, "/v1/recordings/jobs/"+url.PathEscape(string(v.JobID))+"/erasures", nil)
	if err == nil {
		v.Erased = gone.Erasures
	} else if _, ok := isRefused(err); !ok {
		return err
	}
	return nil
}

// asJSON is v for a script.
func asJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(raw)
}

// playable is the output that browsers play best. MP3 is played everywhere; a WAV is as
// exact, and larger.
func playable(outputs []record.OutputResult) (best *record.OutputResult) {
	order := []record.Codec{record.CodecMP3, record.CodecFLAC, record.CodecOpus, record.CodecWAV, record.CodecMulaw, record.CodecAlaw}
	rank := func(o *record.OutputResult) int {
		at := slices.Index(order, o.Codec)
		if at < 0 {
			at = len(order)
		}
		return at - len(order)*min(o.Channels, 2) // channels apart before one of all
	}
	for i := range outputs {
		if o := &outputs[i]; o.Codec.Audio() && (best == nil || rank(o) < rank(best)) {
			best = o
		}
	}
	return best
}

// delays are how far what sounds after a seek lies behind what the browser says, and the
// first moment to which one can be made. A player cuts the delay that the coder tells, of
// 1,152 samples with the decoder's, off the beginning of an MP3, but seeks by the bytes of the
// whole of it, to the frame that follows (1,152 samples by ISO 11172-3, 2.4.2.3, and 576 by
// ISO 13818-3). So what is heard is late by up to the delay, and less than a frame earlier
// than that: the middle is taken. Within the delay a seek is one to the beginning. Both are 0
// for formats in which seeks are exact.
func delays(o *record.OutputResult) (lag, first time.Duration) {
	const delay, mpeg1 = 1152, 32_000
	if o.Codec != record.CodecMP3 || o.Rate <= 0 {
		return 0, 0
	}
	frame := 576
	if o.Rate >= mpeg1 {
		frame = 1152
	}
	rate := time.Duration(o.Rate)
	return time.Duration(delay-frame/2) * time.Second / rate, delay*time.Second/rate + 10*time.Millisecond
}

// channelNames are those of the legs on the channels of what is played, or how they are mixed.
func channelNames(v *recordingView) []string {
	names := make([]string, max(v.Plays.Channels, 1))
	for i := range names {
		names[i] = "channel " + strconv.Itoa(i+1)
	}
	if len(names) == 1 {
		return []string{"all parties"}
	}
	if v.Result == nil {
		return names
	}
	at := make([][]string, len(names))
	for _, l := range v.Result.Legs {
		i := l.Channel
		if v.Plays.Layout == record.LayoutStereo {
			i = min(i, 1)
		}
		if i >= 0 && i < len(at) {
			at[i] = append(at[i], l.Name)
		}
	}
	for i, of := range at {
		if len(of) > 0 {
			names[i] = strings.Join(of, " and ")
		}
	}
	return names
}

// marks are the stretches that the player shows: redactions, pauses and what legs lack.
func marks(v *recordingView, names []string) []region {
	var list []region
	add := func(from, to time.Duration, kind, label string, legs ...string) {
		from, to = outputTime(v.Result, from), outputTime(v.Result, to)
		if to > from {
			of := -1
			if len(legs) == 1 {
				of = slices.Index(names, legs[0])
			}
			list = append(list, region{From: from.Seconds(), To: to.Seconds(), Kind: kind, Label: label, Channel: of})
		}
	}
	if v.Spec != nil {
		for _, red := range v.Spec.Redactions {
			of := "all parties"
			if len(red.Legs) > 0 {
				of = strings.Join(red.Legs, ", ")
			}
			add(red.From, red.To, "redacted", "redacted: "+of, red.Legs...)
		}
		for _, p := range v.Spec.Pauses {
			if v.Spec.PauseMode != record.PauseCut {
				add(p.From, p.To, "paused", "recording paused")
			}
		}
	}
	if v.Result != nil {
		for _, l := range v.Result.Legs {
			for _, g := range l.Gaps {
				add(g.From, g.To, "gap", fmt.Sprintf("%s: no audio (%s)", l.Name, g.Kind), l.Name)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(a.From, b.From) })
	return list
}

// outputTime is where a moment of the call stands in the outputs: in the piece of it that
// they hold, or at the end of what they hold before it.
func outputTime(of *record.Result, at time.Duration) time.Duration {
	if of == nil || len(of.Timeline) == 0 {
		return at
	}
	out := time.Duration(0)
	for _, piece := range of.Timeline {
		if at < piece.CallFrom {
			break
		}
		out = piece.At + min(at, piece.CallTo) - piece.CallFrom
	}
	return out
}

// callTime is where a moment of the outputs stands in the call.
func callTime(of *record.Result, at time.Duration) time.Duration {
	if of == nil {
		return at
	}
	for _, piece := range of.Timeline {
		if length := piece.CallTo - piece.CallFrom; at <= piece.At+length {
			return piece.CallFrom + max(at-piece.At, 0)
		}
	}
	return at
}

// life are the moments of a call: its events, and what the call record says besides.
func life(call *calls.Call, events []calls.Event) []moment {
	list := []moment{{At: call.CreatedAt, What: "initiated", Tone: "plain"}}
	if d := call.Decision; d != nil && len(d.Destinations) > 0 {
		list[0].More = fmt.Sprintf("routed by %s %s", d.Source, d.Rule)
	}
	for i := range events {
		ev := &events[i]
		m := moment{At: ev.At, What: strings.NewReplacer("_", " ", ".", " ").Replace(string(ev.Type)), More: causeText(ev.Cause), Tone: tone(ev.Type)}
		if ev.Type == calls.EventFailed {
			m.What = "attempt failed"
		}
		if ev.Host != "" {
			m.More = strings.TrimPrefix(m.More+", on "+ev.Host, ", ")
		}
		list = append(list, m)
	}
	for i := range call.Recordings {
		if rec := &call.Recordings[i]; !rec.FinishedAt.IsZero() {
			list = append(list, moment{At: rec.FinishedAt, What: "recording " + strings.ReplaceAll(rec.State, "_", " "), More: rec.Reason, Tone: tone(rec.State)})
		}
	}
	// It begins with its initiation, also where another machine's clock says else.
	slices.SortStableFunc(list[1:], func(a, b moment) int { return a.At.Compare(b.At) })
	for i := 1; i < len(list); i++ {
		list[i].After = list[i].At.Sub(list[i-1].At)
	}
	return list
}

// attempts are the destinations in order with what became of each.
func attempts(call *calls.Call, events []calls.Event) []attempt {
	if call.Decision == nil {
		return nil
	}
	var failed []string
	for i := range events {
		if events[i].Type == calls.EventFailed {
			failed = append(failed, causeText(events[i].Cause))
		}
	}
	var list []attempt
	for i, d := range call.Decision.Destinations {
		a := attempt{Destination: d, Outcome: "not tried", Tone: "plain"}
		switch {
		case i < len(failed):
			a.Outcome, a.Tone = "failed: "+cmp.Or(failed[i], "no cause was told"), "bad"
		case i == call.Attempt && !call.AnsweredAt.IsZero():
			a.Outcome, a.Tone = "took the call", "good"
		case i == call.Attempt && call.State == calls.Ringing:
			a.Outcome, a.Tone = "rings", "busy"
		case i == call.Attempt && call.State == calls.Routed:
			a.Outcome, a.Tone = "is being tried", "busy"
		case i == call.Attempt:
			a.Outcome = cmp.Or(causeText(call.Cause), string(call.State))
		}
		list = append(list, a)
	}
	return list
}
