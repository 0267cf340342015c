package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// made is an output, and the job that made it: the recording's own, or a transcode of it.
type made struct {
	*record.OutputResult

	By callmodel.JobID
}

// maxDrawn is how many transcodes of a call are looked through for a waveform.
const maxDrawn = 100

// pictures are the waveform and the analysis of a recording: of its own outputs, or of what
// was transcoded from them since; nil where there is none. A transcode of an earlier version
// shows what was redacted, and is none.
func (c *Console) pictures(r *http.Request, job *ledger.Job, outputs []record.OutputResult) (drawn, analysed *made, err error) {
	take := func(by callmodel.JobID, list []record.OutputResult) {
		for i := range list {
			switch o := &list[i]; {
			case o.Codec == record.CodecPeaksDAT && drawn == nil:
				drawn = &made{OutputResult: o, By: by}
			case o.Codec == record.CodecAnalysis && analysed == nil:
				analysed = &made{OutputResult: o, By: by}
			}
		}
	}
	if take(job.ID, outputs); drawn != nil && analysed != nil {
		return drawn, analysed, nil
	}
	later, err := get[struct {
		Jobs []ledger.Job `json:"jobs"`
	}](c, r, "/v1/jobs", url.Values{
		"kind": {stored.KindTranscode}, "state": {string(ledger.Done)}, "call_id": {string(job.CallID)}, "limit": {strconv.Itoa(maxDrawn)},
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range later.Jobs {
		done, ok := transcoded(&later.Jobs[i])
		if !ok || done.JobID != job.ID || done.From == nil || !slices.ContainsFunc(outputs, func(o record.OutputResult) bool { return o.Key == done.From.Key }) {
			continue
		}
		take(later.Jobs[i].ID, done.Outputs)
	}
	return drawn, analysed, nil
}

// transcoded is what a transcode job has made.
func transcoded(job *ledger.Job) (*stored.Transcoded, bool) {
	if job.Kind != stored.KindTranscode || job.State != ledger.Done {
		return nil, false
	}
	var done stored.Transcoded
	return &done, json.Unmarshal(job.Result, &done) == nil
}

// read is the whole of a small output.
func (c *Console) read(r *http.Request, o *made) ([]byte, error) {
	req, err := inner(recordinghttp.Streamed(r.Context()), r, http.MethodGet, mediaPath(o.By, o.Name, string(o.Codec)), http.NoBody)
	if err != nil {
		return nil, err
	}
	var got recorder
	c.opts.API.ServeHTTP(&got, req)
	if got.status != http.StatusOK || got.over {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "the %s of job %s can't be read", o.Codec, o.By)
	}
	return got.body.Bytes(), nil
}

// report is an analysis.
func (c *Console) report(r *http.Request, o *made) (*analysis.Report, error) {
	raw, err := c.read(r, o)
	if err != nil {
		return nil, err
	}
	var report analysis.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		return nil, fmt.Errorf("the analysis of job %s: %w", o.By, err)
	}
	return &report, nil
}

// fillPicture adds the waveform, and who talked where that was measured afterwards.
func (c *Console) fillPicture(r *http.Request, v *recordingView) error {
	var analysed *made
	var err error
	if v.Waveform, analysed, err = c.pictures(r, v.Job, v.Outputs); err != nil {
		return err
	}
	v.Measured = analysed != nil || v.Analysis != nil
	if analysed == nil || v.Analysis != nil {
		return nil
	}
	report, err := c.report(r, analysed)
	if err != nil {
		return err
	}
	talk := &report.Conversation
	v.Analysis = &record.AnalysisResult{Duration: report.Duration, Silence: talk.Silence, Overlap: talk.Overlap, LoudnessLUFS: report.Programme.IntegratedLUFS}
	for i := range report.Legs {
		leg := &report.Legs[i]
		l := record.LegAnalysis{Name: leg.Leg, LoudnessLUFS: leg.Loudness.IntegratedLUFS}
		if at := slices.IndexFunc(talk.Parties, func(p analysis.PartyTalk) bool { return p.Leg == leg.Leg }); at >= 0 {
			l.TalkTime, l.TalkRatio = talk.Parties[at].TalkTime, talk.Parties[at].TalkRatio
		}
		v.Analysis.Legs = append(v.Analysis.Legs, l)
	}
	return nil
}

