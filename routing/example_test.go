package routing_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

const exampleRules = `
destinations:
  berlin: {uri: "sip:berlin.example.com"}
  world: {uri: "sip:world.example.com"}
rules:
  - {id: german-days, match: {to: {prefix: "+49"}, when: {timezone: Europe/Berlin, weekly: "mon-fri 08:00-18:00"}}, route: [[{to: berlin}]]}
  - {id: everything, default: true, route: [[{to: world}]]}
`

func exampleRouter() (*routing.Router, error) {
	rules, err := routing.Parse([]byte(exampleRules))
	if err != nil {
		return nil, err
	}
	return routing.Compile(rules)
}

// A router decides a call, and explains what became of each rule.
func Example() {
	router, err := exampleRouter()
	if err != nil {
		fmt.Println(err)
		return
	}
	call := calls.Request{CallID: "c-1", To: "+4930123456", At: time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)}
	decision, err := router.Route(&call)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(decision.Rule, "sends it to", decision.Destinations[0].URI)
	for _, verdict := range router.Explain(&call).Considered {
		fmt.Printf("%s: %s\n", verdict.Rule, verdict.Reason)
	}
	// Output:
	// everything sends it to sip:world.example.com
	// german-days: its time window is closed at Sat 13:00 Europe/Berlin
	// everything: every condition holds, and it ranks first of the rules that match: callee any number, priority 0
}
