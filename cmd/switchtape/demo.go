package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
)

// demoRules are the rules of the demonstration.
//
//go:embed demo-rules.yaml
var demoRules []byte

type demoCommand struct {
	Dir   string `help:"Directory to keep the call, the database and the recording in. Default: a new one below the system's temporary directory." type:"path" placeholder:"DIR"`
	Codec string `help:"Make only this recording: mp3 or wav. Default: an MP3 to listen to and a WAV to keep, from one read of the legs. Their waveform and an analysis are made, too." enum:"mp3,wav," default:""`
	JSON  bool   `help:"Print the outcome as JSON." name:"json"`

	NoServe bool `help:"End on a terminal, too, instead of serving until Ctrl-C."`
}

// outputs are the recordings that the demonstration asks for, their waveform and what is measured of them.
func (c *demoCommand) outputs() []record.OutputSpec {
	list := []record.OutputSpec{
		{Codec: record.CodecMP3, Layout: record.LayoutStereo},
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Codec: record.CodecPeaksDAT, Layout: record.LayoutStereo},
		{Codec: record.CodecAnalysis},
	}
	return slices.DeleteFunc(list, func(o record.OutputSpec) bool {
		return c.Codec != "" && o.Codec.Audio() && string(o.Codec) != c.Codec
	})
}

// Numbers from the ranges reserved for fiction: Ofcom's 020 7946 0xxx in
// London, and 555-0100 to 555-0199 in Washington.
const (
	demoFrom = "020 7946 0123" // dialled as in the United Kingdom
	demoTo   = "+1 202-555-0143"
)

// demoOutput is what demo --json prints.
type demoOutput struct {
	Call        calls.Call        `json:"call"`
	Considered  []routing.Verdict `json:"considered"`
	Recordings  []demoRecording   `json:"recordings"` // the first is the one whose URL the call record gives
	HangupToURL float64           `json:"hangup_to_url_ms"`
	Day         []dayEntry        `json:"day"` // what else there is
	Dir         string            `json:"dir"`
	ElapsedMS   int64             `json:"elapsed_ms"`
}

type demoRecording struct {
	Path       string `json:"path"`
	URL        string `json:"url"`
	Codec      string `json:"codec"`
	DurationMS int64  `json:"duration_ms"`
	Frames     int64  `json:"frames"`
	Channels   int    `json:"channels"`
	Rate       int    `json:"rate"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"`
	Verified   bool   `json:"verified"` // the object's bytes have that hash
}

func (c *demoCommand) Run(ctx context.Context, s cli.Streams) error {
	begun := time.Now()
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "switchtape-demo-")
		if err != nil {
			return err
		}
		c.Dir = dir
	}
	stays := s.Interactive() && !c.JSON && !c.NoServe
	l, err := demoListen(ctx, stays)
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	level.Set(slog.LevelError)
	log := slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: level}))
	one, err := startOne(ctx, demoOptions(c.Dir, l), log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if _, err := one.api.InstallRules(ctx, demoRules, "demo"); err != nil {
		return errors.Join(err, l.Close(), one.stores.Close())
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- one.run(serving) }()
	out, err := c.show(ctx, s, one, level)
	if err == nil && stays {
		s.Printf("console    %s/calls/%s\n           Ctrl-C ends it\n", one.url, out.Call.ID)
		select {
		case <-ctx.Done():
		case err := <-ended: // by itself: it has failed
			stop()
			return err
		}
	}
	stop()
	if err = errors.Join(err, <-ended); err != nil || !c.JSON {
		return err
	}
	out.Dir, out.ElapsedMS = c.Dir, time.Since(begun).Milliseconds()
	return s.JSON(out)
}

// demoListen opens the address of the demonstration. One that stays has that of serve, so
// that the address is the one that is written everywhere, unless it is taken.
func demoListen(ctx context.Context, stays bool) (net.Listener, error) {
	if stays {
		if l, err := service.Listen(ctx, "127.0.0.1:8080"); err == nil {
			return l, nil
		}
	}
	return service.Listen(ctx, "127.0.0.1:0")
}

// demoOptions are a service that makes of calls what serve makes of them. It waits half a
// second for legs that don't come, and doesn't follow them.
func demoOptions(dir string, l net.Listener) oneOptions {
	return oneOptions{
		dir: dir, listener: l,
		api: service.APIOptions{
			LaneOptions:   service.LaneOptions{MaxInFlight: 16},
			RecordOptions: service.RecordOptions{RecordCodec: string(record.CodecMP3), RecordLayout: string(record.LayoutStereo), RecordPeaks: true, RecordAnalysis: true},
		},
		worker: service.WorkerOptions{LegWait: 500 * time.Millisecond, FollowGrowing: time.Millisecond}.Fill(),
	}
}

