package reconcile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "switchtape-example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "calls.db")), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	store, err := storage.Open(ctx, "file://"+filepath.Join(dir, "recordings"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if _, err = db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	r, err := reconcile.Run(ctx, db, store, filepath.Join(dir, "verify"), &reconcile.Options{Repair: true})
	fmt.Println(r.Done, r.Left(), err)
	// Output: true 0 <nil>
}
