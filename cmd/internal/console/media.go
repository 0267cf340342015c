package console

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

// jobOf is the recording's job that the page's path names, of the call that it names.
func (c *Console) jobOf(r *http.Request) (*ledger.Job, error) {
	call, err := callID(r)
	if err != nil {
		return nil, err
	}
	job, err := get[ledger.Job](c, r, "/v1/recordings/jobs/"+url.PathEscape(r.PathValue("job")), nil)
	if err != nil {
		return nil, err
	}
	if string(job.CallID) != call {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "call %s has no such recording", call)
	}
	return &job, nil
}

// media sends the audio itself, with ranges, as the API does: a page may load it from
// nowhere else, and what comes from elsewhere can't be taken apart by channels. The query's
// made names a job that made the output of the recording afterwards.
func (c *Console) media(w http.ResponseWriter, r *http.Request) error {
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	by := job.ID
	if id := r.URL.Query().Get("made"); id != "" {
		later, err := get[ledger.Job](c, r, anyJobPath(id), nil)
		if err != nil {
			return err
		}
		if done, ok := transcoded(&later); !ok || done.JobID != job.ID {
			return callmodel.Errorf(callmodel.CodeNotFound, "job %s made nothing of this recording", later.ID)
		}
		by = later.ID
	}
	req, err := inner(recordinghttp.Streamed(r.Context()), r, r.Method, mediaPath(by, r.URL.Query().Get("output"), r.URL.Query().Get("codec")), http.NoBody)
	if err != nil {
		return err
	}
	for _, name := range []string{"Range", "If-Range", "If-None-Match"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	c.opts.API.ServeHTTP(w, req)
	return nil
}

func mediaPath(by callmodel.JobID, output, codec string) string {
	q := url.Values{}
	if output != "" {
		q.Set("output", output)
	}
	if codec != "" {
		q.Set("codec", codec)
	}
	return anyJobPath(string(by)) + "/media?" + q.Encode()
}

// maxPixels is how many points of a waveform a page draws. More are joined: a recording of
// four hours has as many as one of a minute.
const maxPixels = 4000

// waveform is what the page gets of the peaks: for every point of every channel the larger
// of its extremes, in [-1, 1], minima and maxima in turn.
type waveform struct {
	Duration float64     `json:"duration"` // s
	Channels [][]float32 `json:"channels"`
	Marks    []region    `json:"marks,omitempty"` // what the analysis says of it
}

// peaks sends the waveform of the recording, and what its analysis has to mark in it.
func (c *Console) peaks(w http.ResponseWriter, r *http.Request) error {
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	result, err := record.ResultOf(job)
	if err != nil || result == nil {
		return callmodel.Errorf(callmodel.CodeNotFound, "job %s has no recording", job.ID)
	}
	drawn, analysed, err := c.pictures(r, job, result.Outputs)
	if err != nil {
		return err
	}
	if drawn == nil {
		return callmodel.Errorf(callmodel.CodeNotFound, "the recording of job %s has no waveform: have it made on the call's page, or by a job of the kind transcode", job.ID)
	}
	raw, err := c.read(r, drawn)
	if err != nil {
		return err
	}
	wave, err := readPeaks(raw, maxPixels)
	if err != nil {
		return fmt.Errorf("the waveform of job %s: %w", drawn.By, err)
	}
	if analysed != nil {
		report, err := c.report(r, analysed)
		if err != nil {
			return err
		}
		wave.Marks = talkMarks(&report.Conversation)
	}
	if raw, err = json.Marshal(wave); err != nil {
		return fmt.Errorf("the waveform of job %s: %w", job.ID, err)
	}
	sendPage(w, r, http.StatusOK, "application/json", raw)
	return nil
}

// readPeaks reads audiowaveform's binary format, version 1 or 2 (its doc/DataFormat.md),
// into at most pixels points a channel.
func readPeaks(b []byte, pixels int) (*waveform, error) {
	const short = "the file of peaks is cut short"
	word := func(at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
	if len(b) < 20 {
		return nil, callmodel.Errorf(callmodel.CodeInternal, short)
	}
	version, flags, rate, perPixel, points, channels, head := word(0), word(4), word(8), word(12), word(16), 1, 20
	if version == 2 {
		if len(b) < 24 {
			return nil, callmodel.Errorf(callmodel.CodeInternal, short)
		}
		channels, head = word(20), 24
	}
	width := 2
	if flags&1 != 0 {
		width = 1
	}
	const maxChannels = 64
	if version != 1 && version != 2 || rate <= 0 || perPixel <= 0 || points < 0 || channels < 1 || channels > maxChannels {
		return nil, callmodel.Errorf(callmodel.CodeInternal, "this is no file of peaks")
	}
	if (len(b)-head)/(2*width*channels) < points {
		return nil, callmodel.Errorf(callmodel.CodeInternal, short)
	}
	value := func(i int) float32 {
		if width == 1 {
			return float32(int8(b[head+i])) / 128
		}
		return float32(int16(binary.LittleEndian.Uint16(b[head+2*i:]))) / 32768
	}
	wave := &waveform{Duration: float64(points) * float64(perPixel) / float64(rate), Channels: make([][]float32, channels)}
	n := min(points, pixels)
	for ch := range wave.Channels {
		wave.Channels[ch] = make([]float32, 0, 2*n)
		for p := range n {
			lo, hi := float32(0), float32(0)
			for i := p * points / n; i < (p+1)*points/n; i++ {
				at := 2 * (i*channels + ch)
				lo, hi = min(lo, value(at)), max(hi, value(at+1))
			}
			wave.Channels[ch] = append(wave.Channels[ch], lo, hi)
		}
	}
	return wave, nil
}
