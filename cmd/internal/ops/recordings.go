package ops

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
)

// recordingMetricsOf tell of jobs and of the recordings that they make.
type recordingMetricsOf struct {
	attempts *prometheus.CounterVec
	elapsed  *prometheus.HistogramVec
	waited   *prometheus.HistogramVec
	speed    *prometheus.HistogramVec
	audio    *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	defects  *prometheus.CounterVec
	hosts    hostMetrics
	jobs     *prometheus.CounterVec
	jobTimes *prometheus.HistogramVec
}

func newRecordingMetrics(defs definitions) recordingMetricsOf {
	return recordingMetricsOf{
		attempts: defs.counter("switchtape_recording_attempts_total"),
		elapsed:  defs.histogram("switchtape_recording_duration_seconds", 0.005, 2, 16),
		waited:   defs.histogram("switchtape_recording_age_seconds", 0.05, 2, 18),
		speed:    defs.histogram("switchtape_recording_speed_ratio", 1, 2, 15),
		audio:    defs.counter("switchtape_recorded_audio_seconds_total"),
		bytes:    defs.counter("switchtape_recorded_bytes_total"),
		defects:  defs.counter("switchtape_recording_defects_total"),
		hosts:    newHostMetrics(defs),
		jobs:     defs.counter("switchtape_job_attempts_total"),
		jobTimes: defs.histogram("switchtape_job_duration_seconds", 0.005, 4, 10),
	}
}

func (r *recordingMetricsOf) all() []prometheus.Collector {
	return append(r.hosts.all(), r.attempts, r.elapsed, r.waited, r.speed, r.audio, r.bytes, r.defects, r.jobs, r.jobTimes)
}

// Worker has what a worker counts be there from the start, as 0: a rate needs something
// to begin at. kinds are the kinds of job that it does.
func (m *Metrics) Worker(kinds ...string) {
	outcomes := []worker.Outcome{worker.Done, worker.Published, worker.Waiting, worker.Failed, worker.Quarantined, worker.Released, worker.Lost}
	r := &m.recordings
	for _, outcome := range outcomes {
		for _, kind := range kinds {
			r.jobs.WithLabelValues(kind, string(outcome))
		}
	}
	for _, kind := range kinds {
		r.jobTimes.WithLabelValues(kind)
	}
	if !slices.Contains(kinds, record.Kind) {
		return
	}
	for _, outcome := range outcomes {
		switch outcome {
		case worker.Done, worker.Published:
			for _, s := range []record.Status{record.StatusCompleted, record.StatusCompletedDegraded, record.StatusAbsent} {
				r.attempts.WithLabelValues(string(outcome), string(s))
			}
		default:
			r.attempts.WithLabelValues(string(outcome), "")
		}
	}
	for _, h := range []*prometheus.HistogramVec{r.elapsed, r.waited, r.speed} {
		h.WithLabelValues()
	}
	for _, c := range []*prometheus.CounterVec{r.audio, r.bytes} {
		c.WithLabelValues()
	}
	for _, d := range record.DefectKinds() {
		r.defects.WithLabelValues(string(d.Code))
	}
}

// Attempt counts an attempt at a job. It is worker.Options.Finished. Of a later
// version of a recording only what it has beyond the earlier one is counted.
func (m *Metrics) Attempt(r worker.Report) {
	m.recordings.jobs.WithLabelValues(r.Job.Kind, string(r.Outcome)).Inc()
	if r.Outcome == worker.Done {
		observe(m.recordings.jobTimes.WithLabelValues(r.Job.Kind), r.Elapsed.Seconds(), ofJob(&r))
	}
	if r.Job.Kind == record.Kind {
		m.recording(&r)
	}
}

// ofJob are the labels by which the job of an exemplar is found.
func ofJob(r *worker.Report) prometheus.Labels {
	return exemplar("job_id", string(r.Job.ID), "call_id", string(r.Job.CallID))
}

// recording counts an attempt at a recording.
func (m *Metrics) recording(r *worker.Report) {
	vecs := &m.recordings
	vecs.attempts.WithLabelValues(string(r.Outcome), string(r.Result.Status)).Inc()
	if r.Outcome != worker.Done && r.Outcome != worker.Published {
		return
	}
	labels := ofJob(r)
	observe(vecs.elapsed.WithLabelValues(), r.Elapsed.Seconds(), labels)
	if audio, took := r.Result.Duration.Seconds(), r.Elapsed.Seconds(); audio > 0 && took > 0 {
		observe(vecs.speed.WithLabelValues(), audio/took, labels)
	}
	var before record.Result
	if p, err := record.PublishedBy(&r.Job); err == nil && p != nil {
		before = *p
	} else {
		observe(vecs.waited.WithLabelValues(), m.now().Sub(r.Job.CreatedAt).Seconds(), labels)
	}
	vecs.audio.WithLabelValues().Add(max(r.Result.Duration-before.Duration, 0).Seconds())
	bytes := vecs.bytes.WithLabelValues()
	for _, o := range r.Result.Outputs {
		if before.InBackup && !r.Result.InBackup {
			break // they were moved, not made
		}
		if !slices.ContainsFunc(before.Outputs, func(b record.OutputResult) bool { return b.URL == o.URL }) {
			bytes.Add(float64(o.Bytes))
		}
	}
	if r.Outcome == worker.Done {
		vecs.hosts.finished(r.Job.Queue, &r.Result)
	}
	for _, d := range r.Result.Defects {
		if !slices.ContainsFunc(before.Defects, func(b record.Defect) bool { return b.Code == d.Code && b.Leg == d.Leg }) {
			vecs.defects.WithLabelValues(string(d.Code)).Inc()
			vecs.hosts.defect(d.Code, r.Job.Queue, r.Result.HostSoftware)
		}
	}
}
