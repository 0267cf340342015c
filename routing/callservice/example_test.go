package callservice_test

import (
	"context"
	"fmt"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// Drive the call service without HTTP: a call, an emergency call
// that no rule is for, and one that has nowhere to go.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	service := callservice.New(memdb.New(nil), &callservice.Options{ // calldb.Open for SQLite or PostgreSQL
		DefaultRegion:         "US",
		EmergencyDestinations: []calls.Destination{{ID: "psap", URI: "sip:psap.example.com"}},
	})
	done := make(chan error)
	go func() { done <- service.Run(ctx) }()
	if _, err := service.InstallRules(ctx, "acme", []byte(rules), "me", ""); err != nil {
		fmt.Println(err)
	}
	for _, to := range []string{"(212) 555-0188", "911", "+442079460123"} {
		made, err := service.Create(ctx, "acme", callservice.Request{From: "+12025550123", To: to}, "pbx-1", nil)
		switch {
		case err != nil || made.NoRoute != nil:
			fmt.Println(to, "fails:", err, made.NoRoute)
		default:
			fmt.Println(made.Call.To.Number, "to", made.Call.Decision.Destinations[0].URI)
		}
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// +12125550188 to sip:a.example.com
	// 911 to sip:psap.example.com
	// +442079460123 fails: <nil> no rule matches the call; see the explanation
	// <nil>
}
