package retention_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/retention"
)

// The tenant keeps recordings for 30 days, and the callee for 90.
func ExampleRuleOf() {
	rule := retention.RuleOf(map[string]int{"ann": 0, "bob": 90}, 30, 365*24*time.Hour)
	fmt.Println(rule.By, int(rule.Keep/retention.Day), "days")
	// Output: user bob 90 days
}

func ExampleHold_Validate() {
	h := retention.Hold{Scope: retention.HoldNumber, Subject: "ann", Reason: "case 7"}
	fmt.Println(h.Validate())
	// Output: subject: is not a number in E.164 with a plus, as +442079460123, nor an extension or a short number of 2 to 6 digits
}
