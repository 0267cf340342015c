// Command rtpengine makes what rtpengine records into the legs of Switchtape's
// recordings: each call's pcap becomes ID/caller.wav and ID/callee.wav, by the API's id of
// the call, which the telephone server gives rtpengine as metadata.
//
//	rtpengine-legs --spool /var/spool/rtpengine --legs /var/spool/recordings
//
// A pcap is removed when both legs are on the disk, and kept where not all of it could be
// read. The process may be killed at any time and goes on where it was. It ends with
// SIGTERM, and with 1 if it can't work at all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rtpengine-legs:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string) error {
	s := &spool{now: time.Now, log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags := flag.NewFlagSet("rtpengine-legs", flag.ContinueOnError)
	flags.StringVar(&s.dir, "spool", "", "rtpengine's `recording-dir`; required")
	flags.StringVar(&s.legs, "legs", "", "`directory` of the legs, as the worker's --legs has it; required")
	flags.DurationVar(&s.settle, "settle", time.Second, "how long a call must have been over: rtpengine writes its last packets then")
	flags.DurationVar(&s.pause, "retry", time.Minute, "pause until a call that failed is tried again")
	every := flags.Duration("every", time.Second, "pause between two looks at the spool")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if s.dir == "" || s.legs == "" || *every <= 0 || s.settle < 0 || s.pause <= 0 || flags.NArg() > 0 {
		return fmt.Errorf("%w: --spool and --legs must be given, times be positive, and nothing else follow", errUsage)
	}
	closeSpool, err := s.open()
	if err != nil {
		return err
	}
	defer closeSpool()
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the spool can't be read; it is tried again", "spool", s.dir, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
