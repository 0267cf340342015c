package ops

import (
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

func (d definitions) counter(name string) *prometheus.CounterVec {
	def := d.of(name)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: def.Name, Help: def.help()}, def.labelNames())
}

// histogram has so many buckets, of which each is factor times as wide as the one before.
func (d definitions) histogram(name string, first, factor float64, buckets int) *prometheus.HistogramVec {
	def := d.of(name)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: def.Name, Help: def.help(), Buckets: prometheus.ExponentialBuckets(first, factor, buckets),
	}, def.labelNames())
}

func (d definitions) desc(name string) *prometheus.Desc {
	def := d.of(name)
	return prometheus.NewDesc(def.Name, def.help(), def.labelNames(), nil)
}

// Gauge adds a gauge without labels that is asked for at every scrape.
func (m *Metrics) Gauge(name string, f func() float64) { m.GaugeOf(name, nil, f) }

// GaugeOf is Gauge with labels.
func (m *Metrics) GaugeOf(name string, labels map[string]string, f func() float64) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: m.defs.of(name).help(), ConstLabels: labels}, f))
}

// CounterOf adds a counter with labels, which may be nil, that is asked for at every scrape.
func (m *Metrics) CounterOf(name string, labels map[string]string, f func() float64) {
	m.Registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: m.defs.of(name).help(), ConstLabels: labels}, f))
}

// exemplarRoom is what the labels of an exemplar may have of characters, names and values
// (OpenMetrics 1.0.0, section "Exemplars").
const exemplarRoom = 128

// exemplar makes labels of pairs of a name and a value. What is empty, isn't UTF-8 or has
// no room any more is left out; nil if nothing is left.
func exemplar(pairs ...string) prometheus.Labels {
	var labels prometheus.Labels
	room := exemplarRoom
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		if room -= utf8.RuneCountInString(name) + utf8.RuneCountInString(value); room < 0 {
			return labels
		}
		if value == "" || !utf8.ValidString(value) {
			continue
		}
		if labels == nil {
			labels = prometheus.Labels{}
		}
		labels[name] = value
	}
	return labels
}

// observe notes a value with an exemplar, if there are labels for one.
func observe(o prometheus.Observer, value float64, labels prometheus.Labels) {
	if with, ok := o.(prometheus.ExemplarObserver); ok && labels != nil {
		with.ObserveWithExemplar(value, labels)
		return
	}
	o.Observe(value)
}