// draw has the waveform and the analysis of a recording made, whichever it lacks.
func (c *Console) draw(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	result, err := record.ResultOf(job)
	if err != nil {
		return err
	}
	var plays *record.OutputResult
	if result != nil {
		plays = playable(result.Outputs)
	}
	if plays == nil {
		return callmodel.Errorf(callmodel.CodeNotFound, "the recording of job %s has no audio to draw", job.ID)
	}
	drawn, analysed, err := c.pictures(r, job, result.Outputs)
	if err != nil {
		return err
	}
	var lacks []record.OutputSpec
	key := "pictures" // of its own for each of what may be lacking: another job's key is taken
	if drawn == nil {
		key += ".waveform"
		lacks = append(lacks, record.OutputSpec{Codec: record.CodecPeaksDAT, Layout: plays.Layout})
	}
	if analysed == nil {
		key += ".analysis"
		lacks = append(lacks, record.OutputSpec{Codec: record.CodecAnalysis})
	}
	if len(lacks) == 0 {
		return c.done(w, r, "The waveform and the analysis are there.")
	}
	_, err = post[json.RawMessage](c, r, "/v1/jobs", map[string]any{
		"kind": stored.KindTranscode, "call_id": job.CallID, "queue": job.Queue,
		"key":     fmt.Sprintf("%s.%s.v%d", key, job.ID, max(result.Version(), 1)),
		"payload": stored.TranscodePayload{Recording: stored.Source{JobID: job.ID}, Outputs: lacks},
	})
	if err != nil {
		return err
	}
	return c.done(w, r, "It is being made: it is here in a moment.")
}

// What of a conversation is marked in the waveform.
const (
	longSilence = 3 * time.Second
	longOverlap = 500 * time.Millisecond
	maxMarks    = 1000 // of a recording; the longest
)

// talkMarks are where nobody talks for long, where several do, and where a party is heard no
// more, in output time.
func talkMarks(talk *analysis.Conversation) []region {
	type edge struct {
		at   time.Duration
		more int
	}
	var edges []edge
	for i := range talk.Parties {
		for _, t := range talk.Parties[i].Talk {
			edges = append(edges, edge{t.Start, 1}, edge{t.End, -1})
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.more, a.more)) })
	edges = append(edges, edge{talk.Duration, 0})
	list := []region{}
	mark := func(from, to, least time.Duration, kind, label string) {
		if to-from >= least {
			list = append(list, region{From: from.Seconds(), To: to.Seconds(), Kind: kind, Label: label, Channel: -1})
		}
	}
	var quiet, both time.Duration // since when
	talking := 0
	for i, e := range edges {
		if last := i == len(edges)-1; talking == 0 && (e.more > 0 || last) {
			mark(quiet, e.at, longSilence, "silence", "nobody talks")
		}
		switch talking += e.more; {
		case e.more < 0 && talking == 0:
			quiet = e.at
		case e.more > 0 && talking == 2:
			both = e.at
		case e.more < 0 && talking == 1:
			mark(both, e.at, longOverlap, "overlap", "several talk")
		}
	}
	for _, s := range talk.Suspicions {
		list = append(list, region{From: s.Since.Seconds(), To: talk.Duration.Seconds(), Kind: "gap", Label: s.Leg + ": " + spaced(string(s.Code)), Channel: -1})
	}
	if len(list) > maxMarks {
		slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
		list = list[:maxMarks]
	}
	slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(a.From, b.From) })
	return list
}
