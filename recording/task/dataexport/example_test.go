package dataexport_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/recording/task/dataexport"
)

// Export everything about a number into a file, without a job.
func Example() {
	dir, err := os.MkdirTemp("", "dataexport")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	h, err := openHouse(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.db.Close()
	defer h.store.Close()
	if _, err := h.db.CreateCall(ctx, newCall("acme", "c1", "+493012345678", "+493087654321", begun)); err != nil {
		fmt.Println(err)
		return
	}
	done, err := dataexport.NewExporter(h.db, nil, h.store).Export(ctx, dataexport.NewFile(filepath.Join(dir, "export.zip")), &dataexport.Request{
		TenantID: "acme", Key: "request-17", Attempt: "1", AsOf: time.Now(), Flat: true,
		Payload: dataexport.Payload{Of: dataexport.OfNumber, Number: "+493012345678"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(done.Status, done.Counts.Calls, "call", len(done.Parts), "part")
	// Output: completed 1 call 1 part
}
