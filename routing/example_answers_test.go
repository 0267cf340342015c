package routing_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

func ExampleNewRateTable() {
	price := func(s string) callmodel.Amount {
		a, err := callmodel.ParseAmount(s)
		if err != nil {
			fmt.Println(err)
		}
		return a
	}
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	table, err := routing.NewRateTable("EUR", []routing.RateRow{
		{Prefix: "+49", PerMinute: price("0.0123"), Connect: price("0.01"), First: time.Minute, Next: time.Second},
		{Prefix: "+49", PerMinute: price("0.0119"), From: july},
		{Prefix: "+4915", PerMinute: price("0.06")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, number := range []string{"+4930123456", "+49151234567", "+12025550123"} {
		rate, ok := table.Lookup(number, july.Add(-time.Second))
		fmt.Println(number, ok, rate.Prefix, rate.Cost(90*time.Second))
	}
	rate, _ := table.Lookup("+4930123456", july)
	fmt.Println(rate.Cost(90*time.Second), rate.Currency)
	// Output:
	// +4930123456 true +49 0.02845
	// +49151234567 true +4915 0.09
	// +12025550123 false  0
	// 0.01785 EUR
}

// What the package comment shows is a rule set.
func ExampleRouter_Route() {
	rs, err := routing.Parse([]byte(`
destinations:
  a:
    uri: "sip:a.example.com"
    strip: 2
    prepend: "00"
    caller: {policy: pass, strip: 2, prepend: "0"}
    rates: carrier-a
    limits: {concurrent: 120, cps: 10}
  b: {uri: "sip:b.example.com", rates: carrier-b, caller: {policy: replace, replace: ["+4930100", "+4930101"]}}
  c: {uri: "sip:c.example.com", caller: {policy: withhold}}
currency: EUR
rates:
  carrier-a:
    - {prefix: "+49", per_minute: 0.0123, connect: 0.01, first_seconds: 60, next_seconds: 1}
    - {prefix: "+49", per_minute: 0.0119, from: 2026-07-01T00:00:00Z}
  carrier-b: [{prefix: "+", per_minute: 0.02}]
rules:
  - id: rest
    default: true
    route:
      - {order: cost, assume_seconds: 60, require_rate: true, targets: [{to: a}, {to: b}]}
      - {order: quality, explore_percent: 5, targets: [{to: c, weight: 2}]}
    failover: {retry: ["sip:486", "q850:34"], final: ["sip:5xx"], max_attempts: 3, total_seconds: 60, attempt_seconds: 20}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	router, err := routing.Compile(rs)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := router.Route(&calls.Request{CallID: "c1", From: "+4930123456", To: "+49891234567", At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range d.Destinations {
		fmt.Println(x.ID, x.Number, x.Caller, x.Cost.Amount)
	}
	fmt.Println(d.Failover.Retry)
	// Output:
	// b +49891234567 +4930100 0.02
	// a 00891234567 030123456 0.0223
	// c +49891234567 anonymous 0
	// [sip:486 q850:34]
}
