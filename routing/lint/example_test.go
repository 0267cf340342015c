package lint_test

import (
	"fmt"

	"github.com/switchtape/switchtape/routing/lint"
)

func ExampleCheckFile() {
	report, err := lint.CheckFile([]byte(`
destinations: {berlin: {uri: "sip:berlin.example.com"}}
rules:
  - {id: sos, match: {to: {service: emergency}}, route: [[{to: berlin}]]}
  - {id: office, match: {to: {prefix: "+4930"}}, route: [[{to: berlin}]]}
  - {id: all, priority: 1, match: {to: {prefix: "+4930"}}, route: [[{to: berlin}]]}
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range report.Findings {
		if f.Severity == lint.Warning {
			fmt.Printf("line %d, rule %s, %s: %s\n", f.Line, f.Rule, f.Code, f.Message)
		}
	}
	// Output:
	// line 5, rule office, duplicate: says the same as rule all (line 6), with the same route, and ranks behind it
}