// show plays the call, and then the day around it.
func (c *demoCommand) show(ctx context.Context, s cli.Streams, one *one, level *slog.LevelVar) (*demoOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	api, err := apiclient.New(one.url, "")
	if err != nil {
		return nil, err
	}
	d := demo{ctx: ctx, api: api, one: one, legs: one.legs, outputs: c.outputs()}
	const steps = 7
	bar := progress.New(s, "", "", steps)
	d.step = bar.Step
	out, err := d.play()
	bar.Done()
	if err != nil {
		return nil, err
	}
	if !c.JSON {
		printDemo(s, out)
	}
	bar = progress.New(s, "", "", int64(len(day())))
	d.step = bar.Step
	level.Set(slog.LevelError + 1) // the leg that is no sound is to fail
	out.Day, err = d.leaveDay()
	level.Set(slog.LevelError)
	bar.Done()
	if err != nil {
		return nil, err
	}
	if !c.JSON {
		printDay(s, out.Day)
		printWhatNow(s, c.Dir, out)
	}
	return out, nil
}

// demo plays calls against the running service, over HTTP as telephone servers do.
type demo struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the command
	api     *apiclient.ClientWithResponses
	legs    string
	one     *one
	outputs []record.OutputSpec
	step    func(string)
}

func (d *demo) play() (*demoOutput, error) {
	d.step("the telephone server initiates a call")
	call, err := d.create(&callservice.Request{
		From: demoFrom, To: demoTo, Region: "GB", Direction: calls.Outbound, Host: "demo-pbx",
		Metadata:  map[string]string{"campaign": "demo"},
		Recording: &calls.RecordingPreference{Enabled: true, Outputs: d.outputs},
	})
	if err != nil {
		return nil, err
	}
	why, _, err := answered[routing.Explanation](d.api.ExplainCallWithResponse(d.ctx, string(call.ID)))
	if err != nil {
		return nil, err
	}
	d.step("it leaves the legs in the recordings directory")
	agent, customer := path.Join(string(call.ID), "agent.wav"), path.Join(string(call.ID), "customer.wav")
	if err := d.leave(map[string][]byte{agent: samplecall.Agent(), customer: samplecall.Customer()}); err != nil {
		return nil, err
	}
	// The call's life is told as it happened: the 49 seconds are over, hang-up is now.
	hangup := time.Now().UTC()
	start := hangup.Add(-time.Duration(samplecall.AgentFrames) * time.Second / samplecall.SampleRateHz)
	events := []calls.Event{
		{ID: "1", Type: calls.EventFailed, At: start, Cause: &calls.Cause{SIP: 503, Text: "first trunk is out of order"}},
		{ID: "2", Type: calls.EventRinging, At: start},
		{ID: "3", Type: calls.EventAnswered, At: start},
		{ID: "4", Type: calls.EventEnded, At: hangup, Cause: &calls.Cause{Q850: 16}, Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: agent}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: customer, Offset: samplecall.CustomerOffset}}},
		}},
	}
	var sent time.Time
	for _, ev := range events {
		d.step(string(ev.Type))
		sent = time.Now()
		if call, err = d.tell(call.ID, &ev); err != nil {
			return nil, err
		}
	}
	for len(call.Recordings) == 0 || call.Recordings[0].State == string(calls.RecordingPending) {
		if err := d.pause(); err != nil {
			return nil, fmt.Errorf("the recording did not come: %w", err)
		}
		if call, err = d.call(call.ID); err != nil {
			return nil, err
		}
	}
	out := &demoOutput{Call: call, Considered: why.Considered, HangupToURL: float64(time.Since(sent).Microseconds()) / 1000}
	d.step("done")
	rec := &call.Recordings[0]
	if len(rec.Outputs) == 0 {
		return nil, fmt.Errorf("the recording is %s: %s", rec.Status, rec.Reason)
	}
	for i := range rec.Outputs {
		checked, err := d.check(rec, &rec.Outputs[i])
		if err != nil {
			return nil, err
		}
		out.Recordings = append(out.Recordings, checked)
	}
	return out, nil
}

func (d *demo) pause() error {
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	case <-t.C:
		return nil
	}
}

