// Command embed-router puts the router into a program of your own: rules are
// parsed and compiled once, decisions take no lock and no I/O, and a reload
// swaps the whole set.
//
//	go run ./examples/embed-router
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

const rules = `
destinations:
  berlin-a: {uri: "sip:berlin-a.example.com"}
  berlin-b: {uri: "sip:berlin-b.example.com"}
  world:    {uri: "sip:world.example.com", prepend: "00"}
  help:     {uri: "sip:psap.example.com"}
  mailbox:  {uri: "sip:mailbox.example.com"}
rules:
  - id: emergency
    match: {to: {service: emergency}}
    route: [[{to: help}]]
  - id: berlin
    match:
      to: {prefix: "+4930"}
      when: {timezone: Europe/Berlin, weekly: ["mon-fri 08:00-18:00"]}
    route:
      - [{to: berlin-a, weight: 70}, {to: berlin-b, weight: 30}]
      - [{to: mailbox}]
  - id: rest
    default: true
    route: [[{to: world}]]
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "embed-router:", err)
		os.Exit(1)
	}
}

func run() error {
	set, err := routing.Parse([]byte(rules))
	if err != nil {
		return err // every fault of the file, with its line
	}
	router, err := routing.Compile(set)
	if err != nil {
		return err
	}
	var table routing.Table // readers never wait for a reload
	table.Set("", router)

	call := calls.Request{
		TenantID: "acme", CallID: "call-1", From: "+442079460123", To: "+493012345678",
		Type: calls.TypeVoice, At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
	}
	decision, err := table.Get(call.TenantID).Route(&call)
	if err != nil {
		return err
	}
	for i, d := range decision.Destinations {
		fmt.Printf("%d. %s as %s\n", i+1, d.URI, d.Number)
	}
	for _, v := range router.Explain(&call).Considered {
		fmt.Printf("%s: %s\n", v.Rule, v.Reason)
	}
	return nil
}
