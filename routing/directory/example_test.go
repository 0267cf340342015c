package directory_test

import (
	"context"
	"fmt"
	"runtime"

	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A directory follows a store and finds users by their numbers.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	store := memdb.New(nil)
	ann := users.User{TenantID: "acme", ID: "ann", Numbers: users.Numbers{Extension: "100", DIDs: []string{"+4930123450"}}}
	if _, _, err := store.PutUser(ctx, ann, users.Write{Actor: "bob"}); err != nil {
		fmt.Println(err)
	}
	d := directory.New(store, nil)
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	for !d.State().Loaded {
		runtime.Gosched()
	}
	fmt.Println(d.Find("acme", "100").ID, d.DID("+4930123450").TenantID)
	cancel()
	fmt.Println(<-done)
	// Output:
	// ann acme
	// <nil>
}
