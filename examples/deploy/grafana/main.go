// Command grafana writes Switchtape's dashboards for Grafana: a file of JSON each, to be
// imported or provisioned. What they show is in dashboards.go.
//
//	go run . dashboards
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: grafana DIR")
		os.Exit(2)
	}
	if err := writeAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writeAll writes the dashboards into a directory, which it makes if there is none.
func writeAll(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, b := range boards() {
		text, err := encode(&b)
		if err != nil {
			return fmt.Errorf("%s: %w", b.UID, err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.UID+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
