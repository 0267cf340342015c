package console

import (
	"net/http"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
)

// routes lists the pages and what they do. The scope of each is that of what it asks the
// API for first.
func (c *Console) routes() []route {
	return slices.Concat(
		[]route{{"GET /{$}", "", func(w http.ResponseWriter, r *http.Request) error { c.redirect(w, r, "/calls"); return nil }}},
		c.callRoutes(),
		c.jobRoutes(),
		c.ruleRoutes(),
		c.fleetRoutes(),
	)
}

func (c *Console) callRoutes() []route {
	const calls, recordings = callmodel.ScopeCallsRead, callmodel.ScopeRecordingsRead
	return []route{
		{"GET /calls", calls, c.listCalls},
		{"GET /export/calls", calls, c.exportCalls},
		{"GET /live/calls", calls, c.liveCalls},
		{"GET /calls/{call}", calls, c.showCall},
		{"GET /live/calls/{call}", calls, c.callNews},
		{"GET /calls/{call}/recordings/{job}/media", recordings, c.media},
		{"GET /calls/{call}/recordings/{job}/peaks", recordings, c.peaks},
		{"POST /calls/{call}/recordings/{job}/waveform", callmodel.ScopeRecordingsWrite, c.draw},
		{"POST /calls/{call}/recordings/{job}/redact", callmodel.ScopeRecordingsErase, c.redact},
		{"POST /calls/{call}/recordings/{job}/erase", callmodel.ScopeRecordingsErase, c.erase},
		{"POST /calls/{call}/recordings/{job}/share", callmodel.ScopeSharesWrite, c.share},
		{"POST /calls/{call}/recordings/{job}/retry", callmodel.ScopeJobsWrite, c.retryRecording},
		{"POST /calls/{call}/hold", callmodel.ScopeHoldsWrite, c.hold},
		{"POST /calls/{call}/holds/{hold}/lift", callmodel.ScopeHoldsWrite, c.liftHold},
	}
}
