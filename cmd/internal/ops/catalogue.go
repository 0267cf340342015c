package ops

import (
	"slices"
	"strings"
)

// Type is what kind of series a metric has.
type Type string

// The types of metrics, as Prometheus names them.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Definition is what is to be known of a metric. What a metric of a process says comes
// from here alone, so that the documentation is that of the code.
type Definition struct {
	Name   string
	Type   Type
	Help   string
	Labels []Label
	// Fleet says that every process tells of all of them, as the database does: their
	// maximum is right, and their sum isn't. Otherwise a process tells of itself.
	Fleet bool
	// When says which processes have the metric: all, those of the API, of a worker, or
	// those that are told to do what it is about.
	When string
}

// Label is a label of a metric.
type Label struct {
	Name   string
	Values string // which ones there are; of those that aren't listed, where they are from
}

// Section is a part of the catalogue.
type Section struct {
	Title   string
	Metrics []Definition
}

// Which processes have a metric.
const (
	everywhere = "all"
	inAPI      = "API"
	inWorker   = "worker"
)

// ofFleet is what the help of a fleet's metrics says more.
const ofFleet = " Of the whole fleet: every process says the same, so take the max."

// Catalogue lists the metrics of the three programs, besides those of Go and of the
// process.
func Catalogue() []Section {
	return slices.Concat(callMetrics(), recordingMetrics(), serviceMetrics())
}

// Unit is the unit of the values, by the name's ending: "" for a number.
func (d *Definition) Unit() string {
	name := strings.TrimSuffix(d.Name, "_total")
	for _, unit := range []string{"seconds", "bytes", "ratio"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// help is the help as it is scraped.
func (d *Definition) help() string {
	if d.Fleet {
		return d.Help + ofFleet
	}
	return d.Help
}

// labelNames are the names of the labels, in their order.
func (d *Definition) labelNames() []string {
	var names []string
	for _, l := range d.Labels {
		names = append(names, l.Name)
	}
	return names
}

// definitions are the catalogue by name.
type definitions map[string]Definition

func newDefinitions() definitions {
	all := definitions{}
	for _, s := range Catalogue() {
		for _, d := range s.Metrics {
			all[d.Name] = d
		}
	}
	return all
}

// of is the definition of that name. One that isn't listed has no help, which the tests
// that look at every metric of every program find.
func (d definitions) of(name string) *Definition {
	def := d[name]
	def.Name = name
	return &def
}

func label(name, values string) Label { return Label{Name: name, Values: values} }
