package ruleedit_test

import (
	"fmt"

	"github.com/switchtape/switchtape/routing/ruleedit"
)

func Example() {
	const rules = `destinations: {a: {uri: "sip:a.example.com"}}
rules:
  # By contract.
  - id: london
    match: {to: {prefix: "+4420"}}
    route: [[{to: a}]]
`
	text, diffs, err := ruleedit.Apply([]byte(rules), []ruleedit.Edit{
		{Op: ruleedit.Add, Rule: []byte("id: rest\ndefault: true\nroute: [[{to: a}]]\n")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	fmt.Println(diffs[0].ID, diffs[0].Kind)
	// Output:
	// destinations: {a: {uri: "sip:a.example.com"}}
	// rules:
	//   # By contract.
	//   - id: london
	//     match: {to: {prefix: "+4420"}}
	//     route: [[{to: a}]]
	//   - id: rest
	//     default: true
	//     route: [[{to: a}]]
	// rest added
}
