package users_test

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel/users"
)

// What calls ask of a user is kept small, and read without allocating.
func ExampleFactsOf() {
	u := users.User{
		TenantID: "acme", ID: "ann",
		Numbers:     users.Numbers{Extension: "100", DIDs: []string{"+4930123450"}},
		Preferences: users.Preferences{Region: "DE", DoNotDisturb: true, Barring: users.Barring{Prefixes: []string{"+49900"}}},
		Metadata:    map[string]string{"plan": "gold"},
	}
	if err := u.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	f := users.FactsOf(&u, "+49")
	plan, _ := f.Metadata("plan")
	fmt.Println(f.ID, f.Region(), f.DoNotDisturb(), plan, f.Barred("+499001234"), f.Barred("+4930123"))
	// Output: ann DE true gold true false
}

func ExampleUser_Validate() {
	u := users.User{TenantID: "acme", ID: "ann", Numbers: users.Numbers{Extension: "1"}}
	fmt.Println(u.Validate())
	// Output: numbers.extension: "1" must be 2 to 6 digits
}
