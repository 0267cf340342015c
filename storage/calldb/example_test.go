package calldb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A job from the ledger's first row to its last.
func Example() {
	dir, err := os.MkdirTemp("", "calldb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}

	id, created, err := db.Enqueue(ctx, storetest.Request("call-1"))
	fmt.Println("enqueued:", created, err)
	leases, err := db.Claim(ctx, ledger.Claim{Worker: "worker-1"})
	fmt.Println("claimed:", leases[0].Job.ID == id, err)
	fmt.Println("completed:", db.Complete(ctx, leases[0], storetest.Completed("call-1")))
	events, err := db.OutboxEvents(ctx, 0, 10)
	fmt.Println("to tell:", events[0].Type, err)
	// Output:
	// enqueued: true <nil>
	// claimed: true <nil>
	// completed: <nil>
	// to tell: recording.completed <nil>
}
