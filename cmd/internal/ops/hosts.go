package ops

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/record"
)

// maxHosts bounds the pairs of a host and its software that have counters of their own:
// whoever asks for recordings says both.
const maxHosts = 200

// hostDefects counts the known faults of telephone servers by server and by what its
// software is, so that one that a version of it brings is seen to come with it.
type hostDefects struct {
	total *prometheus.CounterVec

	mu   *sync.Mutex
	seen map[[2]string]bool // pairs of a host and its software, at most maxHosts
}

func newHostDefects() hostDefects {
	return hostDefects{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_host_defects_total",
			Help: "Defects of finished recordings, by the telephone server whose queue they were in and the name and version of its software. Beyond 200 pairs of both, other stands for all.",
		}, []string{"code", "host", "software"}),
		mu: &sync.Mutex{}, seen: map[[2]string]bool{},
	}
}

func (h *hostDefects) count(code record.DefectCode, host, software string) {
	pair := [2]string{host, software}
	h.mu.Lock()
	if !h.seen[pair] {
		if len(h.seen) < maxHosts {
			h.seen[pair] = true
		} else {
			pair = [2]string{"other", "other"}
		}
	}
	h.mu.Unlock()
	h.total.WithLabelValues(string(code), pair[0], pair[1]).Inc()
}
