package ops

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/record"
)

// maxHosts bounds the pairs of a host and its software that have counters of their own:
// whoever asks for recordings says both.
const maxHosts = 200

// hostMetrics count recordings, legs and known faults of telephone servers by server and
// by what its software is, so that a fault that a version of it brings is seen to come
// with it.
type hostMetrics struct {
	recordings, legs, defects *prometheus.CounterVec

	mu   *sync.Mutex
	seen map[[2]string]bool // pairs of a host and its software, at most maxHosts
}

func newHostMetrics(defs definitions) hostMetrics {
	return hostMetrics{
		recordings: defs.counter("switchtape_host_recordings_total"), legs: defs.counter("switchtape_host_legs_total"),
		defects: defs.counter("switchtape_host_defects_total"),
		mu:      &sync.Mutex{}, seen: map[[2]string]bool{},
	}
}

func (h *hostMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{h.recordings, h.legs, h.defects}
}

// pair is under which host and software something is counted.
func (h *hostMetrics) pair(host, software string) (string, string) {
	pair := [2]string{host, software}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.seen[pair] {
		if len(h.seen) >= maxHosts {
			return "other", "other"
		}
		h.seen[pair] = true
	}
	return host, software
}

func (h *hostMetrics) finished(host string, r *record.Result) {
	host, software := h.pair(host, r.HostSoftware)
	h.recordings.WithLabelValues(host, software, string(r.Status)).Inc()
	h.legs.WithLabelValues(host, software).Add(float64(len(r.Legs)))
}

func (h *hostMetrics) defect(code record.DefectCode, host, software string) {
	host, software = h.pair(host, software)
	h.defects.WithLabelValues(string(code), host, software).Inc()
}
