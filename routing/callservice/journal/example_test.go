package journal_test

import (
	"fmt"
	"os"

	"github.com/switchtape/switchtape/routing/callservice/journal"
)

// Keep what was promised until it is stored.
func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(dir, nil) // and go j.Run(ctx), which syncs the disk
	if err != nil {
		fmt.Println(err)
		return
	}
	one, _ := j.Append([]byte("one"))
	_, _ = j.Append([]byte("two"))
	j.Done(one) // it is stored
	_ = j.Close()

	j, _ = journal.Open(dir, nil)
	list, _ := j.Pending(0, 0)
	for _, e := range list {
		fmt.Println(string(e.Body))
	}
	_ = j.Close()
	// Output:
	// two
}