// create initiates a call. One that a rule refuses is there as well, rejected.
func (d *demo) create(r *callservice.Request) (c calls.Call, err error) {
	body, err := asJSON(r)
	if err != nil {
		return c, err
	}
	made, err := d.api.CreateCallWithBodyWithResponse(d.ctx, nil, problem.JSON, body)
	if err != nil {
		return c, err
	}
	var refused struct {
		CallID callmodel.CallID `json:"call_id"`
	}
	if err := apiclient.Error(made); err != nil {
		if json.Unmarshal(made.GetBody(), &refused) != nil || refused.CallID == "" {
			return c, err
		}
		return d.call(refused.CallID)
	}
	return c, json.Unmarshal(made.GetBody(), &c)
}

// call is the call as it is.
func (d *demo) call(id callmodel.CallID) (c calls.Call, err error) {
	c, _, err = answered[calls.Call](d.api.GetCallWithResponse(d.ctx, string(id)))
	return c, err
}

// tell tells of an event of a call, and returns the call as it is then.
func (d *demo) tell(id callmodel.CallID, ev *calls.Event) (c calls.Call, err error) {
	body, err := asJSON(ev)
	if err != nil {
		return c, err
	}
	c, _, err = answered[calls.Call](d.api.PostCallEventWithBodyWithResponse(d.ctx, string(id), problem.JSON, body))
	return c, err
}

// check reads the object back and compares its hash with the record's.
func (d *demo) check(r *calls.Recording, o *record.OutputResult) (demoRecording, error) {
	out := demoRecording{
		Path: d.one.stores.Objects.LocalPath(o.Key), URL: o.URL, Codec: string(o.Codec), DurationMS: r.Duration.Milliseconds(), Frames: o.Frames,
		Channels: o.Channels, Rate: o.Rate, Bytes: o.Bytes, SHA256: o.SHA256,
	}
	link, err := d.one.stores.Objects.SignedURL(d.ctx, o.Key, 15*time.Minute)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, link, nil)
	if err != nil {
		return out, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, err
	}
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return out, err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != o.SHA256 || n != o.Bytes {
		return out, fmt.Errorf("the object has %d bytes with sha256 %s, the call record says %d with %s", n, got, o.Bytes, o.SHA256)
	}
	out.Verified = true
	return out, nil
}

// asJSON is the body of a request.
func asJSON(v any) (io.Reader, error) {
	raw, err := json.Marshal(v)
	return bytes.NewReader(raw), err
}

func printDemo(s cli.Streams, o *demoOutput) {
	c := &o.Call
	s.Printf("call       %s\n           from %s (dialled %s) to %s (dialled %s)\n", c.ID, c.From.Number, c.From.Raw, c.To.Number, c.To.Raw)
	s.Printf("route      rule %s\n", c.Decision.Rule)
	for i, d := range c.Decision.Destinations {
		took := ""
		if i == c.Attempt {
			took = "  ← took the call"
		}
		s.Printf("           %d. %s  %s as %s%s\n", i+1, d.ID, d.URI, d.Number, took)
	}
	for _, v := range o.Considered {
		s.Printf("           %s: %s\n", v.Rule, v.Reason)
	}
	for _, r := range o.Recordings {
		s.Printf("recording  %s\n           %s\n", r.Path, r.URL)
		if codec := record.Codec(r.Codec); !codec.Audio() {
			what := "its waveform, in audiowaveform's format"
			if codec == record.CodecAnalysis {
				what = "who talks when, how loud, and what is wrong, as JSON"
			}
			s.Printf("           %s: %d bytes, checked against its SHA-256\n", what, r.Bytes)
			continue
		}
		s.Printf("           %.2f s, %d channels (agent left, customer right), %d Hz, %d bytes, checked against its SHA-256\n",
			float64(r.DurationMS)/1000, r.Channels, r.Rate, r.Bytes)
	}
	s.Printf("           on the call record %.0f ms after hang-up\n", o.HangupToURL)
}

func printDay(s cli.Streams, day []dayEntry) {
	for i, e := range day {
		head := ""
		if i == 0 {
			head = "day"
		}
		s.Printf("%-10s %s  %-9s recording %-11s  %s\n", head, e.CallID, e.State, e.Recording, e.Fate)
	}
}

func printWhatNow(s cli.Streams, dir string, o *demoOutput) {
	next := []string{
		"listen:   play '" + o.Recordings[0].Path + "'   (sox), or open it in any player",
		"serve:    go run ./cmd/switchtape serve --dir '" + dir + "' and look at http://127.0.0.1:8080/calls",
		"record:   go run ./cmd/switchtape record --leg a=A.wav --leg b=B.wav@2s --out x.wav",
	}
	s.Printf("next       %s\n", strings.Join(next, "\n           "))
}
