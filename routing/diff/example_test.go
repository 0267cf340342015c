package diff_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
)

func ExampleComparison() {
	to := func(destination string) *diff.Set {
		rs := &routing.RuleSet{
			Destinations: map[string]routing.DestinationSpec{"berlin": {URI: "sip:berlin.example.com"}, "munich": {URI: "sip:munich.example.com"}},
			Rules:        []routing.Rule{{ID: "all", Default: true, Route: []routing.Tier{{Targets: []routing.Target{{To: destination}}}}}},
		}
		router, err := routing.Compile(rs)
		if err != nil {
			panic(err)
		}
		set, err := diff.NewSet(rs, router)
		if err != nil {
			panic(err)
		}
		return set
	}
	c := diff.New(to("berlin"), to("munich"), nil)
	c.Calls([]callfile.Call{{Line: 1, Length: time.Minute, Request: calls.Request{
		TenantID: "acme", CallID: "c-1", To: "+493012345678", Type: calls.TypeVoice, At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
	}}})
	for _, g := range c.Report().Groups {
		fmt.Println(g.Calls, g.Kind, g.Before.Destination, g.After.Destination, g.Examples[0].CallID)
	}
	// Output:
	// 1 destination berlin munich c-1
}
