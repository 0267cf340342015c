package dialimport_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/switchtape/switchtape/routing/dialimport"
)

// A small setup of OpenSIPS, a table a file, with a rule that can't be said.
func Example() {
	gateways := `gwid,address,strip,pri_prefix
fra-a,sip:fra-a.trunks.example,0,00
fra-b,sip:fra-b.trunks.example,0,00
`
	rules := `ruleid,groupid,prefix,timerec,priority,gwlist,sort_alg
1,1,49,,0,"fra-a=3,fra-b=1",W
2,1,*98,,0,fra-a,N
`
	out, err := dialimport.Import(dialimport.OpenSIPS, []dialimport.Source{
		{Name: "dr_gateways.csv", R: strings.NewReader(gateways)},
		{Name: "dr_rules.csv", R: strings.NewReader(rules)},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := dialimport.WriteYAML(os.Stdout, out.Rules); err != nil {
		fmt.Println(err)
	}
	for _, n := range out.Report.Skipped.List {
		fmt.Println("skipped:", n)
	}
	// Output:
	// destinations:
	//   fra-a: {uri: 'sip:fra-a.trunks.example', prepend: "00"}
	//   fra-b: {uri: 'sip:fra-b.trunks.example', prepend: "00"}
	// rules:
	//   - id: rule-1
	//     match: {to: {prefix: ["+49"]}}
	//     route: [[{to: fra-a, weight: 3}, {to: fra-b, weight: 1}]]
	// skipped: dr_rules.csv:3: dr_rules 2: prefix *98: only digits can be routed, with a plus before them
}

// The rates of two carriers in one deck, routed to by cost.
func ExampleImport_rates() {
	deck := `Carrier;Dial Code;Rate;Increments
a;49;0,0123;60/60
b;49;0,0110;1/1
`
	out, err := dialimport.Import(dialimport.CSV, []dialimport.Source{{Name: "deck.csv", R: strings.NewReader(deck)}}, &dialimport.Options{
		Currency: "EUR", Destinations: map[string]string{"a": "sip:a.example", "b": "sip:b.example"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := dialimport.WriteYAML(os.Stdout, out.Rules); err != nil {
		fmt.Println(err)
	}
	// Output:
	// destinations: {a: {uri: 'sip:a.example', rates: a}, b: {uri: 'sip:b.example', rates: b}}
	// currency: EUR
	// rates:
	//   a: [{prefix: "+49", per_minute: "0.0123", first_seconds: 60, next_seconds: 60}]
	//   b: [{prefix: "+49", per_minute: "0.011", first_seconds: 1, next_seconds: 1}]
	// rules:
	//   - id: by-cost
	//     default: true
	//     route: [{order: cost, targets: [{to: a}, {to: b}], require_rate: true}]
}
