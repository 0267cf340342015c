package simulate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/simulate"
)

func ExampleRun() {
	router, err := routing.Compile(&routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"berlin": {URI: "sip:berlin.example.com", Limits: &routing.Limits{Concurrent: 1}}},
		Rules:        []routing.Rule{{ID: "all", Default: true, Route: []routing.Tier{{Targets: []routing.Target{{To: "berlin"}}}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var callList []callfile.Call
	for i := range 3 {
		at := time.Date(2026, 3, 2, 10, 0, 20*i, 0, time.UTC)
		callList = append(callList, callfile.Call{
			Length:  30 * time.Second,
			Request: calls.Request{TenantID: "acme", To: "+493012345678", Type: calls.TypeVoice, At: at},
		})
	}
	report, err := simulate.Run(context.Background(), router, callList, nil)
	d := report.Destinations[0]
	fmt.Println(d.ID, "takes", d.Calls, "of", d.Demand, "and refuses", d.Refused, err)
	// Output:
	// berlin takes 2 of 3 and refuses 1 <nil>
}
